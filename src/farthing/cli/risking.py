"""`farthing risk`: are rules well written, and what they would have done with past orders."""

import tomllib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Annotated, Any, TypeVar

import msgspec
import typer

from farthing.bounded import read_text
from farthing.cli.options import ConfigOption
from farthing.cli.risk_models import drift_lines, drift_report, models_app
from farthing.clock import NS, system_clock
from farthing.config import load_config
from farthing.errors import BadConfig, Malformed
from farthing.opening import open_to_read
from farthing.risk.orders import Risk
from farthing.risk.settings import armed_by, read_risk, read_settings
from farthing.services.backtest import Backtest, backtest
from farthing.store.cases import labels
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
    yield from columns(
        [one["payment"], one["act"], one["state"], ", ".join(one["typologies"]),
         "; ".join(one["reasons"])]
        for one in told["examples"]
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
    config: ConfigOption = None,
) -> Any:
    """Replay the orders that the books have, and say what rules would have done with them.

    Nothing is changed, and a hub may run beside it. Where orders came from is not in the books, so
    rules about places are silent.

    Example: farthing risk backtest --days 30 --rules stricter.toml
    """
    risk = _risk(rules)
    loaded = load_config(config)
    since = system_clock() - days * _DAY_NS if days else 0
    with Threads(1) as readers:
        database = open_to_read(loaded, readers)
        try:
            check_current(database)
            found: Backtest = await database.read(lambda tx: _replayed(tx, risk, since))
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


def _risk(file: Path | None) -> Risk:
    """Read the rules.

    Raises: BadConfig with the file.
    """
    if file is None:
        return read_risk({})
    told = _told(file)
    return _at(file, lambda: read_risk(told))


def _replayed(tx: Tx, risk: Risk, since_ns: int) -> Backtest:
    verdicts = {label.payment: label.verdict for label in labels(tx)}
    return backtest(past_orders(tx), risk, since_ns, verdicts)


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
