"""`make speed-page`: write the measured part of docs/explanation/speed.md from bench/results.

Whatever results are there are shown: `bench.json`, `peers.json`, `stored.json`, and
`profile-before.json` beside `profile-after.json`, each as its command prints it with `--json`.
The page has a place for each of them, between two comments; plots stand beside it as SVG.
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import msgspec

from bench.plots import Bar, bars

ROOT = Path(__file__).parents[1]
RESULTS = ROOT / "bench" / "results"
PAGE = ROOT / "docs" / "explanation" / "speed.md"
Told = Mapping[str, Any]
_ENGINES = {"sqlite": "SQLite", "postgresql": "PostgreSQL"}


def results(folder: Path) -> dict[str, Told]:
    """Read what was measured, by the name of its file."""
    files = sorted(folder.glob("*.json"))
    return {file.stem: msgspec.json.decode(file.read_bytes()) for file in files}


def machine(told: Told) -> str:
    """Write what was measured on as one sentence."""
    known = dict(told["machine"])
    parts = [known.pop("cpu"), known.pop("memory"), known.pop("system")]
    parts += [f"{name} {number}" for name, number in known.items()]
    return f"Measured on: {', '.join(parts)}."


def engine_of(one: Told) -> str:
    """Give the name of a figure's engine as people write it."""
    engine: str = one["engine"]
    return _ENGINES.get(engine, engine)


def _table(heads: list[str], rows: list[list[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def bench(told: Told) -> tuple[str, dict[str, str]]:
    """Write the table of `make bench` and its plot."""
    figures = told["figures"]
    rows = [
        [
            f"`{one['name']}`", engine_of(one), f"{one['rate_per_s']:,.0f}",
            f"{one['p50_ms']:,.1f}", f"{one['p99_ms']:,.1f}", f"{one['cpu_us_each']:,.0f}",
            f"{one['resident_mib']:,.0f}" if one["resident_mib"] else "",
            ", ".join(f"{rate:,.0f}" for rate in one["runs_per_s"]),
            f"{one['ceiling_per_s']:,.0f} {one['ceiling']}",
        ]
        for one in figures
    ]  # fmt: skip
    heads = ["workload", "engine", "per second", "p50, ms", "p99, ms", "CPU µs each", "MiB",
             "every run", "ceiling in the same run"]  # fmt: skip
    shown = [
        Bar(one["name"], engine_of(one), one["rate_per_s"],
            one["ceiling_per_s"] or None)
        for one in figures
    ]  # fmt: skip
    drawn = bars("Payments and transfers", "per second", shown, "ceiling in the same run")
    plot = "![Payments and transfers per second beside their ceilings](speed-bench.svg)"
    return f"{machine(told)}\n\n{plot}\n\n{_table(heads, rows)}", {"speed-bench.svg": drawn}


def peers(told: Told) -> tuple[str, dict[str, str]]:
    """Write the table of `make bench-peers`, what is not alike, and its plot."""
    rows = [
        [
            f"`{one['name']}`", f"{one['rate_per_s']:,.1f}", f"{one['p50_ms']:,.1f}",
            f"{one['p99_ms']:,.1f}", f"{one['cpu_us_each'] / 1000:,.2f}",
            f"{one['load_cpu_us_each'] / 1000:,.2f}", f"{one['refused']:,}",
        ]
        for one in told["figures"]
    ]  # fmt: skip
    heads = ["peer and clients", "per second", "p50, ms", "p99, ms", "CPU ms each",
             "the payer's CPU ms", "refused"]  # fmt: skip
    parts = [machine(told)]
    plots: dict[str, str] = {}
    if rows:
        parts.append("![Payments per second, by peer and clients](speed-peers.svg)")
        parts.append(_table(heads, rows))
        shown = [
            Bar(one["name"], "Farthing" if one["name"].startswith("farthing") else "others",
                one["rate_per_s"])
            for one in told["figures"]
        ]  # fmt: skip
        plots["speed-peers.svg"] = bars("The same job, by peer and clients", "per second", shown)
    parts.append("\n".join(_peer(one) for one in told["peers"]))
    return "\n\n".join(parts), plots


def _peer(one: Told) -> str:
    versions = ", ".join(f"{name} {number}" for name, number in one["versions"].items())
    missing = f" It could not be measured: {one['why']}" if one["why"] else ""
    return f"- `{one['name']}` ({versions}): {one['job']}. {one['unlike']}{missing}"


def stored(told: Told) -> tuple[str, dict[str, str]]:
    """Write what `make bench-stored` found."""
    rows = [
        [f"`{one['name']}`", f"{one['rate_per_s']:,.0f}", f"{one['p50_ms']:,.1f}",
         f"{one['p99_ms']:,.1f}", f"{one['cpu_us_each']:,.0f}",
         ", ".join(f"{rate:,.0f}" for rate in one["runs_per_s"])]
        for one in told["figures"]
    ]  # fmt: skip
    heads = ["books", "per second", "p50, ms", "p99, ms", "CPU µs each", "every run"]
    said = (
        f"With {told['payments']:,} payments in {told['gigabytes']:.2f} GB the hub pays at"
        f" {told['ratio']:.2f} of its speed with ten thousand."
    )
    return f"{machine(told)}\n\n{said}\n\n{_table(heads, rows)}", {}


def profile(before: Told | None, after: Told) -> tuple[str, dict[str, str]]:
    """Write the stages of `make bench-profile`, beside what they took before."""
    known = {one["name"]: one for one in (before or {"profiles": []})["profiles"]}
    parts = [_stages(one, known.get(one["name"])) for one in after["profiles"]]
    return "\n\n".join([machine(after), *parts]), {}


def _stages(after: Told, before: Told | None) -> str:
    columns = ("cpu_us", "holding_us", "elapsed_us")
    was = {(s["thread"], s["stage"]): s for s in (before or {"stages": []})["stages"]}
    now = {(s["thread"], s["stage"]): s for s in after["stages"]}
    rows: list[list[str]] = []
    for place in dict.fromkeys([*now, *was]):
        cells = [_change(was.get(place), now.get(place), name) for name in columns]
        rows.append([*place, *cells])
    total = [
        _change(_total(was, name) if before else None, _total(now, name), name)
        for name in columns[:2]
    ]
    rows.append(["all", "", *total, ""])
    heads = ["thread", "stage, µs per payment", "CPU", "holding Python", "elapsed"]
    shown = "before → after" if before else "now"
    return f"**`{after['name']}`**, {shown}:\n\n{_table(heads, rows)}"


def _total(stages: Mapping[Any, Told], column: str) -> Told:
    return {column: sum(stage[column] for stage in stages.values())}


def _change(before: Told | None, after: Told | None, column: str) -> str:
    new = f"{after[column]:,.1f}" if after and after[column] else ""
    old = f"{before[column]:,.1f}" if before and before[column] else ""
    return f"{old} → {new}" if old else new


def written(told: Mapping[str, Told]) -> tuple[dict[str, str], dict[str, str]]:
    """Write each place's text and all plots, of what was measured."""
    texts: dict[str, str] = {}
    plots: dict[str, str] = {}
    writers: dict[str, Callable[[Told], tuple[str, dict[str, str]]]] = {
        "bench": bench, "peers": peers, "stored": stored,
        "profile-after": lambda after: profile(told.get("profile-before"), after),
    }  # fmt: skip
    for name, write in writers.items():
        texts[name], drawn = write(told[name]) if name in told else (_none(name), {})
        plots |= drawn
    return texts, plots


def _none(name: str) -> str:
    command = {"bench": "bench", "profile-after": "bench-profile"}.get(name, f"bench-{name}")
    return f"No result is kept yet: `make {command} ARGS=--json > bench/results/{name}.json`."


def placed(page: str, texts: Mapping[str, str]) -> str:
    """Put texts into their places in a page.

    Raises: ValueError where the page has no place for one.
    """
    for name, text in texts.items():
        begin, end = f"<!-- results: {name} -->", f"<!-- end of {name} -->"
        head, found, rest = page.partition(begin)
        _, ended, tail = rest.partition(end)
        if not (found and ended):
            raise ValueError(f"the page has no place for {name}")
        page = f"{head}{begin}\n\n{text}\n\n{end}{tail}"
    return page


def main() -> None:
    """Write page and plots."""
    told = results(RESULTS)
    texts, plots = written(told)
    PAGE.write_text(placed(PAGE.read_text(), texts))
    for name, drawn in plots.items():
        (PAGE.parent / name).write_text(drawn)
    print(
        f"{PAGE.name} tells of: {', '.join(told) or 'nothing'}; plots: {', '.join(plots) or 'none'}"
    )


if __name__ == "__main__":
    main()
