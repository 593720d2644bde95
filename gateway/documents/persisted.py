"""From what a client sends to a document: its text, a hash that it registered, or a trusted id.

Hashes follow Apollo's automatic persisted queries: a client first sends only the hash; when that
is unknown it sends hash and text together, and from then on the hash suffices, on every process
that shares the store.
"""

import hashlib
from collections.abc import Awaitable, Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

from msgspec import Struct

from gateway.documents.documents import Document, Documents
from gateway.documents.parameters import Params
from gateway.documents.trusted import manifest_for
from gateway.errors import (
    BadRequest,
    DocumentNotTrusted,
    PersistedQueryNotFound,
    PersistedQueryNotSupported,
)
from gateway.storage.recent import Recent
from gateway.storage.store import Store, StoreUnavailable

_MOST = 1000
_MOST_CHARACTERS = 4 * 2**20
_PREFIX = "sha256:"


class PersistedOptions(Struct, frozen=True):
    """Which documents are found by name; see the settings of the same names."""

    persisted_queries: bool
    persisted_queries_ttl: float
    persisted_query_limit: int
    trusted_documents: Path | None
    trusted_documents_only: bool


class Persisted:
    """Finds the document of a request.

    A text never changes under its hash, so each process keeps the recent ones beside the store.
    """

    def __init__(
        self,
        options: PersistedOptions,
        store: Store,
        documents: Documents,
        turn: Callable[[str], Awaitable[None]],
    ) -> None:
        """Read the manifest of trusted documents, if one is named.

        `turn` returns when a principal may have a new document parsed and validated.

        Raises:
            ValueError: it cannot be used; or it is missing, and only its documents are wanted.
        """
        self._only = options.trusted_documents_only
        self._manifest = manifest_for(options.trusted_documents, only=self._only)
        self._register = options.persisted_queries and not self._only
        self._ttl = options.persisted_queries_ttl
        self._limit = options.persisted_query_limit
        self._store = store
        self._documents = documents
        self._turn = turn
        self._recent: Recent[str, str] = Recent(_MOST, (len, _MOST_CHARACTERS))
        if self._manifest is not None:
            self._manifest.check_with(self._problem)

    def at_hand(self, params: Params) -> Document | None:
        """Return what `document` does, of a text that is in memory; None when it must be asked."""
        if params.document_id is None and "persistedQuery" not in params.extensions:
            return None if self._only else self._documents.known(params.query)
        text = self._named_at_hand(params)
        return None if text is None else self._documents.known(text)

    def _named_at_hand(self, params: Params) -> str | None:
        """Return a text that is meant by its name alone, and in memory."""
        try:
            name = _id(params)
        except PersistedQueryNotSupported:
            return None
        if name is None or (params.query and self._manifest is None):
            return None  # It is yet to be seen whether they belong together.
        trusted = None if self._manifest is None else self._trusted(name)
        if trusted is not None or params.query:
            return trusted
        return self._recent.use(name.removeprefix(_PREFIX)) if self._register else None

    def _trusted(self, name: str) -> str | None:
        """Return the manifest's text of an id, which it may have with the prefix, or without."""
        if self._manifest is None:
            return None
        return self._manifest.text(name) or self._manifest.text(name.removeprefix(_PREFIX))

    async def document(self, params: Params, principal: str) -> Document:
        """Return the document that a request of a principal means.

        Raises:
            PersistedQueryNotFound: its id or hash is not known.
            PersistedQueryNotSupported: clients cannot register documents here.
            DocumentNotTrusted: only documents of the manifest run here, and this is none.
            BadRequest: text and hash do not fit together.
        """
        name = _id(params)
        if name is None:
            if self._only and not (self._manifest and self._manifest.has(params.query)):
                raise DocumentNotTrusted("Only documents of this gateway's manifest run here.")
            return self._documents.known(params.query) or await self._new(params.query, principal)
        trusted = self._trusted(name)
        if trusted is not None:
            return self._documents.known(trusted) or await self._new(trusted, principal)
        if self._only:
            raise DocumentNotTrusted("This gateway's manifest has no document with this id.")
        if not self._register:
            raise PersistedQueryNotSupported
        digest = name.removeprefix(_PREFIX)
        if params.query:
            return await self._remember(digest, params.query, principal)
        text = await self._text(digest)
        return self._documents.known(text) or await self._new(text, principal)

    async def _new(self, text: str, principal: str) -> Document:
        await self._turn(principal)
        return self._documents.get(text)

    def _problem(self, text: str) -> str | None:
        errors = self._documents.get(text).errors
        return errors[0].message if errors else None

    async def _text(self, digest: str) -> str:
        text = self._recent.use(digest)
        if text is None:
            try:
                kept = await self._store.get(_key(digest))
            except StoreUnavailable:
                kept = None
            # What is not that document was kept by half: the client sends it again.
            if kept is None or hashlib.sha256(kept).hexdigest() != digest:
                raise PersistedQueryNotFound
            text = kept.decode()
            self._recent.keep(digest, text)
        return text

    async def _remember(self, digest: str, text: str, principal: str) -> Document:
        content = text.encode()
        if hashlib.sha256(content).hexdigest() != digest:
            raise BadRequest(400, "The hash is not the SHA-256 of the query.")
        document = self._documents.known(text) or await self._new(text, principal)
        if document.errors or len(content) > self._limit:
            return document
        self._recent.keep(digest, text)
        with suppress(StoreUnavailable):
            await self._store.set(_key(digest), content, ttl=self._ttl)
        return document


def _id(params: Params) -> str | None:
    """Return the id by which a request names its document; None when it names none."""
    extension: Any = params.extensions.get("persistedQuery")
    if extension is not None:
        known = isinstance(extension, dict) and extension.get("version") == 1
        digest = extension.get("sha256Hash") if known else None
        if not isinstance(digest, str):
            raise PersistedQueryNotSupported
        return digest
    if params.document_id is not None:
        return params.document_id
    return None


def _key(digest: str) -> str:
    return f"document:{hashlib.sha256(digest.encode()).hexdigest()}"
