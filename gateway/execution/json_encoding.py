"""PURE: responses as JSON."""

import msgspec

_encoder = msgspec.json.Encoder()


def encode(response: object) -> bytes:
    """Return a response, or a list of them, as JSON; projections are among what it may hold."""
    return _encoder.encode(response)
