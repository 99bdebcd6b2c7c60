"""A flag: what was judged of an order that deserves a look, as its payment's record has it.

The record is stated by its digest, so the history covers the flag; the payer's owner is told of it
by an event of its own, and who looks after the hub has a case of it. The payee learns at most that
an order was refused.
"""

from collections.abc import Sequence
from functools import lru_cache
from typing import TypeVar

import msgspec

from farthing.core.cases import CASES, opened
from farthing.core.decisions import Outcome, Plan, View
from farthing.core.events import EVENTS, PER_LEAF, Event, Kind
from farthing.core.facts import body_of
from farthing.core.judgements import Act, Judgement, Reason
from farthing.core.ledger import TransferResult
from farthing.core.payments import Authorised, Payment
from farthing.core.records import Write

T = TypeVar("T")


class Flag(msgspec.Struct, frozen=True):
    """What was judged. Shape: as a `Judgement` says it."""

    act: Act
    would: Act
    typologies: tuple[str, ...]
    reasons: tuple[Reason, ...]


_encode = msgspec.json.Encoder().encode
_decode = msgspec.json.Decoder(Flag).decode


def write_flag(judgement: Judgement) -> str:
    """Write what was judged as a payment's record keeps it; nothing where nothing is odd."""
    if judgement.would is Act.ALLOW:
        return ""
    typologies, reasons = tuple(judgement.typologies), tuple(judgement.reasons)
    return _encode(Flag(judgement.act, judgement.would, typologies, reasons)).decode()


@lru_cache(maxsize=4096)
def read_flag(text: str) -> Flag | None:
    """Read what a payment's record keeps of what was judged."""
    return _decode(text) if text else None


def flagged_by(payment: Payment) -> Sequence[str]:
    """Name the typologies that a payment was flagged by."""
    flag = read_flag(payment.risk)
    return flag.typologies if flag is not None else ()


def telling(
    view: View, planned: Plan[Authorised] | Outcome[Authorised], payment: Payment
) -> Plan[Authorised] | Outcome[Authorised]:
    """Tell the payer's owner of a flagged order, and open its case, whatever else becomes of it."""
    if isinstance(planned, Outcome):
        return _told(view, planned, payment)
    then = planned.then

    def and_tell(results: list[list[TransferResult]]) -> Outcome[Authorised]:
        return _told(view, then(results), payment)

    return Plan(and_tell, planned.accounts, planned.chains)


def _told(view: View, outcome: Outcome[Authorised], payment: Payment) -> Outcome[Authorised]:
    if outcome.answer.payment.id != payment.id:
        return outcome  # It is answered as its equal was, of which its owner was told.
    number = view.leaf * PER_LEAF + sum(write.table is EVENTS for write in outcome.writes)
    event = Event(
        number, payment.owner, Kind.PAYMENT_FLAGGED.value, payment.id, view.now_ns, _body(payment)
    )
    writes = [*outcome.writes, Write(EVENTS, event), Write(CASES, opened(payment))]
    return Outcome(outcome.answer, writes, outcome.subject, outcome.statement)


def _body(payment: Payment) -> dict[str, str]:
    flag = _decode(payment.risk)
    return body_of(
        amount=payment.amount,
        asset=payment.asset,
        device=payment.device,
        payee=payment.payee,
        act=flag.act.value,
        would=flag.would.value,
        typologies=", ".join(flag.typologies),
        rules=", ".join(reason.rule for reason in flag.reasons),
        reasons="; ".join(reason.said for reason in flag.reasons),
    )
