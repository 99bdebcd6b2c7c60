"""A hub as a small company has it: machines that buy and sell, a teenager, and somebody asked."""

from dataclasses import dataclass

from farthing.codec import from_base64url, to_base64url
from farthing.core.sessions import Opening
from farthing.core.tariffs import flat_rate
from farthing.core.vouchers import Agreed, Claims, sign_voucher

from .chromium import Hub, Machine

TARIFF = flat_rate("USD", "second", 20)


@dataclass(frozen=True)
class Street:
    """An owner with machines that buy and one that sells, and a ward with a wallet of its own.

    Shape: `asked` waits for an answer; `paid` was bought, `sold` was sold, `refused` was neither;
           `case` is of a payment that looked odd.
    """

    owner: str
    machine: Machine
    asked: str
    paid: str
    sold: str
    refused: str
    ward: str
    wards: Machine
    ward_asked: str
    ward_refused: str
    case: str


def filled(hub: Hub) -> Street:
    """Fill a hub."""
    owner, payers = hub.owner("Parkside Chargers"), hub.owner("Others")
    gauges, mill = (hub.account(hub.owner(name), "till") for name in ("Gauges", "Mill & Sons"))
    fleet, till = hub.account(owner, "fleet", 50_000_000), hub.account(owner, "sales")
    day = [{"name": "day", "per": "day", "limit": "20000000"}]
    charger = hub.enrol(
        owner, fleet, "Charger 7", budgets=day, ask_above="3000000", two_above="4000000"
    )
    hour = [{"name": "hour", "per": "1h", "limit": "2000000"}]
    kiosk = hub.enrol(
        owner, hub.account(owner, "kiosk", 2_000_000), "Kiosk 3", budgets=hour, largest="500000"
    )
    robot = hub.enrol(
        owner, hub.account(owner, "lab", 1_000_000), "Robot Ada", categories=["computing"]
    )
    van = hub.enrol(payers, hub.account(payers, "van", 9_000_000), "Van")
    paid = [
        hub.pay(machine, payee, amount, what).json()
        for machine, payee, amount, what in (
            (charger, gauges, 1500, "GET /load"),
            (kiosk, mill, 12_300, "GET /chart.svg"),
            (robot, gauges, 9000, "GET /memory"),
            (van, till, 350_000, "POST /charge"),
            (van, till, 1_250_000, "POST /charge"),
            (charger, gauges, 2_250_000, "GET /tariff"),
            (kiosk, mill, 450_000, "GET /report"),
            (charger, gauges, 120, "GET /tick"),
        )
    ]
    refused = hub.pay(kiosk, mill, 600_000, "GET /archive").json()
    moved(hub, fleet)
    offer = {"payee": till, "method": "POST", "path": "/charge", "asset": "USD"}
    offer |= {"amount": "350000", "description": "A kilowatt hour"}
    hub.ask("POST", "/v1/offers", offer)
    metered(hub, van, till)
    asked = hub.pay(charger, gauges, 4_200_000, "POST /charge?kwh=12").json()
    return Street(
        owner, charger, asked["id"], paid[-1]["id"], paid[4]["id"], refused["payment"],
        *teenager(hub, gauges), odd_ones(hub, payers, gauges),
    )  # fmt: skip


def moved(hub: Hub, account: str) -> None:
    """Move money in and out, in every way that it can end."""
    for way, place, units in (("topups", "ok", 50_000_000), ("payouts", "ok", 12_500_000),
                              ("payouts", "fail", 900_000), ("topups", "unclear", 5_000_000),
                              ("payouts", "lost", 2_000_000)):  # fmt: skip
        moving = {"account": account, "asset": "USD", "units": str(units), "rail": "simulated"}
        hub.ask("POST", f"/v1/{way}", moving | {"place": place})


def metered(hub: Hub, machine: Machine, payee: str) -> None:
    """Open a session and draw it: half an hour by the second."""
    resource = Opening(TARIFF.digest(), 3600, 60, "GET /film").resource()
    order = hub.order(machine, payee, 100_000, resource)
    opened = hub.ask("POST", "/v1/sessions", order | {"tariff": TARIFF.members()})["session"]
    agreed = Agreed(opened["id"], payee, "USD", from_base64url(opened["tariff_hash"]))
    claims = Claims(from_base64url(opened["alias"]), 36_000, 1, hub.at(opened["ends_at"]))
    voucher = to_base64url(sign_voucher(machine.signer, agreed, claims))
    hub.ask("POST", f"/v1/sessions/{opened['id']}/vouchers", {"voucher": voucher})


def teenager(hub: Hub, payee: str) -> tuple[str, Machine, str, str]:
    """Give a teenager a wallet with limits, a payment that waits, and one that was refused."""
    owner = hub.owner("Mia's wallet")
    week = [{"name": "week", "per": "week", "limit": "15000000"}]
    phone = hub.enrol(
        owner, hub.account(owner, "pocket money", 20_000_000), "Mia's phone",
        budgets=week, ask_above="5000000", largest="9000000",
    )  # fmt: skip
    for amount in (2_500_000, 890_000):
        hub.pay(phone, payee, amount, "GET /snack")
    refused = hub.pay(phone, payee, 12_000_000, "GET /concert").json()["payment"]
    asked = hub.pay(phone, payee, 6_400_000, "GET /game").json()["id"]
    return owner, phone, asked, refused


def odd_ones(hub: Hub, owner: str, usual: str) -> str:
    """Have devices pay a stranger far more than ever, and give the case of the last of them."""
    stranger = hub.account(hub.owner("Quick Parts Ltd"), "till")
    found: list[str] = []
    for name, often, amount in (("Drone 4", 10, 310), ("Kiosk 9", 10, 900), ("Locker 12", 12, 450)):
        machine = hub.enrol(owner, hub.account(owner, name, 9_000_000), name)
        for number in range(often):
            hub.pay(machine, usual, amount + 7 * number, "GET /open")
        hub.pay(machine, stranger, 640 * amount, "POST /order?part=88")
        cases = hub.ask("GET", f"/v1/cases?device={machine.id}")["items"]
        found.append(cases[0]["id"])
    said = {"verdict": "fraud", "reason": "The drone was stolen on Tuesday, and its key with it."}
    hub.ask("POST", f"/v1/cases/{found[0]}/decide", said)
    return found[-1]
