"""How often one address may ask for prices and have payments checked without paying.

A challenge costs the asker nothing and us an HMAC; a credential costs us a signature check. So
each takes a token, and a payment gives the tokens back: who pays is never slowed.

Source: draft-httpauth-payment-00, denial of service (servers should limit challenges and checks).
"""

import ipaddress
from collections import OrderedDict
from collections.abc import Callable

from farthing.web.problems import HttpProblem

ADDRESSES_MAX = 10_000
_IPV6_NETWORK = 64
_TEXT_MAX = 45


class Pace:
    """Token buckets by client address, in bounded memory; the longest unheard goes first.

    Units:  `per_second` tokens flow in, up to `burst`; 0 per second means no limit.
    """

    def __init__(
        self,
        now: Callable[[], float],
        per_second: float,
        burst: float,
        what: str = "too many prices asked or payments refused from this address",
    ) -> None:
        self._what = what
        self._now = now
        self._per_second = per_second
        self._burst = burst
        self._buckets: OrderedDict[str, tuple[float, float]] = OrderedDict()

    def take(self, address: str) -> None:
        """Take one token; an empty address is somebody on this machine, and free.

        Raises: HttpProblem `too-many-requests` (429) with `Retry-After`.
        """
        if not address or not self._per_second:
            return
        now = self._now()
        left, since = self._buckets.get(address, (self._burst, now))
        left = min(self._burst, left + max(0, now - since) * self._per_second)
        if left < 1:
            wait = max(1, -int((left - 1) // self._per_second))
            raise HttpProblem(
                429,
                "too-many-requests",
                f"{self._what}; wait a moment",
                headers=[("retry-after", str(wait))],
            )
        self._buckets[address] = (left - 1, now)
        self._buckets.move_to_end(address)
        if len(self._buckets) > ADDRESSES_MAX:
            self._buckets.popitem(last=False)

    def give_back(self, address: str) -> None:
        """Give back what a payment took: its challenge's token and its own."""
        bucket = self._buckets.get(address)
        if bucket is not None:
            self._buckets[address] = (min(self._burst, bucket[0] + 2), bucket[1])


def counted_as(address: str) -> str:
    """Give the name an address is counted under: an IPv6 host has a whole /64 to itself."""
    if ":" not in address:
        return address[:_TEXT_MAX]
    try:
        read = ipaddress.IPv6Address(address)
    except ValueError:
        return address[:_TEXT_MAX]
    if read.ipv4_mapped is not None:  # As a socket for both kinds of address shows IPv4.
        return str(read.ipv4_mapped)
    return str(ipaddress.ip_network((int(read), _IPV6_NETWORK), strict=False))
