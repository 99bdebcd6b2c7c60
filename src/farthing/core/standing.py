"""What a device may do as things stand: worked out once, and good until its records change.

Nearly every charge meets the same records as the one before it. What follows from them alone, and
from the quarter of an hour, is kept here, so that a charge looks only at what is its own.
"""

import msgspec

from farthing import ids
from farthing.clock import NS
from farthing.core.accounts import AccountRecord
from farthing.core.devices import Device
from farthing.core.mandates import BudgetLine, Mandate, budget_line
from farthing.core.periods import period_at

_QUARTER_SECONDS = 900
"""Within a quarter of an hour no zone's local date changes but at its beginning."""


class Standing(msgspec.Struct, frozen=True):
    """A device, its mandate and its account, as records that hold together.

    Units: good from `since` until before `until`, whole Unix seconds.
    Shape: `lines` are the accounts of all budgets, each beside its budget.
    """

    device: Device
    mandate: Mandate
    payer: AccountRecord
    key: str
    account: int
    lines: tuple[BudgetLine, ...]
    since: int
    until: int


def standing_of(
    device: Device, mandate: Mandate, payer: AccountRecord, now_ns: int
) -> Standing | None:
    """Work out what these records allow without looking further; None where one must look.

    Shape: budgets and lists that count some payees or categories only, hours, changed zones, keys
           that are being rotated and owners who want to be asked are looked at each time.
    """
    now = now_ns // NS
    key = device.keys[0]
    plain = not (
        device.revoked_ns or mandate.revoked_ns or payer.state != "open"
        or key.until_ns or key.from_ns > now_ns or len(mandate.zones) > 1
        or mandate.payees or mandate.categories or mandate.hours
        or any(budget.payees or budget.categories for budget in mandate.budgets)
    )  # fmt: skip
    since, until = _good_for(mandate, now)
    if not plain or now >= until:
        return None
    lines = [budget_line(mandate, budget, payer.ledger, now) for budget in mandate.budgets]
    names = {ident for line in lines for ident in (line.available, line.spent)}
    if len(names) < 2 * len(lines):
        return None
    account = ids.number("acc", payer.id)
    return Standing(device, mandate, payer, key.public, account, tuple(lines), since, until)


def _good_for(mandate: Mandate, now: int) -> tuple[int, int]:
    since = now - now % _QUARTER_SECONDS
    until = since + _QUARTER_SECONDS
    for budget in mandate.budgets:
        period = period_at(budget.per, mandate.zones, now)
        since, until = max(since, period.start), min(until, period.end)
    return since, min(until, mandate.expires) if mandate.expires else until
