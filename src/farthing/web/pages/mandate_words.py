"""A mandate in sentences, as its owner would say them."""

import re
from typing import Any

from farthing.clock import write_time
from farthing.core.mandates import Mandate
from farthing.money import UNITS_MAX
from farthing.web.pages.render import Renderer

_SPAN = re.compile(r"([1-9][0-9]*)([smhd])", re.ASCII)
_LISTED_MAX = 4


def sentences(renderer: Renderer, mandate: Mandate) -> list[Any]:
    """Say what a mandate permits, the most telling first. Shape: texts that are safe to show."""
    say, money = renderer.say, renderer.figures.markup
    if mandate.revoked_ns:
        return [say("mandate.revoked")]
    told = [
        say("mandate.budget", limit=money(one.limit, mandate.asset), per=_per(renderer, one.per))
        for one in mandate.budgets
    ]
    if mandate.largest < UNITS_MAX:
        told.append(say("mandate.largest", limit=money(mandate.largest, mandate.asset)))
    if not told:
        told.append(say("mandate.unlimited"))
    if mandate.ask_above is not None:
        told.append(say("mandate.ask_above", limit=money(mandate.ask_above, mandate.asset)))
    if mandate.categories:
        told.append(say("mandate.categories", names=", ".join(mandate.categories[:_LISTED_MAX])))
    if mandate.payees:
        told.append(say("mandate.payees", count=len(mandate.payees)))
    if mandate.hours:
        told.append(say("mandate.hours", hours=", ".join(mandate.hours), zone=mandate.zone))
    if mandate.expires:
        told.append(say("mandate.expires", time=write_time(mandate.expires)[:10]))
    return told


def _per(renderer: Renderer, per: str) -> Any:
    if renderer.knows(f"per.{per}"):
        return renderer.say(f"per.{per}")
    span = _SPAN.fullmatch(per)
    if span is None:
        return per
    return renderer.say(f"per.{span[2]}", count=span[1])
