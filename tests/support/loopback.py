"""HTTP to servers on this machine: `httpx` without proxies and root certificates.

To load these takes as long as answering ten queries, for each client, and nothing here speaks TLS.
"""

import ssl
from functools import partial
from typing import Final

import httpx

_TLS: Final = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)

Client: Final = partial(httpx.Client, trust_env=False, verify=_TLS)
AsyncClient: Final = partial(httpx.AsyncClient, trust_env=False, verify=_TLS)
request: Final = partial(httpx.request, trust_env=False, verify=_TLS)
get: Final = partial(httpx.get, trust_env=False, verify=_TLS)
post: Final = partial(httpx.post, trust_env=False, verify=_TLS)
delete: Final = partial(httpx.delete, trust_env=False, verify=_TLS)
stream: Final = partial(httpx.stream, trust_env=False, verify=_TLS)
