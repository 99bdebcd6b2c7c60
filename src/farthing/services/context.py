"""What every service needs, handed in once by the composition root."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from farthing import ids
from farthing.books.base import Books
from farthing.clock import NS, Clock
from farthing.core.fees import FeeTerms
from farthing.core.identity import Certificate
from farthing.money import Asset
from farthing.services.signals import Signal
from farthing.services.watch import UNWATCHED, Watch
from farthing.store.database import Database
from farthing.threads import Threads

POLL_SECONDS = 0.5
"""How soon what another process committed is seen here."""


@dataclass(slots=True)
class HubIdentity:
    """Who this hub is: its id and root key for life, and the keys it certified."""

    hub: str
    root_public: str
    certificates: dict[str, Certificate]


@dataclass(slots=True)
class Context:
    """Books, records, clock, randomness and identity. Nothing here is global.

    Shape: `fees` are what the hub takes of payments, by asset.
    """

    books: Books
    database: Database
    clock: Clock
    random_bits: Callable[[int], int]
    verifiers: Threads
    identity: HubIdentity
    assets: dict[str, Asset]
    committed: Signal = field(default_factory=Signal)
    watch: Watch = UNWATCHED
    fees: Mapping[str, FeeTerms] | None = None

    def patience(self, seconds: float) -> float:
        """Shorten a wait for `committed` where others commit as well, of which no signal comes."""
        return seconds if self.database.exclusive else min(seconds, POLL_SECONDS)

    def now_s(self) -> int:
        """Give Unix seconds."""
        return self.clock() // NS

    def fresh(self) -> int:
        """Make a new 128-bit id."""
        return ids.fresh(self.clock() // 1_000_000, self.random_bits)

    def fresh_name(self, prefix: str) -> str:
        """Make a new id with its kind."""
        return ids.name(prefix, self.fresh())
