"""One session with its rows, for tests of what is decided on it."""

import msgspec
import pytest

from farthing import ids
from farthing.clock import NS
from farthing.core.accounts import ACCOUNTS, AccountRecord
from farthing.core.devices import DEVICES, Device
from farthing.core.drawing import Draw
from farthing.core.mandates import MANDATES, Mandate
from farthing.core.periods import ZoneChange
from farthing.core.promises import Promise, promised_by
from farthing.core.sessions import (
    SESSIONS,
    EndedBy,
    Phase,
    Session,
)
from farthing.core.ticks import Ladder
from farthing.core.vouchers import Claims, session_alias
from farthing.errors import PaymentRefused
from tests.core.shown import Shown

NUMBER = 1 << 100 | 5 << 8
SESSION = Session(
    id=ids.name("ses", NUMBER),
    state=Phase.OPEN,
    owner="own_1",
    payer="acc_1",
    device="dev_1",
    payee_owner="own_2",
    payee="acc_2",
    asset="USD",
    alias=session_alias(NUMBER),
    tariff=bytes(range(32)),
    key="ed25519:k",
    purpose="GET /a",
    deposit=100,
    deposits=["pay_1", "pay_2"],
    units=0,
    sequence=0,
    voucher=b"",
    captured=0,
    unsettled=0,
    ended_by=EndedBy.NOBODY,
    ends_ns=50 * NS,
    closes_ns=90 * NS,
    created_ns=0,
    changed_ns=0,
    leaf=0,
)
DEVICE = Device(
    id="dev_1",
    owner="own_1",
    account="acc_1",
    mandate="man_1",
    name="d",
    keys=[],
    created_ns=0,
    revoked_ns=0,
)
MANDATE = Mandate(id="man_1", owner="own_1", asset="USD", name="m", zones=[ZoneChange(0, "UTC")])
PAYER = AccountRecord("acc_1", "own_1", "USD", 1, "a", "open", "", 0)
change = msgspec.structs.replace


def shown(session: Session = SESSION, now_ns: int = 0, **rows) -> Shown:
    """Show a session with its device, mandate and paying account."""
    return Shown(
        now_ns,
        (SESSIONS, session),
        (DEVICES, change(DEVICE, revoked_ns=rows.get("device", 0))),
        (MANDATES, change(MANDATE, revoked_ns=rows.get("mandate", 0))),
        (ACCOUNTS, change(PAYER, state=rows.get("payer", "open"))),
    )


def promise(
    units: int, sequence: int = 1, expiry: int = 40, ladder: Ladder | None = None
) -> Promise:
    return promised_by(Claims(SESSION.alias, units, sequence, expiry, ladder), b"raw %d" % units)


def draw(units: int, late: bool = False, **more) -> Draw:
    return Draw(SESSION.id, promise(units, **more), "own_2", late)


def problem(unit, view, kind=PaymentRefused) -> str:
    with pytest.raises(kind) as raised:
        unit.plan(view)
    return raised.value.code
