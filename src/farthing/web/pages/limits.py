"""Changing what a device may spend: sentences with fields in them, tried on the last thirty days.

Narrowing takes effect by itself; what widens is confirmed with a passkey, over the very terms.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any

import msgspec

from farthing import ids
from farthing.clock import write_time
from farthing.codec import canonical_json, to_base64url
from farthing.core.agreeing import ProposeMandate
from farthing.core.foreseen import Foreseen, foresee
from farthing.core.lines import loosens
from farthing.core.mandates import BUDGETS_MAX, Budget, Mandate, SetMandate
from farthing.core.periods import check_hours
from farthing.core.widening import widens
from farthing.errors import Conflict, Malformed, Missing, Unauthenticated
from farthing.money import UNITS_MAX
from farthing.web.api.endpoint import Reply
from farthing.web.pages.approvals import terms_act
from farthing.web.pages.book import Machine
from farthing.web.pages.forms import proof_of
from farthing.web.pages.mandate_words import period_words, sentences
from farthing.web.pages.orders_made import OrdersMade
from farthing.web.pages.place import one_line
from farthing.web.pages.typed import LINE_MAX, day_typed, list_typed, units_typed
from farthing.web.pages.visit import Visit, need_guardian
from farthing.web.pages.wallet import book_of

PERIODS = ("day", "week", "month")
_TEXTS = ("more", "per", "largest", "ask_above", "two_above", "on_timeout", "expires")
_LISTS = ("categories", "hours")
_MARKS_MAX = 40
_TWO = 2


@dataclass(frozen=True, slots=True)
class Change:
    """What a mandate is, and what it is to be. Shape: `told` are the fields as they were typed."""

    machine: Machine
    wanted: Mandate
    told: dict[str, str]

    @property
    def widens(self) -> bool:
        """Whether it allows anything that it did not."""
        return widens(self.machine.mandate, self.wanted)

    @property
    def takes_two(self) -> bool:
        """Whether another person has to agree: one alone could approve what two had to."""
        return loosens(self.machine.mandate.two_above, self.wanted.two_above)

    def digest(self) -> str:
        """Hash what is to be: what is confirmed is this, and nothing else."""
        terms = [self.wanted.id, str(self.machine.mandate.revision), self.told]
        return to_base64url(hashlib.sha256(canonical_json(terms)).digest())


async def limits_page(visit: Visit) -> Reply:
    """Show the sentence with its fields, as the mandate has them."""
    machine = await _machine(visit)
    made = OrdersMade(visit.call.desk.ctx, visit.me.person.owner)
    payees = {payee: payee for payee in machine.mandate.payees} | dict(await made.payees())
    return visit.page(
        "limits.html",
        machine=machine,
        per=partial(period_words, visit.renderer),
        periods=[one for one in PERIODS if one not in {b.name for b in machine.mandate.budgets}],
        payees=payees,
        unlimited=UNITS_MAX,
        until=write_time(machine.mandate.expires)[:10] if machine.mandate.expires else "",
        **await _tried(visit, machine, machine.mandate),
    )


async def preview(visit: Visit, form: dict[str, str]) -> Reply:
    """Show what the typed limits would have done, for the page's script."""
    change = await _read(visit, form)
    return visit.page("preview.html", **await _tried(visit, change.machine, change.wanted))


async def check_limits(visit: Visit, form: dict[str, str]) -> Reply:
    """Read the new limits back, before anything is changed.

    Raises: Malformed; Missing.
    """
    change = await _read(visit, form)
    tried = await _tried(visit, change.machine, change.wanted)
    return visit.page("check_limits.html", change=change, **tried)


async def set_limits(visit: Visit, form: dict[str, str]) -> Reply:
    """Set the limits, with a passkey where they allow more than before.

    Shape:  what takes two people is kept until another one agrees.

    Raises: Unauthenticated `passkey-needed`; Conflict `mandate-changed`; Malformed; Missing.
    """
    change = await _read(visit, form)
    ctx, owner = visit.call.desk.ctx, visit.me.person.owner
    before = change.machine.mandate
    revision = before.revision
    unit: Any = SetMandate(change.wanted, owner, ctx.fresh(), creates=False, revision=revision)
    if change.takes_two:
        unit = ProposeMandate(change.wanted, visit.me.person.id, revision)
    if change.widens:
        need_guardian(visit)
        proof = proof_of(form)
        if proof is None:
            raise Unauthenticated("passkey-needed", "confirm this with your passkey")
        people, act = visit.call.desk.people, terms_act("change-limits", change.digest())
        unit = await people.confirmed(visit.site, visit.me, act, proof, unit)
    await ctx.books.commit_one(unit, owner)
    return visit.go(f"/wallet/devices/{change.machine.device.id}")


async def _machine(visit: Visit) -> Machine:
    machine = await book_of(visit).machine(visit.call.path["device"])
    if machine is None or machine.device.revoked_ns or machine.mandate.revoked_ns:
        raise Missing("no-such-device", "there is no such device here")
    return machine


async def _tried(visit: Visit, machine: Machine, mandate: Mandate) -> dict[str, Any]:
    """Say what a mandate allows, and what it would have done lately with all that are under it."""
    machines = await book_of(visit).machines()
    under = [one for one in machines if one.mandate.id == mandate.id]
    made = OrdersMade(visit.call.desk.ctx, visit.me.person.owner)
    orders = await made.of([one.device.id for one in under])
    foreseen: Foreseen = foresee(mandate, orders)
    others = [
        one.device.name or one.device.id
        for one in under
        if one.device.id != machine.device.id and not one.device.revoked_ns
    ]
    told = sentences(visit.renderer, mandate, await made.payees())
    alone = mandate.two_above is not None and await book_of(visit).guardians() < _TWO
    return {"sentences": told, "foreseen": foreseen, "others": others, "alone": alone}


async def _read(visit: Visit, form: Mapping[str, str]) -> Change:
    machine = await _machine(visit)
    before = machine.mandate
    if form.get("revision") != str(before.revision):
        raise Conflict("mandate-changed", "it was changed meanwhile; look at it again")
    told = _told(form, len(before.budgets))
    wanted = msgspec.structs.replace(
        before,
        proposed="",
        largest=_limit(visit, told["largest"], before.asset),
        budgets=_budgets(visit, told, before),
        ask_above=units_typed(visit, told["ask_above"], before.asset),
        two_above=units_typed(visit, told["two_above"], before.asset),
        on_timeout="allow" if told["on_timeout"] == "allow" else "refuse",
        categories=list_typed(told["categories"]),
        hours=[check_hours(span) for span in list_typed(told["hours"])],
        expires=_expires(told["expires"], before.expires),
        payees=_payees(told),
    )
    return Change(machine, wanted, told)


def _told(form: Mapping[str, str], budgets: int) -> dict[str, str]:
    names = [*_TEXTS, *(f"budget.{i}" for i in range(budgets))]
    told = {name: one_line(form.get(name, ""), LINE_MAX) for name in names}
    told |= {name: form.get(name, "").strip() for name in _LISTS}
    marks = sorted(name for name in form if name.startswith("payee."))
    if len(marks) > _MARKS_MAX or any(len(name) > LINE_MAX for name in marks):
        raise Malformed("malformed-form", "these are not payees that were offered")
    return told | dict.fromkeys(marks, "on") | {"revision": form["revision"]}


def _budgets(visit: Visit, told: Mapping[str, str], before: Mandate) -> Sequence[Budget]:
    found: list[Budget] = []
    for i, budget in enumerate(before.budgets):
        limit = units_typed(visit, told[f"budget.{i}"], before.asset)
        if limit is not None:
            found.append(msgspec.structs.replace(budget, limit=limit))
    more = units_typed(visit, told["more"], before.asset)
    if more is not None:
        per = told["per"]
        if per not in PERIODS or per in {budget.name for budget in found}:
            raise Malformed("malformed-form", "a further limit is for another period")
        found.append(Budget(name=per, per=per, limit=more))
    if len(found) > BUDGETS_MAX:
        raise Malformed("malformed-form", f"a mandate has at most {BUDGETS_MAX} budgets")
    return found


def _payees(told: Mapping[str, str]) -> list[str]:
    found = [name.removeprefix("payee.") for name in told if name.startswith("payee.")]
    for payee in found:
        ids.number("acc", payee)  # Malformed where it is no account's id.
    return found


def _limit(visit: Visit, text: str, asset: str) -> int:
    units = units_typed(visit, text, asset)
    return UNITS_MAX if units is None else units


def _expires(text: str, before: int) -> int:
    """Read the last day; one that was not touched keeps its hour."""
    unchanged = before and text == write_time(before)[:10]
    return before if unchanged else day_typed(text)
