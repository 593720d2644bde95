"""PURE: whether a host is this machine alone."""

from functools import lru_cache
from ipaddress import ip_address


@lru_cache(maxsize=64)  # It is asked of every request.
def is_loopback(host: str) -> bool:
    """Whether a host reaches nothing but this machine: `localhost`, 127.0.0.0/8 or ::1.

    Args:
        host: a name in lower case, or an address without brackets.
    """
    if host == "localhost":
        return True
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return False
