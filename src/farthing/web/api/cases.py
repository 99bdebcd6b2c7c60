"""Cases: what was flagged or stopped, for who looks after the hub to decide."""

from farthing.clock import write_time_ns
from farthing.core.cases import CASES, Case, DecideCase, Standing, Verdict
from farthing.errors import Malformed, Missing
from farthing.services.cases import CaseFile, Related, case_file
from farthing.services.payments import shown_state
from farthing.store.queries import page
from farthing.web.api import answers, bodies
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import PAGED, cursor_of, limit_of, listed
from farthing.web.api.owners import OPERATOR
from farthing.web.api.shapes import show_payment_to

_FILTERS = ("state", "verdict", "device", "payee", "owner")


def show_case(case: Case) -> answers.CaseAnswer:
    """Write a case."""
    return {
        "id": case.id,
        "payment": case.payment,
        "owner": case.owner,
        "device": case.device,
        "payee": case.payee,
        "state": case.state.value,
        "verdict": case.verdict or None,
        "proposed_by": case.proposed_by or None,
        "decided_by": case.decided_by or None,
        "opened_at": write_time_ns(case.opened_ns),
        "changed_at": write_time_ns(case.changed_ns),
        "steps": [
            {
                "state": step.state.value,
                "verdict": step.verdict.value,
                "reason": step.reason,
                "by": step.by,
                "at": write_time_ns(step.at_ns),
            }
            for step in case.steps
        ],
    }


def _show_related(related: Related, now_ns: int) -> answers.RelatedAnswer:
    payment, case = related.payment, related.case
    return {
        "payment": payment.id,
        "by": related.by,
        "device": payment.device,
        "payee": payment.payee,
        "asset": payment.asset,
        "amount": str(payment.amount),
        "state": shown_state(payment, now_ns).value,
        "created_at": write_time_ns(payment.created_ns),
        "case": case.id if case else None,
        "verdict": (case.verdict or None) if case else None,
    }


def _show_file(call: Call, found: CaseFile) -> answers.CaseFileAnswer:
    now_ns = call.desk.ctx.clock()
    return {
        **show_case(found.case),
        "of": show_payment_to(found.payment, now_ns, call.asker),
        "related": [_show_related(one, now_ns) for one in found.related],
    }


async def list_cases(call: Call) -> Reply:
    """List cases, newest first."""
    where = {name: call.query[name] for name in _FILTERS if name in call.query}
    if where.get("state", "open") not in set(Standing):
        raise Malformed("invalid-filter", f"state is one of {', '.join(Standing)}")
    if where.get("verdict", "fraud") not in set(Verdict):
        raise Malformed("invalid-filter", f"verdict is one of {', '.join(Verdict)}")
    limit, after = limit_of(call), cursor_of(call, "cas")
    rows = await call.desk.ctx.database.read(
        lambda tx: page(tx, CASES, where, after=after, limit=limit)
    )
    return listed([show_case(row) for row in rows], limit)


async def show_one(call: Call) -> Reply:
    """Show a case with its payment, and the payments that have to do with it."""
    ident = call.path["case"]
    found = await call.desk.ctx.database.read(lambda tx: case_file(tx, ident))
    if found is None:
        raise Missing("no-such-case", "there is no such case here")
    return Reply(_show_file(call, found))


async def decide(call: Call) -> Reply:
    """Say what a payment was; where it takes two, the first one proposes."""
    body = call.body(bodies.VerdictBody)
    unit = DecideCase(
        call.path["case"],
        Verdict(body.verdict),
        body.reason,
        call.asker.name,
        four_eyes=call.desk.config.risk.four_eyes,
        anew=body.anew,
    )
    return await call.once(unit, show_case)


ENDPOINTS = [
    Endpoint(
        "GET",
        "/v1/cases",
        "list_cases",
        "List cases: payments that were flagged or stopped",
        list_cases,
        scopes=OPERATOR,
        query={
            "state": "only open, proposed or decided ones",
            "verdict": "only those said to be fraud, legitimate or unclear",
            "device": "only of this device",
            "payee": "only of payments to this account",
            "owner": "only of this owner's payments",
            **PAGED,
        },
        answer=answers.Page[answers.CaseAnswer],
    ),
    Endpoint(
        "GET",
        "/v1/cases/{case}",
        "show_case",
        "Show a case, and the payments that have to do with it",
        show_one,
        scopes=OPERATOR,
        answer=answers.CaseFileAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/cases/{case}/decide",
        "decide_case",
        "Say what a flagged payment was",
        decide,
        scopes=OPERATOR,
        body=bodies.VerdictBody,
        answer=answers.CaseAnswer,
    ),
]
