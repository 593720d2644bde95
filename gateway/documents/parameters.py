"""What a GraphQL request says, whatever transport it came by."""

from typing import Any

import msgspec


class Params(msgspec.Struct, frozen=True):
    """The parameters of a request, as the client sent them.

    Attributes:
        query: the document; "" when the client names a persisted one instead.
        document_id: id of a persisted document, None without one.
    """

    query: str
    operation_name: str | None
    variables: dict[str, Any]
    extensions: dict[str, Any]
    document_id: str | None = None
