"""`farthing risk models`: what has been trained, on what, how good it is, and who scores."""

import asyncio
from collections.abc import Callable, Iterator, Sequence
from typing import Annotated, Any, TypeVar

import typer

from farthing.cli.options import ConfigOption
from farthing.clock import NS, system_clock, write_time
from farthing.config import load_config
from farthing.core.identity import CERTIFICATES, certificate_fault
from farthing.errors import Malformed
from farthing.opening import key_ring, open_to_read
from farthing.risk.drift import SCORE, SOME, drifts, said
from farthing.risk.kept import Kept
from farthing.risk.known import DAY
from farthing.risk.training import Kind, Seen, train, worth
from farthing.services.learning import ROWS_MAX, SOURCES, late, seen
from farthing.services.model_shelf import ROLES, Role, Roles, Shelf, shelf_of
from farthing.services.trying import Candidate, promoted
from farthing.settings import Config
from farthing.store.database import Tx
from farthing.store.labels import Source
from farthing.store.mapping import mapping
from farthing.store.migrate import check_current
from farthing.terminal.frame import command
from farthing.terminal.tables import columns
from farthing.threads import Threads

models_app = typer.Typer(
    help="Models that score orders once they are answered.", no_args_is_help=True
)

T = TypeVar("T")

_ALERT = 99_900
_BAR = 20

DaysOption = Annotated[
    int, typer.Option(min=1, max=3650, help="Look at the orders of so many days.")
]
NameArgument = Annotated[str, typer.Argument(help="A model, as `list` names it.")]


def _listed(told: Any) -> Iterator[str]:
    if not told["models"]:
        yield "no models yet; until one is promoted a hub makes a detector of what it sees"
    yield from columns(
        [one["name"], one["role"], one["made"], f"{one['rows']:,}", f"{one['bad']:,}",
         _worth(one["measured"]), one["fault"]]
        for one in told["models"]
    )  # fmt: skip
    if told["fault"]:
        yield f"nobody scores: {told['fault']}"


def _worth(told: Any) -> str:
    return ", ".join(f"{name} {value:.3f}" for name, value in told.items())


@command(models_app, "list", lines=_listed)
async def list_models(*, config: ConfigOption = None) -> Any:
    """List the models: who scores, what each was trained on, and how good it was then.

    Example: farthing risk models list
    """
    loaded = load_config(config)
    shelf = await _shelf(loaded)
    fault, roles = "", Roles(0)
    try:
        roles = shelf.roles()
    except Malformed as raised:
        fault = str(raised)
    models = [_told(one.name, one.kept, one.fault, _role(roles, one.name)) for one in shelf.all()]
    return {"models": models, "fault": fault}


def _told(name: str, kept: Kept | None, fault: str, role: str) -> dict[str, Any]:
    card = kept.card if kept is not None else None
    return {
        "name": name,
        "role": role,
        "made": write_time(card.made) if card else "",
        "since": write_time(card.since) if card else "",
        "until": write_time(card.until) if card else "",
        "rows": card.rows if card else 0,
        "bad": card.bad if card else 0,
        "labels": dict(card.labels) if card else {},
        "measured": dict(card.measured) if card else {},
        "versions": dict(card.versions) if card else {},
        "fault": fault,
    }


def _role(roles: Roles, name: str) -> str:
    held = [role for role in ROLES if (who := getattr(roles, role)) and who.name == name]
    return held[0] if held else ""


def _trained(told: Any) -> Iterator[str]:
    yield f"{told['name']}: {told['rows']:,} orders, {told['bad']:,} of them told to be bad"
    if told["measured"]:
        yield f"on the last third, learned from the rest: {_worth(told['measured'])}"
    yield f"have it score: farthing risk models promote {told['name']}"


@command(models_app, "train", lines=_trained)
async def train_model(
    *,
    kind: Annotated[
        Kind, typer.Option(help="`detector` needs no labels; `learned` does, and farthing[risk].")
    ] = "detector",
    days: DaysOption = 60,
    refunds: Annotated[
        bool, typer.Option("--refunds", help="Take what was given back for bad as well.")
    ] = False,
    config: ConfigOption = None,
) -> Any:
    """Train a model on past orders and on what owners and cases said of them.

    What owners denied, and cases decided, are its labels. A learned model leaves the last week out,
    of which labels may still come. A hub may run beside it; nothing scores before it is promoted.

    Example: farthing risk models train --kind learned --days 90
    """
    loaded, now = load_config(config), system_clock() // NS
    until = late(now) if kind == "learned" else now + DAY
    found = await _seen(loaded, now - days * DAY, until, _sources(refunds=refunds))
    shelf = await _shelf(loaded)
    kept = train(kind, found, now)
    return _told(shelf.add(kept), kept, "", "")


def _sources(*, refunds: bool) -> list[Source]:
    return [*SOURCES, "refunded"] if refunds else [*SOURCES]


def _compared(told: Any) -> Iterator[str]:
    yield f"{told['orders']:,} orders, {told['bad']:,} of them told to be bad"
    yield from columns(
        (
            [one["name"], one["role"], f"{one['alerts']:,}", f"{one['alerts_bad']:,}",
             _worth(one["measured"])]
            for one in told["models"]
        ),
        right=(2, 3),
        heads=("model", "role", "alerts", "of them bad", ""),
    )  # fmt: skip
    yield f"alerts that all of them have: {told['alerts_of_all']:,}"


@command(models_app, "compare", lines=_compared)
async def compare_models(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models; without, champion and challenger.")
    ] = None,
    *,
    days: DaysOption = 30,
    config: ConfigOption = None,
) -> Any:
    """Have models score the same past orders, and say how well each finds what was told to be bad.

    An alert is a score above that of 999 in 1,000 orders that a model was trained on.

    Example: farthing risk models compare --days 30
    """
    loaded, now = load_config(config), system_clock() // NS
    shelf = await _shelf(loaded)
    roles = shelf.roles()
    wanted = names or [who.name for role in ROLES if (who := getattr(roles, role))]
    models = {name: shelf.get(name) for name in wanted}
    found = await _seen(loaded, now - days * DAY, now + DAY, SOURCES)
    alerts = {name: _alerts(kept, found) for name, kept in models.items()}
    return {
        "orders": len(found),
        "bad": sum(found.bad),
        "models": [
            {
                "name": name,
                "role": _role(roles, name),
                "alerts": len(alerts[name]),
                "alerts_bad": sum(found.bad[at] for at in alerts[name]),
                "measured": _measured(kept, found),
            }
            for name, kept in models.items()
        ],
        "alerts_of_all": _shared(list(alerts.values())),
    }


def _alerts(kept: Kept, found: Seen) -> set[int]:
    rank = kept.ranker()
    return {at for at, traits in enumerate(found.table) if rank(traits) >= _ALERT}


def _shared(alerts: Sequence[set[int]]) -> int:
    return sum(all(at in one for one in alerts) for at in alerts[0]) if alerts else 0


def _measured(kept: Kept, found: Seen) -> dict[str, float]:
    if not 0 < sum(found.bad) < len(found):
        return {}
    return worth(kept.model, found.table, found.bad)


def _roles_told(told: Any) -> Iterator[str]:
    for role in ROLES:
        yield f"{role}: {told[role] or 'nobody'}"


@command(models_app, "promote", lines=_roles_told)
async def promote_model(
    name: NameArgument,
    *,
    challenger: Annotated[
        bool, typer.Option("--challenger", help="Score beside the champion; only record it.")
    ] = False,
    config: ConfigOption = None,
) -> Any:
    """Have a model score from here on: as the champion, or beside it as its challenger.

    It is signed with the hub's key; a running hub takes it on within a second or two.

    Example: farthing risk models promote detector-0a1b2c3d4e5f --challenger
    """
    loaded = load_config(config)
    shelf = await _shelf(loaded)
    role: Role = "challenger" if challenger else "champion"
    return _who(shelf.give(role, name, key_ring(loaded).signing(), system_clock))


@command(models_app, "retire", lines=_roles_told)
async def retire_model(name: NameArgument, *, config: ConfigOption = None) -> Any:
    """Have a model score no more; its file stays.

    Example: farthing risk models retire detector-0a1b2c3d4e5f
    """
    loaded = load_config(config)
    shelf = await _shelf(loaded)
    return _who(shelf.retire(name, key_ring(loaded).signing(), system_clock))


def _who(roles: Roles) -> dict[str, str]:
    return {role: who.name if (who := getattr(roles, role)) else "" for role in ROLES}


def drift_lines(told: Any) -> Iterator[str]:
    """Show drift as a table: each trait with its index, as a bar and as a word."""
    yield f"{told['model']}: {told['orders']:,} orders of {told['days']} days"
    rows = sorted(told["drift"].items(), key=lambda pair: -pair[1])
    yield from columns(
        ([name, f"{index:.3f}", "▇" * round(min(1, index) * _BAR), said(index)]
         for name, index in rows),
        right=(1,),
        heads=("trait", "index", "", "drift"),
    )  # fmt: skip
    if told["drift"].get(SCORE, 0) >= SOME:
        yield "what it scores has changed: train another, and compare the two"


async def drift_report(name: str, days: int, config: Any) -> Any:
    """Hold the orders of the last days against what a model was trained on."""
    loaded, now = load_config(config), system_clock() // NS
    shelf = await _shelf(loaded)
    champion = shelf.roles().champion
    wanted = name or (champion.name if champion else "")
    if not wanted:
        raise Malformed("model-unnamed", "nobody was promoted; name a model")
    kept = shelf.get(wanted)
    found = await _seen(loaded, now - days * DAY, now + DAY, SOURCES)
    return {"model": wanted, "days": days, "orders": len(found), "drift": drift_of(kept, found)}


def drift_of(kept: Kept, found: Seen) -> dict[str, float]:
    """Give the index of each trait, and of the score; nothing where there are no orders."""
    rank = kept.ranker()
    return drifts(kept.bins, kept.card.traits, found.table, [rank(row) for row in found.table])


async def _seen(config: Config, since: int, until: int, sources: Any) -> Seen:
    return await _read(config, lambda tx: seen(tx, since, until, sources, ROWS_MAX))


async def candidates(config: Config) -> list[Candidate]:
    """Give who was promoted, to be tried on the past."""
    return promoted(await _shelf(config))


async def _shelf(config: Config) -> Shelf:
    root = key_ring(config).root_public()
    certified = await _read(config, lambda tx: _certified(tx, root))
    return shelf_of(config, certified.__contains__)


def hub_shelf(config: Config) -> Shelf:
    """Give the shelf of a hub, which trusts the keys that the hub has certified.

    Raises: what opening the books does.
    """
    return asyncio.run(_shelf(config))


def _certified(tx: Tx, root: str) -> set[str]:
    mapped = mapping(CERTIFICATES)
    rows = [mapped.row(row) for row in tx.rows(mapped.select)]
    return {row.key for row in rows if certificate_fault(row, root) is None}


async def _read(config: Config, work: Callable[[Tx], T]) -> T:
    with Threads(1) as readers:
        database = open_to_read(config, readers)
        try:
            check_current(database)
            return await database.read(work)
        finally:
            database.close()
