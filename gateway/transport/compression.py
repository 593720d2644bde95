"""Compression of whole answers, by what the client accepts. Streams are never compressed."""

import zlib
from collections.abc import Callable, Mapping
from functools import lru_cache

import brotli

from gateway.transport.weighted_headers import read_weighted

# Settings at which each is about as fast as the other: some 100 MB/s.
_BROTLI_QUALITY = 4
_GZIP_LEVEL = 5
_GZIP_WINDOW = 31  # zlib's own code for "15 bits, and a gzip header"


def _brotli(body: bytes) -> bytes:
    compressed: bytes = brotli.compress(body, quality=_BROTLI_QUALITY)
    return compressed


def _gzip(body: bytes) -> bytes:
    compressor = zlib.compressobj(_GZIP_LEVEL, zlib.DEFLATED, _GZIP_WINDOW)
    return compressor.compress(body) + compressor.flush()


# The better ones first.
CODINGS: Mapping[str, Callable[[bytes], bytes]] = {"br": _brotli, "gzip": _gzip}


@lru_cache(maxsize=256)
def coding(accept_encoding: str) -> str | None:
    """Return the coding to answer with; None to send the answer as it is.

    The client's weights decide; among equals, the better compression.
    """
    weights = {each.value: each.weight for each in read_weighted(accept_encoding)}
    rest = weights.get("*", 0.0)
    wanted = {name: weights.get(name, rest) for name in CODINGS}
    best = max(wanted, key=lambda name: wanted[name])
    return best if wanted[best] > 0 else None
