"""Trusted documents: a manifest of operations by id, read again when its file changes.

Two forms are understood, and told apart by their content:

    {"format": "apollo-persisted-query-manifest", "version": 1,
     "operations": [{"id": …, "body": …, "name": …, "type": …}]}       Apollo's manifest
    {"<id>": "<document>"}                                              Relay's persisted queries
"""

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TypeAlias

import orjson
import structlog

_log = structlog.get_logger(__name__)
_LOOK_EVERY = 1.0

Check: TypeAlias = Callable[[str], str | None]
"""Says why a document cannot run; None when it can."""


class BadManifest(ValueError):
    """A manifest that is of neither form; the message says what is wrong."""


class Manifest:
    """The documents of a file. A file that turns bad leaves the last good documents in force."""

    def __init__(self, path: Path) -> None:
        """Read the file.

        Raises:
            BadManifest: it is of neither form.
            OSError: it cannot be read.
        """
        self._path = path
        self._texts: frozenset[str] = frozenset()
        self._check: Check | None = None
        self._stamp = _stamp(path)
        self._looked = time.monotonic()
        self._keep(read_manifest(path.read_bytes()))

    def text(self, document_id: str) -> str | None:
        """Return the document with this id; None when there is none."""
        self._refresh()
        return self._documents.get(document_id)

    def has(self, text: str) -> bool:
        """Whether this very text is one of the documents."""
        self._refresh()
        return text in self._texts

    def check_with(self, check: Check) -> None:
        """Have `check` say what is wrong with each document, now and when it is new in the file."""
        self._check = check
        self._warn(self._documents)

    def _keep(self, documents: Mapping[str, str]) -> None:
        known = self._texts
        self._documents = documents
        self._texts = frozenset(documents.values())
        self._warn({name: text for name, text in documents.items() if text not in known})

    def _warn(self, documents: Mapping[str, str]) -> None:
        """Log which documents cannot run: their clients will be told, but not their operator."""
        if self._check is None:
            return
        for name, text in documents.items():
            problem = self._check(text)
            if problem is not None:
                path = str(self._path)
                _log.warning("manifest_document_invalid", path=path, id=name, problem=problem)

    def _refresh(self) -> None:
        """Read the file again if it changed; look at most once a second."""
        now = time.monotonic()
        if now - self._looked < _LOOK_EVERY:
            return
        self._looked = now
        try:
            stamp = _stamp(self._path)
            if stamp == self._stamp:
                return
            self._keep(read_manifest(self._path.read_bytes()))
        except (OSError, BadManifest) as error:
            _log.error("manifest_unreadable", path=str(self._path), problem=str(error))
            return
        self._stamp = stamp
        _log.info("manifest_read", path=str(self._path), documents=len(self._documents))


def manifest_for(path: Path | None, *, only: bool) -> Manifest | None:
    """Return the manifest at a path; None without one. `only` its documents may be wanted.

    Raises:
        ValueError: it cannot be used, or only its documents are wanted and none is named.
    """
    if path is None:
        if only:
            raise ValueError("trusted_documents_only needs trusted_documents, a manifest")
        return None
    try:
        return Manifest(path)
    except OSError as error:
        raise ValueError(f"trusted_documents: {path} cannot be read: {error.strerror}") from None
    except BadManifest as error:
        raise BadManifest(f"trusted_documents: {path} is no manifest: {error}") from None


def read_manifest(content: bytes) -> dict[str, str]:
    """Return the documents of a manifest by id.

    Raises:
        BadManifest: it is of neither form.
    """
    try:
        raw = orjson.loads(content)
    except orjson.JSONDecodeError as error:
        raise BadManifest(f"it is not JSON: {error}") from None
    if not isinstance(raw, dict):
        raise BadManifest("it is not a JSON object")
    if "operations" in raw or "format" in raw:
        return _apollo(raw)
    if not all(isinstance(text, str) for text in raw.values()):
        raise BadManifest("every entry must map an id to a document")
    return raw


def _apollo(raw: Mapping[str, object]) -> dict[str, str]:
    if raw.get("format") != "apollo-persisted-query-manifest" or raw.get("version") != 1:
        raise BadManifest("its format must be apollo-persisted-query-manifest, version 1")
    operations = raw.get("operations")
    documents: dict[str, str] = {}
    for each in operations if isinstance(operations, list) else ():
        if not isinstance(each, dict):
            raise BadManifest("every operation must be an object")
        name, body = each.get("id"), each.get("body")
        if not isinstance(name, str) or not isinstance(body, str):
            raise BadManifest("every operation needs an id and a body")
        documents[name] = body
    return documents


def _stamp(path: Path) -> tuple[int, int, int]:
    status = path.stat()
    return status.st_mtime_ns, status.st_size, status.st_ino
