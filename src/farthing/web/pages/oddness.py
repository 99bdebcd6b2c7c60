"""What was odd about a payment, in the language of who reads it.

A reason is kept in English, as its rule said it: it belongs to the payment's record. What built-in
rules say is said anew here, with the numbers that stand in it; a rule of one's own, and what an
older or newer version said otherwise, is shown as it was written.
"""

import re
from collections.abc import Callable, Sequence
from typing import Any

from farthing.core.flags import read_flag
from farthing.core.judgements import Act, Reason
from farthing.core.payments import Payment

_NUMBER = re.compile(r"\d+")
_LISTED = re.compile(r"this (seller|device|place)\b")


def oddness(say: Callable[..., Any], knows: Callable[[str], bool], reason: Reason) -> Any:
    """Say what a rule said."""
    name = f"odd.{reason.rule}"
    if listed := _LISTED.match(reason.said) if reason.rule == "listed" else None:
        name += f".{listed[1]}"
    if not knows(name):
        return reason.said
    parts = {f"n{at}": number for at, number in enumerate(_NUMBER.findall(reason.said))}
    try:
        return say(name, **parts)
    except KeyError:  # It has fewer numbers than we know of: another version has said it.
        return reason.said


def stopped_for(payment: Payment) -> Sequence[Reason]:
    """Give the reasons for which rules asked its owner about a payment, or refused it."""
    flag = read_flag(payment.risk)
    if flag is None or flag.act is Act.ALLOW:
        return ()
    return [reason for reason in flag.reasons if reason.acts]
