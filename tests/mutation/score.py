"""The score: how many changes were noticed, which were not, and why those do no harm."""

import json
import tomllib
from collections.abc import Iterable, Mapping
from typing import TypedDict

from tests.mutation.changes import changed
from tests.mutation.groups import GROUPS, RESULTS, SOURCE, SURVIVORS


class Tried(TypedDict):
    """What became of one file's changes. Shape: `endless` ones count as noticed."""

    changes: int
    endless: int
    unnoticed: list[str]


def read_results() -> dict[str, Tried]:
    """Read the results that are kept, by file."""
    return json.loads(RESULTS.read_text()) if RESULTS.exists() else {}


def merged(
    before: Mapping[str, Tried], files: Iterable[str], verdicts: Mapping[str, Mapping[str, str]]
) -> dict[str, Tried]:
    """Put what was found of these files in the place of what was known of them."""
    results = dict(before)
    for file in files:
        found = verdicts[file]
        results[file] = Tried(
            changes=len(found),
            endless=sum(verdict == "endless" for verdict in found.values()),
            unnoticed=sorted(key for key, verdict in found.items() if verdict == "unnoticed"),
        )
    return dict(sorted(results.items()))


def written(results: Mapping[str, Tried]) -> str:
    """Write results as they are kept."""
    return json.dumps(results, indent=2, ensure_ascii=False) + "\n"


def explained() -> dict[str, str]:
    """Read why each change that nothing notices does no harm."""
    told = tomllib.loads(SURVIVORS.read_text())["survivor"]
    return {change: one["why"] for one in told for change in one["changes"]}


def unexplained(results: Mapping[str, Tried], why: Mapping[str, str]) -> list[str]:
    """Give the changes that went unnoticed for no reason that is written down."""
    return [key for tried in results.values() for key in tried["unnoticed"] if key not in why]


def possible(file: str) -> set[str]:
    """Give the names of all changes of a file as it stands."""
    return {change.key for change, _ in changed(file, (SOURCE / file).read_text())}


def report(results: Mapping[str, Tried]) -> str:
    """Write the table of groups: of how many changes how many were noticed."""
    rows: list[str] = []
    total = missed = 0
    for name, group in GROUPS.items():
        found = [results[file] for file in group.files]
        changes = sum(tried["changes"] for tried in found)
        left = sum(len(tried["unnoticed"]) for tried in found)
        files = ", ".join(f"`{file.rpartition('/')[2]}`" for file in group.files)
        rows.append(f"| {name} | {files} | {changes:,} | {_share(changes, left)} | {left} |")
        total, missed = total + changes, missed + left
    rows.append(f"| all | | {total:,} | {_share(total, missed)} | {missed} |")
    head = [
        "| what | files | changes | noticed | explained |",
        "| --- | --- | ---: | ---: | ---: |",
    ]
    return "\n".join([*head, *rows])


def _share(changes: int, left: int) -> str:
    return f"{100 * (changes - left) / changes:.1f} %"
