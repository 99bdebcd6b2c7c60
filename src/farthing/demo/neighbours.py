"""Who is in the demo data: a neighbourhood that buys and sells, in every state there is."""

from dataclasses import dataclass

from farthing.keys import ED25519, P256


@dataclass(frozen=True, slots=True)
class Till:
    """An account, and the test money that is put into it."""

    name: str
    funds: str


@dataclass(frozen=True, slots=True)
class Neighbour:
    """An owner."""

    name: str
    time_zone: str
    accounts: tuple[Till, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rules:
    """A mandate in words: `budgets` as `"5 USD/day"`, the first of them in the mandate's asset."""

    budgets: tuple[str, ...]
    largest: str = ""
    payees: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    ask_above: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Machine:
    """A device."""

    name: str
    owner: str
    account: str
    rules: Rules
    algorithm: str = ED25519


@dataclass(frozen=True, slots=True)
class Tag:
    """An offer."""

    payee: str
    path: str
    price: str


@dataclass(frozen=True, slots=True)
class Paid:
    """A payment: by whom, to whom, for what, how much, and how it is carried to its end."""

    device: str
    payee: str
    path: str
    price: str
    end: str = "captured"
    part: str = ""

    @property
    def state(self) -> str:
        """Give the state that it ends in."""
        return _STATES.get(self.end, self.end)


_STATES = {
    "captured in part": "captured",
    "refunded": "captured",
    "refunded in part": "captured",
    "approved": "held",
    "denied": "refused",
}

OWNERS = (
    Neighbour("Parkside Chargers", "Europe/Berlin", (Till("fleet wallet", "250 USD"),)),
    Neighbour("Windward Energy", "Europe/Berlin", (Till("power sales", "20 USD"),)),
    Neighbour("Harbour Weather", "UTC", (Till("weather sales", "0 USD"),)),
    Neighbour("Mia", "Europe/Vienna", (Till("pocket money", "12 EUR"), Till("savings", "30 EUR"))),
    Neighbour("Corner Kiosk", "Europe/Vienna", (Till("kiosk sales", "5 EUR"),)),
)

DEVICES = (
    Machine(
        name="Charger 7",
        owner="Parkside Chargers",
        account="fleet wallet",
        rules=Rules(
            largest="5 USD",
            budgets=("20 USD/day", "200 USD/month"),
            payees=("power sales",),
        ),
    ),
    Machine(
        name="Gate sensor",
        owner="Parkside Chargers",
        account="fleet wallet",
        rules=Rules(budgets=("0.004 USD/day",), categories=("weather",)),
        algorithm=P256,
    ),
    Machine(
        name="Research agent",
        owner="Parkside Chargers",
        account="fleet wallet",
        rules=Rules(largest="2 USD", ask_above="0.10 USD", budgets=("5 USD/day",)),
    ),
    Machine(
        name="Mia's phone",
        owner="Mia",
        account="pocket money",
        rules=Rules(budgets=("20 EUR/week",)),
    ),
    Machine(
        name="Lost locker",
        owner="Parkside Chargers",
        account="fleet wallet",
        rules=Rules(largest="1 USD", budgets=("2 USD/day",)),
    ),
)
REVOKED = "Lost locker"
FROZEN = "savings"

OFFERS = (
    Tag("power sales", "/power/kwh", "0.31 USD"),
    Tag("weather sales", "/weather/{town}", "0.001 USD"),
    Tag("weather sales", "/report/{town}", "0.25 USD"),
    Tag("kiosk sales", "/games/token", "1.50 EUR"),
)

_POWER = ("Charger 7", "power sales", "/power/kwh")
_WEATHER = ("Gate sensor", "weather sales")
_REPORT = ("Research agent", "weather sales", "/report/kiel")
_GAMES = ("Mia's phone", "kiosk sales", "/games/token")

PAYMENTS = (
    *(Paid(*_POWER, price) for price in ("1.24 USD", "0.93 USD", "2.17 USD", "0.31 USD")),
    *(Paid(*_WEATHER, f"/weather/{town}", "0.001 USD") for town in ("kiel", "bremen", "cuxhaven")),
    Paid("Lost locker", "power sales", "/power/kwh", "0.31 USD"),
    Paid("Research agent", "weather sales", "/weather/kiel", "0.001 USD"),
    Paid(*_GAMES, "1.50 EUR"),
    Paid(*_GAMES, "4.50 EUR"),
    Paid(*_POWER, "4.34 USD", "held"),
    Paid(*_POWER, "3.10 USD", "captured in part", "1.86 USD"),
    Paid(*_POWER, "0.62 USD", "voided"),
    Paid(*_POWER, "1.55 USD", "refunded"),
    Paid(*_POWER, "2.48 USD", "refunded in part", "0.62 USD"),
    Paid(*_REPORT, "0.25 USD", "awaiting"),
    Paid(*_REPORT, "1.20 USD", "approved"),
    Paid(*_REPORT, "1.90 USD", "denied"),
    Paid(*_POWER, "6.20 USD", "refused"),
    Paid("Charger 7", "weather sales", "/report/kiel", "0.25 USD", "refused"),
    Paid("Gate sensor", "weather sales", "/report/kiel", "0.002 USD", "refused"),
    Paid(*_WEATHER, "/weather/husum", "0.002 USD", "refused"),
    Paid(*_GAMES, "7.50 EUR", "refused"),
)
"""The reasons of the refused ones: too large, another payee, another category, budget, funds."""
