"""Whom the gateway believes over TLS, what it shows of itself, and the sessions that it resumes."""

import os
import ssl
from functools import cached_property
from pathlib import Path
from typing import Final

import certifi
from msgspec import Struct
from msgspec.structs import astuple

# Where OpenSSL and most programs are told of other certificates than the usual ones.
_FILE, _FOLDER = "SSL_CERT_FILE", "SSL_CERT_DIR"
_ENCRYPTED: Final = "the key is encrypted, and nobody is there to ask for its password"


class TrustOptions(Struct, frozen=True):
    """Files for TLS to the upstream; see the settings of the same names."""

    upstream_ca: Path | None = None
    upstream_certificate: Path | None = None
    upstream_key: Path | None = None


class Trust:
    """The TLS of all connections to upstreams and proxies."""

    def __init__(self, options: TrustOptions | None = None) -> None:
        self._options = options or TrustOptions()

    @cached_property
    def context(self) -> "_Resuming":
        """What TLS connections are made with; made when it is first needed, for that takes a while.

        Raises:
            OSError: a file cannot be read, or is none; the text says which.
        """
        context = _Resuming(ssl.PROTOCOL_TLS_CLIENT)
        self._believe(context)
        self._show(context)
        return context

    def remember(self, connection: ssl.SSLObject | None) -> None:
        """Take over what a connection has agreed on, if it is encrypted, for the next one."""
        if connection is not None:
            self.context.remember(connection)

    def forget(self, host: str) -> None:
        """Begin anew with a host: what was known of it may be what is in the way."""
        if "context" in vars(self):
            self.context.forget(host)

    def require_usable(self) -> None:
        """See that the files can be used that settings name.

        Raises:
            ValueError: one cannot; the message names the setting.
        """
        if any(astuple(self._options)):
            try:
                _ = self.context
            except OSError as error:
                raise ValueError(f"{error}.") from None

    def _believe(self, context: ssl.SSLContext) -> None:
        named, ca = "upstream_ca", self._options.upstream_ca
        folder = os.environ.get(_FOLDER)
        if ca is None and (file := os.environ.get(_FILE)):
            named, ca = _FILE, Path(file)
        if ca is None and folder:
            context.load_verify_locations(capath=folder)
            return
        try:
            context.load_verify_locations(ca or certifi.where())
        except OSError as error:
            raise OSError(f"{named}: {ca} cannot be used: {_said(error)}") from None

    def _show(self, context: ssl.SSLContext) -> None:
        certificate, key = self._options.upstream_certificate, self._options.upstream_key
        if certificate is None:
            if key is not None:
                raise OSError("upstream_key needs upstream_certificate")
            return
        files = certificate if key is None else f"{certificate} with {key}"
        try:
            context.load_cert_chain(certificate, key, _no_password)
        except OSError as error:
            raise OSError(f"upstream_certificate: {files} cannot be used: {_said(error)}") from None
        except ValueError:
            raise OSError(f"upstream_certificate: {files} cannot be used: {_ENCRYPTED}") from None


class _Resuming(ssl.SSLContext):
    """Begins where the last connection to the same host has ended, if that still knows it.

    The session is handed to what the event loop makes a connection with, which knows of none.
    """

    def __init__(self, *_: object) -> None:
        self._sessions: dict[str | None, ssl.SSLSession] = {}

    def wrap_bio(
        self,
        incoming: ssl.MemoryBIO,
        outgoing: ssl.MemoryBIO,
        server_side: bool = False,  # noqa: FBT001, FBT002 - the signature is Python's
        server_hostname: str | bytes | None = None,
        session: ssl.SSLSession | None = None,
    ) -> ssl.SSLObject:
        """Begin a connection."""
        known = self._sessions.get(_text(server_hostname))
        return super().wrap_bio(incoming, outgoing, server_side, server_hostname, session or known)

    def remember(self, connection: ssl.SSLObject) -> None:
        """Begin the next connection to the same host where this one is."""
        session = connection.session
        if session is not None and session.has_ticket:
            self._sessions[connection.server_hostname] = session

    def forget(self, host: str) -> None:
        """Begin anew with a host: what was known of it may be what is in the way."""
        self._sessions.pop(host, None)


def _text(host: str | bytes | None) -> str | None:
    return host.decode() if isinstance(host, bytes) else host


def _no_password() -> str:
    raise ValueError(_ENCRYPTED)


def _said(error: OSError) -> str:
    return error.strerror or str(error)
