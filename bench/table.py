"""The figures as a person reads them."""

from collections.abc import Mapping, Sequence

from rich.console import Console
from rich.table import Table

from bench.figures import Figure


def show(machine: Mapping[str, str], figures: Sequence[Figure], console: Console) -> None:
    """Print the machine and a table of figures, each beside its ceiling."""
    for name, value in machine.items():
        console.print(f"[dim]{name:>12}[/dim]  {value}")
    table = Table(title="payments and transfers", title_justify="left")
    for column in ("workload", "engine"):
        table.add_column(column, no_wrap=True)
    for column in (
        "per s",
        "p50 ms",
        "p99 ms",
        "CPU µs each",
        "per commit",
        "fsyncs",
        "MiB",
        "ceiling/s",
    ):
        table.add_column(column, justify="right", no_wrap=True)
    table.add_column("the ceiling is")
    for figure in figures:
        table.add_row(*_row(figure))
    console.print(table)
    for figure in figures:
        if figure.resident_mib_over_time:
            memory = ", ".join(f"{mib:.0f}" for mib in figure.resident_mib_over_time)
            console.print(f"{figure.name} on {figure.engine}: MiB after each round: {memory}")
        if len(figure.runs_per_s) > 1:
            rates = ", ".join(f"{rate:,.0f}" for rate in figure.runs_per_s)
            console.print(f"{figure.name} on {figure.engine}: {rates} per s; the median is shown")


def _row(figure: Figure) -> list[str]:
    fsyncs = figure.fsyncs_per_commit
    return [
        figure.name,
        figure.engine,
        f"{figure.rate_per_s:,.0f}",
        f"{figure.p50_ms:.2f}",
        f"{figure.p99_ms:.2f}",
        f"{figure.cpu_us_each:.{1 if figure.cpu_us_each < 20 else 0}f}",
        f"{figure.per_commit:,.1f}",
        "?" if fsyncs is None else f"{fsyncs:.2f}",
        f"{figure.resident_mib:.0f}" if figure.resident_mib else "",
        f"{figure.ceiling_per_s:,.0f}",
        figure.ceiling,
    ]
