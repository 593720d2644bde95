"""HTTP to servers on this machine: `httpx` without proxies and root certificates.

To load these takes as long as answering ten queries, for each client, and nothing here speaks TLS.
An answer is waited for as long as a machine may take that has much else to do; `httpx` waits 5 s.
"""

import ssl
from functools import partial
from typing import Final

import httpx

_PATIENCE: Final = 120.0
_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Client: Final = partial(httpx.Client, trust_env=False, verify=_TLS, timeout=_PATIENCE)
AsyncClient: Final = partial(httpx.AsyncClient, trust_env=False, verify=_TLS, timeout=_PATIENCE)
request: Final = partial(httpx.request, trust_env=False, verify=_TLS, timeout=_PATIENCE)
get: Final = partial(httpx.get, trust_env=False, verify=_TLS, timeout=_PATIENCE)
post: Final = partial(httpx.post, trust_env=False, verify=_TLS, timeout=_PATIENCE)
delete: Final = partial(httpx.delete, trust_env=False, verify=_TLS, timeout=_PATIENCE)
stream: Final = partial(httpx.stream, trust_env=False, verify=_TLS, timeout=_PATIENCE)
