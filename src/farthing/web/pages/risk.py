"""Rules, for who looks after the hub: how each is set, what it said lately, and was it right."""

from dataclasses import dataclass

from farthing.clock import NS
from farthing.risk.settings import rule_names
from farthing.settings import RiskSettings
from farthing.store.risk_figures import Lately, Spoken, lately
from farthing.web.api.endpoint import Reply
from farthing.web.pages.cases import DAYS
from farthing.web.pages.visit import Visit


@dataclass(frozen=True, slots=True)
class Shown:
    """A rule as it is set. Shape: `says` is what one's own says; `spoken` is what it came to."""

    name: str
    state: str
    says: str
    spoken: Spoken


async def risk_page(visit: Visit) -> Reply:
    """Show the rules."""
    desk = visit.call.desk
    since_ns = max(0, desk.ctx.clock() - DAYS * 86_400 * NS)
    async with desk.turns.turn(visit.me.person.id):
        found = await desk.ctx.database.read(lambda tx: lately(tx, since_ns))
    settings = desk.config.risk
    return visit.page(
        "risk.html", mode=settings.mode, rules=_shown(settings, found), found=found, days=DAYS
    )


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
