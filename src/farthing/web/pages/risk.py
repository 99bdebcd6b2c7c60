"""Rules, for who looks after the hub: how each is set, what it said lately, and was it right.

Beside them how models stand, and rules tried on the past: the orders that the books have go through
the code that judges, in steps, while the hub goes on.
"""

import tomllib
from dataclasses import dataclass
from typing import Any

from farthing.clock import NS
from farthing.errors import BadConfig, Conflict, FarthingError, Malformed
from farthing.risk.drift import said
from farthing.risk.settings import ladder, read_settings, risk_of, rule_names, scores
from farthing.services.backtest import Rules
from farthing.services.model_shelf import ROLES, Shelf, shelf_of
from farthing.services.scorers import FIRST, FIRST_ROWS_MIN
from farthing.services.standing_models import standing_models
from farthing.services.trials import DAYS_MAX, ORDERS_MAX, Asked
from farthing.services.trying import Candidate, broken, promoted
from farthing.settings import RiskSettings
from farthing.store.risk_figures import Lately, Spoken, lately
from farthing.web.api.endpoint import Reply
from farthing.web.pages.cases import DAYS
from farthing.web.pages.visit import Visit

HERE = "/console/risk"
RULES_CHARACTERS_MAX = 4000


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule as it is set. Shape: `says` is what one's own says; `spoken` is what it came to."""

    name: str
    state: str
    says: str
    spoken: Spoken


async def risk_page(visit: Visit) -> Reply:
    """Show the rules."""
    return await _page(visit)


async def tried_part(visit: Visit) -> Reply:
    """Show how far a trial is, for the page's script."""
    return visit.page("tried.html", **_tried(visit))


async def try_rules(visit: Visit, form: dict[str, str]) -> Reply:
    """Begin to try rules on the past; what cannot be meant is read back with what is wrong.

    Raises: Malformed `malformed-form`.
    """
    days, text = _days(form.get("days", "")), form.get("rules", "")
    if len(text) > RULES_CHARACTERS_MAX:
        raise Malformed("malformed-form", f"rules have {RULES_CHARACTERS_MAX} characters at most")
    desk = visit.call.desk
    asked = Asked(visit.me.person.id, desk.ctx.now_s(), days, text.strip())
    try:
        settings = read_rules(text) if text.strip() else desk.config.risk
        rules = Rules(risk_of(settings), await _who(visit), ladder(settings))
        desk.trials.start(asked, rules)
    except Conflict:
        return visit.go(f"{HERE}#tried")  # What runs is what is shown.
    except FarthingError as fault:
        return await _page(visit, status=422, wrong=fault.detail, written=text, chosen=days)
    return visit.go(f"{HERE}#tried")


def read_rules(text: str) -> RiskSettings:
    """Read `[risk]` as it stands in a hub's configuration.

    Raises: BadConfig.
    """
    try:
        told = tomllib.loads(text.replace("\r\n", "\n"))
    except (tomllib.TOMLDecodeError, RecursionError) as fault:
        raise BadConfig("config-unreadable", str(fault)) from None
    if set(told) != {"risk"}:
        raise BadConfig("config-invalid", "write [risk], [risk.rules.NAME] and the like, no more")
    return read_settings(told["risk"])


async def _page(visit: Visit, *, status: int = 200, **told: Any) -> Reply:
    desk, shelf = visit.call.desk, _shelf(visit)
    since_ns = max(0, desk.ctx.clock() - DAYS * 86_400 * NS)
    async with desk.turns.turn(visit.me.person.id):
        found, models = await desk.ctx.database.read(
            lambda tx: (lately(tx, since_ns), standing_models(shelf, desk.scorers))
        )
    settings = desk.config.risk
    return visit.page(
        "risk.html", status=status, mode=settings.mode, rules=_shown(settings, found),
        found=found, days=DAYS, models=models, scores=scores(settings),
        seen=desk.scorers.seen if desk.scorers else 0, seen_min=FIRST_ROWS_MIN, first=FIRST,
        drift=said, days_max=DAYS_MAX, most=RULES_CHARACTERS_MAX, orders_max=ORDERS_MAX,
        **{"wrong": "", "written": "", "chosen": 30, **told}, **_tried(visit),
    )  # fmt: skip


def _tried(visit: Visit) -> dict[str, Any]:
    return {"trial": visit.call.desk.trials.last(), "ns": NS}


def _days(text: str) -> int:
    if not (text.isascii() and text.isdecimal() and 1 <= int(text[:4]) <= DAYS_MAX):
        raise Malformed("malformed-form", f"days are a number from 1 to {DAYS_MAX}")
    return int(text)


def _shelf(visit: Visit) -> Shelf:
    desk = visit.call.desk
    return shelf_of(desk.config, desk.ctx.identity.certificates.__contains__)


async def _who(visit: Visit) -> list[Candidate]:
    """Give who scores here, or who would: those that were promoted."""
    desk, shelf = visit.call.desk, _shelf(visit)
    scorers = desk.scorers
    if scorers is None or not (scorers.by_role or scorers.faults):
        return await desk.ctx.database.read(lambda _: promoted(shelf))
    # Copied at once: the thread that scores may take one off.
    good = [Candidate(role, one.name, one.rank) for role, one in list(scorers.by_role.items())]
    bad = [broken(role, "", why) for role, why in list(scorers.faults.items())]
    return sorted([*good, *bad], key=lambda one: ROLES.index(one.role))


def _shown(settings: RiskSettings, found: Lately) -> list[Shown]:
    """Give the rules that there are, those that spoke most first."""
    told = {name: settings.rules.get(name, {}) for name in rule_names()} | settings.own
    rules = [
        Shown(
            name,
            _state(settings.mode, str(terms.get("state", "on"))),
            str(terms.get("says", "")),
            found.rules.get(name, Spoken()),
        )
        for name, terms in told.items()
    ]
    return sorted(rules, key=lambda one: (-one.spoken.count, one.name))


def _state(mode: str, own: str) -> str:
    """Tell what a rule does under the hub's mode."""
    if mode == "off" or own == "off":
        return "off"
    return "shadow" if mode == "shadow" else own
