"""`python -m bench.risk.page`: write the measured part of docs/explanation/risk.md and its plot."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.plots import Bar, share_bars
from bench.risk.contenders import CONTENDERS
from bench.speed_page import placed

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "explanation" / "risk.md"
PLOT = "risk-bench.svg"
KEPT = ROOT / "bench" / "results" / "risk.json"
_HEADS = ("who scores", "AUC", "average precision", "card precision", "recall at 0.1 %")
_MEASURES = ("auc", "average_precision", "card_precision", "recall")
_SCENARIOS = {
    "1": "an amount above 220",
    "2": "a terminal taken over for 28 days",
    "3": "a card number used elsewhere for 14 days",
    "4": "a card stolen and spent within a day",
}

Told = Mapping[str, Any]


def written(told: Told) -> tuple[str, str]:
    """Write the text of the results, and their plot."""
    data = told["data"]
    sets = "; ".join(f"{one['payments']:,} payments, {one['bad']:,} bad" for one in data["sets"])
    versions = ", ".join(f"{name} {number}" for name, number in told["versions"].items())
    said = (
        f"`{data['generator']}`, {data['customers']:,} cards, {data['terminals']:,} terminals,"
        f" {data['days']} days, {len(data['sets'])} data sets with seeds {data['seed_shift']:,}"
        f" apart ({sets}). Card precision is for {told['alerts_a_day']} alerts a day. Each cell"
        f" is the mean over the data sets, with the least and the most. Measured with {versions}."
    )
    shown = [
        Bar(name, kind, told["contenders"][name][measure]["mean"])
        for name in CONTENDERS
        for kind, measure in (("AUC", "auc"), ("average precision", "average_precision"))
    ]
    title = "Bad payments found: AUC and average precision"
    plot = f"![{title}, by who scores]({PLOT})"
    parts = [said, plot, _whole(told), "By scenario, AUC and recall at 0.1 %:", _scenarios(told)]
    return "\n\n".join(parts), share_bars(title, shown)


def _whole(told: Told) -> str:
    rows = [
        [f"`{name}`: {what}", *[_cell(told["contenders"][name][one]) for one in _MEASURES]]
        for name, (what, _) in CONTENDERS.items()
    ]
    return _table(_HEADS, rows)


def _scenarios(told: Told) -> str:
    rows = [
        [f"`{name}`", *[_of_scenario(one, number) for number in _SCENARIOS]]
        for name, one in told["contenders"].items()
    ]
    return _table(("who scores", *_SCENARIOS.values()), rows)


def _of_scenario(one: Told, number: str) -> str:
    auc, recall = one["auc_of_scenario"][number], one["recall_of_scenario"][number]
    return f"{auc['mean']:.2f} · {recall['mean']:.2f}"


def _cell(spread: Told) -> str:
    return f"{spread['mean']:.3f} ({spread['least']:.3f}–{spread['most']:.3f})"  # noqa: RUF001


def _table(heads: tuple[str, ...], rows: list[list[str]]) -> str:
    lines = [list(heads), ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    """Write page and plot."""
    text, drawn = written(msgspec.json.decode(KEPT.read_bytes()))
    PAGE.write_text(placed(PAGE.read_text(), {"risk": text}))
    (PAGE.parent / PLOT).write_text(drawn)


if __name__ == "__main__":
    main()
