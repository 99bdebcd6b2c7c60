"""What many seeds came to, as a table: operations, faults by kind, speed against real time."""

from collections import Counter
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from simulation.faults import KINDS
from simulation.story import Told


def counted(told: Sequence[Told]) -> Counter[str]:
    """Add up the faults of all seeds, every kind named."""
    faults = Counter(dict.fromkeys(KINDS, 0))
    for one in told:
        faults.update(one.faults)
    return faults


def summary(told: Sequence[Told]) -> str:
    """Say in one sentence what was done and how fast."""
    operations, steps = sum(one.operations for one in told), sum(one.steps for one in told)
    worked = sum(one.processor_seconds for one in told)
    story = sum(one.story_seconds for one in told)
    wrong = sum(bool(one.wrong) for one in told)
    took = max(worked, 1e-9)
    return (
        f"{len(told):,} seeds, {operations:,} client operations, {counted(told).total():,} faults"
        f" that changed an outcome, {steps:,} steps; {story:,.0f} seconds of the hub's time in"
        f" {worked:,.0f} of one processor, {story / took:,.1f} times as fast as real time;"
        f" {operations / took:,.0f} operations for each second of it."
        f" Seeds with anything wrong: {wrong}."
    )


def show(told: Sequence[Told], console: Console) -> None:
    """Print the faults by kind, and the sentence."""
    table = Table("fault", "times", "counted when")
    table.columns[1].justify = "right"
    for kind, times in counted(told).items():
        table.add_row(kind, f"{times:,}", KINDS[kind])
    console.print(table)
    console.print(summary(told), highlight=False)
