"""Who plays in the demo: twelve devices, what each may spend, and what each would like to buy."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from farthing.keys import ED25519, P256
from farthing.money import Asset
from farthing.protocols.names import MPP, X402

USD = Asset("USD", 6)
ASSETS = {USD.code: USD}

GAUGES, PRESS, MILL = "Gauges", "Press", "Mill"
SHOPS = (GAUGES, PRESS, MILL)

READINGS, DOCUMENTS, COMPUTING = "readings", "documents", "computing"

LOAD, MEMORY = (GAUGES, "load"), (GAUGES, "memory")
DISK, UPTIME = (GAUGES, "disk"), (GAUGES, "uptime")
NETWORK = (GAUGES, "network")
NOTE, CHART = (PRESS, "note.txt"), (PRESS, "chart.svg")
REPORT, ATLAS = (PRESS, "report.html"), (PRESS, "atlas.html")
FACTORS, PRIMES, DIGEST = (MILL, "factors"), (MILL, "primes"), (MILL, "digest")

Item = tuple[str, str]
"""What is bought: the shop, and the name of the thing there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Allowed:
    """What an owner permits a device, in words a mandate is made of.

    Units: `budget_seconds` is the period of `budget`.
    """

    largest: str = "0.05 USD"
    budget: str = "0.02 USD"
    budget_seconds: int = 60
    shops: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    asleep_now: bool = False
    ask_above: str = ""

    def hours(self) -> list[str]:
        """Give the hours in which it may pay: none to speak of, or those on the night's side."""
        if not self.asleep_now:
            return []
        start = datetime.now(UTC) + timedelta(hours=10)
        return [f"{start:%H}:00-{start + timedelta(hours=3):%H}:00"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """One device.

    Units: `pace_seconds` is the pause between two purchases.
    """

    name: str
    wants: tuple[Item, ...]
    pace_seconds: float
    allowed: Allowed = Allowed()
    funds: str = "0.25 USD"
    language: str = MPP
    algorithm: str = ED25519


REVOKED = "Locker 12"
"""The device that its owner loses and revokes in mid-run."""

TOPPED_UP = "Coffee cart"
"""The device that runs out of money, and gets some more."""

TOP_UP = "0.003 USD"

DENIED = "Printer 4"
"""The device whose owner says no when asked; to all others the owner says yes."""

CAST = (
    Part(name="Charger 7", wants=(LOAD, MEMORY, UPTIME, NETWORK), pace_seconds=0.3),
    Part(
        name="Robot Ada",
        wants=(FACTORS, DIGEST, PRIMES),
        pace_seconds=0.35,
        allowed=Allowed(budget="0.2 USD"),
        funds="5 USD",
    ),
    Part(
        name="Kiosk 3",
        wants=(CHART, NOTE, REPORT),
        pace_seconds=0.6,
        allowed=Allowed(budget="0.6 USD"),
        funds="5 USD",
        language=X402,
    ),
    Part(name=REVOKED, wants=(DIGEST, LOAD, DISK), pace_seconds=0.45, language=X402),
    Part(
        name="Meter 41",
        wants=(LOAD, UPTIME),
        pace_seconds=0.25,
        allowed=Allowed(budget="0.0003 USD", budget_seconds=10),
    ),
    Part(
        name="Vending 9",
        wants=(CHART, NOTE, REPORT),
        pace_seconds=0.7,
        allowed=Allowed(largest="0.005 USD", budget="0.2 USD"),
        funds="5 USD",
    ),
    Part(
        name="Camera 2",
        wants=(MEMORY, DISK, FACTORS),
        pace_seconds=0.6,
        allowed=Allowed(categories=(READINGS,), budget="0.005 USD"),
        language=X402,
    ),
    Part(
        name="Drone 5",
        wants=(NETWORK, LOAD, NOTE),
        pace_seconds=0.55,
        allowed=Allowed(shops=(GAUGES, MILL)),
        algorithm=P256,
    ),
    Part(
        name="Night lamp",
        wants=(UPTIME,),
        pace_seconds=0.8,
        allowed=Allowed(asleep_now=True, budget="0.005 USD"),
        funds="0.05 USD",
    ),
    Part(name=TOPPED_UP, wants=(FACTORS, DIGEST), pace_seconds=0.5, funds="0.003 USD"),
    Part(
        name="Forklift 1",
        wants=(REPORT, CHART, PRIMES),
        pace_seconds=0.7,
        allowed=Allowed(ask_above="0.01 USD", budget="0.4 USD"),
        funds="5 USD",
    ),
    Part(
        name=DENIED,
        wants=(ATLAS, NOTE, CHART),
        pace_seconds=0.8,
        allowed=Allowed(ask_above="0.01 USD", budget="0.15 USD"),
        funds="5 USD",
    ),
)
