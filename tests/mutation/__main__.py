"""`make mutate`: change the files that decide about money, and see whether a test notices.

`ARGS="ledger"` tries one group of files, `ARGS="--again"` begins anew. What was found is kept in
build/mutation, so that a run that was stopped goes on; tests/mutation/results.json is written
when all changes of the groups were tried.
"""

import argparse
import os
import sys
import tempfile

import pytest

from tests.effort import ALL_DRAWN
from tests.mutation.groups import GROUPS, LEFT_OUT, MARKS, RESULTS, SOURCE, STATE
from tests.mutation.kept import Kept
from tests.mutation.score import explained, merged, read_results, unexplained, written
from tests.mutation.trial import Trial


def main() -> int:
    """Try the groups that were asked for; 1 where a change went unnoticed and is not explained."""
    reading = argparse.ArgumentParser(prog="make mutate", description=__doc__)
    reading.add_argument("group", nargs="*", help=f"of {', '.join(GROUPS)}; all without any")
    reading.add_argument("--again", action="store_true", help="forget what was found before")
    asked = reading.parse_args()
    groups = asked.group or list(GROUPS)
    if unknown := set(groups) - set(GROUPS):
        reading.error(f"there is no group {', '.join(sorted(unknown))}")
    os.environ.update(ALL_DRAWN)
    kept = Kept(STATE, asked.again)
    files = [file for group in groups for file in GROUPS[group].files]
    tests = sorted({test for group in groups for test in GROUPS[group].tests})
    with tempfile.TemporaryDirectory() as place:
        options = [
            "-s",
            "-p",
            "no:xdist",
            "--disable-warnings",
            f"--basetemp={place}/tests",
            "-m",
            MARKS,
        ]
        ended = pytest.main(
            [*options, "-k", LEFT_OUT, *tests], plugins=[Trial(SOURCE, files, kept)]
        )
    kept.save()
    if ended:
        return int(ended)
    results = merged(read_results(), files, kept.verdicts)
    RESULTS.write_text(written(results))
    left = unexplained({file: results[file] for file in files}, explained())
    print(*(f"not explained: {change}" for change in left), sep="\n")
    return 1 if left else 0


if __name__ == "__main__":
    sys.exit(main())
