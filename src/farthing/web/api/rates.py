"""How often the API may be asked: by key, by address, and with proofs that do not hold.

Who asks with a key or signs as a device is counted under that name, anybody else under the
address. This machine itself is free, and behind trusted proxies the address is what they say.
"""

from collections.abc import Callable

from farthing.core.owners import Principal
from farthing.errors import FarthingError, Unauthenticated
from farthing.settings import Config
from farthing.web.asgi import Scope
from farthing.web.incoming import read_request
from farthing.web.pace import Pace, counted_as
from farthing.web.problems import HttpProblem
from farthing.web.trust import HERE, Trust

_FAILED_CODES = ("bad-code", "code-used", "code-expired", "bad-sign-in-code")


class Rates:
    """Token buckets in bounded memory, for every way of asking."""

    def __init__(self, config: Config, now: Callable[[], float]) -> None:
        limits = config.limits
        proxies = config.server.trusted_proxies
        self._trust = Trust(proxies) if proxies else None
        self._addresses = Pace(
            now,
            limits.address_per_second,
            limits.address_burst,
            "too many requests from this address",
        )
        self._keys = Pace(
            now, limits.key_per_second, limits.key_burst, "too many requests with this key"
        )
        self._failures = Pace(
            now,
            limits.failures_per_minute / 60,
            max(1, limits.failures_per_minute),
            "too many proofs from this address did not hold",
        )

    def take(self, scope: Scope, principal: Principal | None) -> str:
        """Count one request, and name who brought it: an owner, or else an address.

        Raises: HttpProblem `too-many-requests` (429) with `Retry-After`.
        """
        if principal is None:
            address = self.address(scope)
            self._addresses.take(address)
            return address
        if principal.owner:
            self._keys.take(principal.name)
        return principal.owner

    def counted(self, scope: Scope, error: FarthingError) -> FarthingError:
        """Count a proof that did not hold; beyond the limit 429 is said in its place."""
        if isinstance(error, Unauthenticated) or error.code in _FAILED_CODES:
            try:
                self._failures.take(self.address(scope))
            except HttpProblem as limit:
                return limit
        return error

    def address(self, scope: Scope) -> str:
        """Give the address to count under; empty for this machine, which is free."""
        if self._trust is not None:
            return self._trust.address(read_request(scope))
        client = scope.get("client")
        return "" if not client or client[0] in HERE else counted_as(client[0])
