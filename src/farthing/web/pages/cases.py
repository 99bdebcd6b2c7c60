"""Cases, for who looks after the hub: the queue, one of them, and what somebody says it was."""

import hashlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from farthing.clock import NS
from farthing.codec import canonical_json, to_base64url
from farthing.core.accounts import ACCOUNTS
from farthing.core.cases import (
    CASES,
    REASON_CHARACTERS_MAX,
    Case,
    DecideCase,
    Standing,
    Verdict,
)
from farthing.core.devices import DEVICES
from farthing.core.flags import Flag, read_flag
from farthing.core.owners import OWNERS
from farthing.core.payments import PAYMENTS, Payment
from farthing.core.people import PEOPLE
from farthing.errors import Malformed, Missing, present
from farthing.services.cases import CaseFile, case_file
from farthing.store.cases import waiting
from farthing.store.database import Tx
from farthing.store.queries import page
from farthing.store.risk_figures import flagged
from farthing.web.api.endpoint import Reply
from farthing.web.pages.approvals import terms_act
from farthing.web.pages.confirming import confirmed
from farthing.web.pages.graph import drawn
from farthing.web.pages.place import one_line
from farthing.web.pages.visit import Visit

HERE = "/console/cases"
QUERY = {
    "state": "How far they are: open, proposed or decided.",
    "before": "Before this case.",
    "lately": "What the page of rules counts: `all`, `rule:…`, `act:…`, `would:…` or `like:…`.",
}
LISTED, DAYS = 40, 7


@dataclass(frozen=True, slots=True)
class Row:
    """A case in the queue."""

    case: Case
    payment: Payment
    flag: Flag


_Found = tuple[list[Row], dict[str, int], dict[str, str]]
"""Rows, how many wait, and names by ids."""


@dataclass(frozen=True, slots=True)
class Said:
    """What somebody is about to say of a case."""

    case: str
    verdict: Verdict
    reason: str
    anew: bool

    @property
    def told(self) -> dict[str, str]:
        """Give the fields of the form."""
        return {
            "verdict": self.verdict.value,
            "reason": self.reason,
            "anew": "yes" if self.anew else "",
        }

    def digest(self) -> str:
        """Hash the terms: what is confirmed is these, and no others."""
        terms = canonical_json({"case": self.case, **self.told})
        return to_base64url(hashlib.sha256(terms).digest())


async def cases_page(visit: Visit) -> Reply:
    """Show the queue, newest first.

    Raises: Malformed `malformed-form`.
    """
    if counted := one_line(visit.call.query.get("lately", ""), 80):
        return await _counted_page(visit, counted)
    state = visit.call.query.get("state", Standing.OPEN.value)
    if state not in set(Standing):
        raise Malformed("malformed-form", f"state is one of {', '.join(Standing)}")
    before = one_line(visit.call.query.get("before", ""), 40)

    def work(tx: Tx) -> _Found:
        cases = page(tx, CASES, {"state": state}, after=before, limit=LISTED)
        payments = tx.fetch(PAYMENTS, [case.payment for case in cases])
        rows = [_row(case, payments[case.payment]) for case in cases]
        return rows, waiting(tx), _names(tx, payments.values(), cases)

    found = await visit.call.desk.ctx.database.read(work)
    older = found[0][-1].case.id if len(found[0]) == LISTED else ""
    return _listed(visit, found, state=state, older=older)


async def _counted_page(visit: Visit, counted: str) -> Reply:
    """Show the cases that one figure of the page of rules is made of, however far they are."""
    since_ns = max(0, visit.call.desk.ctx.clock() - DAYS * 86_400 * NS)
    wanted = _wanted(counted)

    def work(tx: Tx) -> _Found:
        found = tx.fetch(CASES, flagged(tx, since_ns, wanted, LISTED))
        cases = sorted(found.values(), key=lambda case: case.id, reverse=True)
        payments = tx.fetch(PAYMENTS, [case.payment for case in cases])
        rows = [_row(case, payments[case.payment]) for case in cases]
        return rows, waiting(tx), _names(tx, payments.values(), cases)

    async with visit.call.desk.turns.turn(visit.me.person.id):
        found = await visit.call.desk.ctx.database.read(work)
    return _listed(visit, found, counted=counted)


def _wanted(counted: str) -> Callable[[Flag], bool]:
    """Read which flags one figure counts. Raises: Malformed `malformed-form`."""
    what, _, name = counted.partition(":")
    tests: dict[str, Callable[[Flag], bool]] = {
        "all": lambda _flag: True,
        "rule": lambda flag: any(one.rule == name for one in flag.reasons),
        "act": lambda flag: flag.act.value == name,
        "would": lambda flag: flag.would is not flag.act and flag.would.value == name,
        "like": lambda flag: name in flag.typologies,
    }
    if what not in tests:
        raise Malformed("malformed-form", f"lately is one of {', '.join(tests)}")
    return tests[what]


def _listed(
    visit: Visit, found: _Found, *, state: str = "", older: str = "", counted: str = ""
) -> Reply:
    rows, counts, names = found
    risk = visit.call.desk.config.risk
    return visit.page(
        "cases.html", rows=rows, counts=counts, names=names, most=LISTED, days=DAYS,
        mode=risk.mode, four_eyes=risk.four_eyes, state=state, older=older, counted=counted,
    )  # fmt: skip


async def case_page(visit: Visit) -> Reply:
    """Show a case: what was odd, what has to do with it, and what was said of it.

    Raises: Missing.
    """
    found, names = await _file(visit, visit.call.path["case"])
    flag = present(read_flag(found.payment.risk), "what has a case is flagged")
    steps = found.case.steps
    mine = found.case.state is Standing.PROPOSED and found.case.proposed_by == visit.me.person.id
    return visit.page(
        "case.html", case=found.case, payment=found.payment, flag=flag, names=names, steps=steps,
        related=found.related, graph=drawn(found, names), mine=mine, verdicts=list(Verdict),
        four_eyes=visit.call.desk.config.risk.four_eyes, most=REASON_CHARACTERS_MAX,
    )  # fmt: skip


async def check_verdict(visit: Visit, form: dict[str, str]) -> Reply:
    """Read a verdict back, before it is said.

    Raises: Malformed; Missing.
    """
    said = _read(visit, form)
    found, names = await _file(visit, said.case)
    return visit.page(
        "check_case.html", said=said, case=found.case, payment=found.payment, names=names,
        four_eyes=visit.call.desk.config.risk.four_eyes,
    )  # fmt: skip


async def decide(visit: Visit, form: dict[str, str]) -> Reply:
    """Say what a payment was, confirmed with a passkey.

    Raises: Unauthenticated `passkey-needed`; Malformed; Missing; Conflict.
    """
    said = _read(visit, form)
    four_eyes, by = visit.call.desk.config.risk.four_eyes, visit.me.person.id
    unit = DecideCase(said.case, said.verdict, said.reason, by, four_eyes, said.anew)
    await confirmed(visit, form, terms_act("decide-case", said.digest()), unit)
    return visit.go(f"{HERE}/{said.case}")


def _read(visit: Visit, form: dict[str, str]) -> Said:
    verdict = form.get("verdict", "")
    if verdict not in set(Verdict):
        raise Malformed("malformed-form", "say what it was: fraud, legitimate or unclear")
    reason = one_line(" ".join(form.get("reason", "").split()), REASON_CHARACTERS_MAX)
    if not reason:
        raise Malformed("reason-missing", "say why, in a sentence")
    return Said(visit.call.path["case"], Verdict(verdict), reason, bool(form.get("anew", "")))


async def _file(visit: Visit, ident: str) -> tuple[CaseFile, dict[str, str]]:
    def work(tx: Tx) -> tuple[CaseFile, dict[str, str]] | None:
        found = case_file(tx, ident)
        if found is None:
            return None
        payments = [found.payment, *(one.payment for one in found.related)]
        return found, _names(tx, payments, [found.case])

    read = await visit.call.desk.ctx.database.read(work)
    if read is None:
        raise Missing("no-such-case", "there is no such case here")
    return read


def _row(case: Case, payment: Payment) -> Row:
    return Row(case, payment, present(read_flag(payment.risk), "what has a case is flagged"))


def _names(tx: Tx, payments: Iterable[Payment], cases: Iterable[Case]) -> dict[str, str]:
    """Name devices, payees, and people who have said something, by their ids."""
    rows = list(payments)
    names = {ident: one.name for ident, one in tx.fetch(
        DEVICES, list({row.device for row in rows})
    ).items()}  # fmt: skip
    accounts = tx.fetch(ACCOUNTS, list({row.payee for row in rows}))
    owners = tx.fetch(OWNERS, list({row.payee_owner for row in rows}))
    for row in rows:
        account, owner = accounts.get(row.payee), owners.get(row.payee_owner)
        names[row.payee] = (owner.name if owner else "") or (account.name if account else "")
    by = {step.by for case in cases for step in case.steps}
    names |= {ident: one.name for ident, one in tx.fetch(PEOPLE, list(by)).items()}
    return {ident: name for ident, name in names.items() if name}
