"""A place is the network that an order came from, as whoever took the order saw it.

It is cut so that a home, an office or a carrier's cell stays one place while its addresses change.
It is personal data, and stays in memory: no book has it (docs/decisions).
"""

import ipaddress
from functools import lru_cache

from farthing.errors import Malformed

_IPV4_BITS, _IPV6_BITS = 24, 48
PLACE_CHARACTERS_MAX = len("ffff:ffff:ffff::/48")


@lru_cache(maxsize=4096)
def place_of(address: str) -> str:
    """Give the network of an address; empty for this very machine and for what is no address.

    Shape: `203.0.113.0/24` or `2001:db8:1::/48`; an address may come as a network of its own.
    """
    try:
        read = ipaddress.ip_address(address.partition("/")[0])
    except ValueError:
        return ""
    known = getattr(read, "ipv4_mapped", None) or read
    if known.is_loopback or known.is_unspecified:
        return ""
    if known.version == 4:
        return str(ipaddress.IPv4Network((int(known), _IPV4_BITS), strict=False))
    return str(ipaddress.IPv6Network((int(known), _IPV6_BITS), strict=False))


def read_place(text: str) -> str:
    """Read a place that somebody else saw; empty if none is told.

    Raises: Malformed `malformed-place` for whatever `place_of` would not write.
    """
    if text and place_of(text) != text:
        raise Malformed(
            "malformed-place", "a place is an IPv4 network of /24 or an IPv6 network of /48"
        )
    return text
