"""`farthing risk`: are rules well written, and what they would have done with past orders."""

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from farthing.bounded import read_text
from farthing.cli.options import ConfigOption
from farthing.cli.risk_models import candidates, drift_lines, drift_report, models_app
from farthing.clock import NS, system_clock
from farthing.config import load_config
from farthing.errors import BadConfig, Malformed
from farthing.opening import open_to_read
from farthing.risk.settings import armed_by, ladder, read_risk, read_settings, risk_of
from farthing.services.backtest import Backtest, Rules, backtest, said_of
from farthing.settings import RiskSettings
from farthing.store.database import Tx
from farthing.store.migrate import check_current
from farthing.store.past_orders import past_orders
from farthing.terminal.frame import command
from farthing.terminal.tables import columns
from farthing.threads import Threads

risk_app = typer.Typer(help="What is odd about orders.", no_args_is_help=True)

risk_app.add_typer(models_app, name="models")

T = TypeVar("T")

_DAY_NS = 86_400 * NS


def _lines(told: Any) -> Iterator[str]:
    yield f"{told['replayed']:,} orders replayed, {told['judged']:,} judged"
    for name in ("acts", "would", "changed", "rules", "typologies", "verdicts", "failed"):
        if told[name]:
            counts = ", ".join(f"{what} {count:,}" for what, count in told[name].items())
            yield f"{_MEANINGS[name]}: {counts}"
    for model in told["models"]:
        yield from _tried_lines(model)
    yield from columns(
        [one["payment"], one["act"], one["state"], ", ".join(one["typologies"]),
         "; ".join(one["reasons"])]
        for one in told["examples"]
    )  # fmt: skip


def _tried_lines(model: Any) -> Iterator[str]:
    """Show what each threshold of a model would have come to."""
    fault = f"; then it failed: {model['fault']}" if model["fault"] else ""
    yield (
        f"{model['role']} {model['name']}: {model['scored']:,} orders scored,"
        f" {model['bad']:,} of them told to be bad{fault}"
    )
    yield from columns(
        (
            [f"{one['rank_min']:,}", f"{one['odd']:,}", f"{one['odd_bad']:,}",
             f"{one['changed'].get('ask', 0):,}", f"{one['changed'].get('refuse', 0):,}"]
            for one in model["steps"]
        ),
        right=(0, 1, 2, 3, 4),
        heads=("rank_min", "odd", "of them bad", "asked for it", "refused for it"),
    )  # fmt: skip


def _check_lines(told: Any) -> Iterator[str]:
    yield f"mode {told['mode']}; nothing is wrong with these rules:"
    yield from columns(
        [name, state, "your own" if name in told["own"] else ""]
        for name, state in told["rules"].items()
    )


_MEANINGS = {
    "acts": "by the rules that are on",
    "would": "with those in shadow",
    "changed": "paid unasked, and would not have been",
    "rules": "rules that spoke",
    "typologies": "typologies",
    "verdicts": "of what people have decided",
    "failed": "rules that broke",
}


@command(risk_app, "backtest", lines=_lines)
async def backtest_risk(
    *,
    rules: Annotated[
        Path | None, typer.Option(help="A TOML file with [risk]; without it, rules as they come.")
    ] = None,
    days: Annotated[
        int, typer.Option(min=0, help="Judge the orders of the last days; 0 for all.")
    ] = 0,
    models: Annotated[
        bool,
        typer.Option("--models/--no-models", help="Have champion and challenger score them too."),
    ] = True,
    config: ConfigOption = None,
) -> Any:
    """Replay the orders that the books have, and say what rules would have done with them.

    Nothing is changed, and a hub may run beside it. Where orders came from is not in the books, so
    rules about places are silent. Models that were promoted score every order, and it is said what
    would change at which threshold.

    Example: farthing risk backtest --days 30 --rules stricter.toml
    """
    settings = _settings(rules)
    loaded = load_config(config)
    who = await candidates(loaded) if models else []
    tried = Rules(risk_of(settings), who, ladder(settings))
    since = system_clock() - days * _DAY_NS if days else 0
    with Threads(1) as readers:
        database = open_to_read(loaded, readers)
        try:
            check_current(database)
            found: Backtest = await database.read(lambda tx: _replayed(tx, tried, since))
        finally:
            database.close()
    return msgspec.to_builtins(found)


@command(risk_app, "check", lines=_check_lines)
async def check_risk(
    file: Annotated[Path, typer.Argument(help="A TOML file with [risk]: a hub's own, or another.")],
) -> Any:
    """Read rules and typologies, compile those of your own, and say what is wrong with them.

    Example: farthing risk check farthing.toml
    """
    told = _told(file)
    _at(file, lambda: read_risk(told))
    settings = _at(file, lambda: read_settings(told))
    return {
        "mode": settings.mode,
        "rules": {one.name: one.state for one in armed_by(settings)},
        "own": sorted(settings.own),
    }


@command(risk_app, "drift", lines=drift_lines)
async def drift(
    model: Annotated[str, typer.Argument(help="A model; without, the champion.")] = "",
    *,
    days: Annotated[int, typer.Option(min=1, help="Look at the orders of so many days.")] = 7,
    config: ConfigOption = None,
) -> Any:
    """Say how far the orders of the last days are from what a model was trained on.

    The index is the population stability index: less than 0.1 is none, more than 0.25 is much.

    Example: farthing risk drift --days 7
    """
    return await drift_report(model, days, config)


def _settings(file: Path | None) -> RiskSettings:
    """Read the rules, and try them: what cannot be meant is refused with its file.

    Raises: BadConfig with the file.
    """
    if file is None:
        return RiskSettings()
    told = _told(file)
    _at(file, lambda: read_risk(told))
    return _at(file, lambda: read_settings(told))


def _replayed(tx: Tx, rules: Rules, since_ns: int) -> Backtest:
    return backtest(past_orders(tx), rules, since_ns, said_of(tx))


def _told(file: Path) -> Any:
    """Read `[risk]` of a file."""
    try:
        told = tomllib.loads(read_text(file))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, Malformed, RecursionError) as fault:
        raise BadConfig("config-unreadable", f"{file}: {fault}") from None
    if "risk" not in told:
        raise BadConfig("config-invalid", f"{file}: it has no [risk]")
    return told["risk"]


def _at(file: Path, read: Callable[[], T]) -> T:
    """Read, and say of what cannot be meant in which file it is."""
    try:
        return read()
    except BadConfig as fault:
        raise BadConfig(fault.code, f"{file}: {fault.detail}") from None
