"""What the upstream shows must belong to the account that it was asked about."""

import structlog

from gateway.errors import OfAnotherAccount
from gateway.mapping import coerce
from schema.enums import Source

_log = structlog.get_logger(__name__)


def check_owner(said: object, account: str, source: Source) -> None:
    """See that an answer which says that it is of account `said` may pass for one about `account`.

    An answer that does not say whose it is may: the catalog's lists need not.

    Raises:
        OfAnotherAccount: it says that it is another's. That is logged: it must not happen.
    """
    if said is None or said == account:
        return
    owner = coerce.text(said)
    if owner is None or owner.lower() == account.lower():
        return
    _log.error("upstream_shows_another_account", asked=account, family=source.name)
    raise OfAnotherAccount("The upstream shows what belongs to another account than asked for.")
