"""A mandate in sentences, as its owner would say them."""

import re
from collections.abc import Mapping
from typing import Any

from farthing.clock import write_time
from farthing.core.mandates import Mandate
from farthing.money import UNITS_MAX
from farthing.web.pages.render import Renderer

_SPAN = re.compile(r"([1-9][0-9]*)([smhd])", re.ASCII)
_LISTED_MAX = 4


def sentences(
    renderer: Renderer, mandate: Mandate, payees: Mapping[str, str] | None = None
) -> list[Any]:
    """Say what a mandate permits, the most telling first.

    Shape: texts that are safe to show; `payees` names accounts that may be named.
    """
    say, money = renderer.say, renderer.figures.markup
    if mandate.revoked_ns:
        return [say("mandate.revoked")]
    told = [
        say(
            "mandate.budget",
            limit=money(one.limit, mandate.asset),
            per=period_words(renderer, one.per),
        )
        for one in mandate.budgets
    ]
    if mandate.largest < UNITS_MAX:
        told.append(say("mandate.largest", limit=money(mandate.largest, mandate.asset)))
    if not told:
        told.append(say("mandate.unlimited"))
    told += _asking(renderer, mandate)
    if mandate.categories:
        told.append(say("mandate.categories", names=", ".join(mandate.categories[:_LISTED_MAX])))
    if mandate.payees:
        told.append(_payees(renderer, mandate, payees or {}))
    if mandate.hours:
        told.append(say("mandate.hours", hours=", ".join(mandate.hours), zone=mandate.zone))
    if mandate.expires:
        told.append(say("mandate.expires", time=write_time(mandate.expires)[:10]))
    return told


def _asking(renderer: Renderer, mandate: Mandate) -> list[Any]:
    say, money = renderer.say, renderer.figures.markup
    ask, two = mandate.ask_above, mandate.two_above
    told = [] if ask is None else [say("mandate.ask_above", limit=money(ask, mandate.asset))]
    if two is not None:
        told.append(say("mandate.two_above", limit=money(two, mandate.asset)))
    if ask is not None and mandate.on_timeout == "allow":
        told.append(say("mandate.silence" if two is None else "mandate.silence_but_two"))
    return told


def _payees(renderer: Renderer, mandate: Mandate, known: Mapping[str, str]) -> Any:
    names = list(dict.fromkeys(known.get(payee, "") for payee in mandate.payees))
    if all(names) and len(names) <= _LISTED_MAX:
        return renderer.say("mandate.only_at", names=", ".join(names))
    return renderer.say("mandate.payees", count=len(mandate.payees))


def period_words(renderer: Renderer, per: str) -> Any:
    """Say how often, such as `a day`."""
    if renderer.knows(f"per.{per}"):
        return renderer.say(f"per.{per}")
    span = _SPAN.fullmatch(per)
    if span is None:
        return per
    return renderer.say(f"per.{span[2]}", count=span[1])
