"""What was found so far, so that a run that was stopped goes on where it was."""

import json
import time
from pathlib import Path

from tests.mutation.changes import Change

SAVED_EVERY_SECONDS = 5.0


class Kept:
    """Verdicts by file and change: `noticed`, `endless` (a test would never end), `unnoticed`.

    Shape: one that was noticed is not tried again while its function stands as it was; one that
           was not is tried again each time, as a test for it may have been written meanwhile.
    """

    def __init__(self, folder: Path, again: bool = False) -> None:
        self._folder, self._again = folder, again
        self._before: dict[str, dict[str, str]] = {}
        self.verdicts: dict[str, dict[str, str]] = {}
        self._saved = time.monotonic()

    def is_noticed(self, change: Change) -> bool:
        """Tell whether it has been noticed before; it counts then."""
        verdict = self._known(change.file).get(self._name(change), "unnoticed")
        if verdict == "unnoticed":
            return False
        self.verdicts.setdefault(change.file, {})[change.key] = verdict
        return True

    def note(self, change: Change, verdict: str) -> None:
        """Remember what became of it."""
        self.verdicts.setdefault(change.file, {})[change.key] = verdict
        self._known(change.file)[self._name(change)] = verdict
        if time.monotonic() - self._saved > SAVED_EVERY_SECONDS:
            self.save()

    def save(self) -> None:
        """Write it down, each file whole or not at all."""
        self._folder.mkdir(parents=True, exist_ok=True)
        for file, known in self._before.items():
            place = self._place(file)
            beside = place.with_suffix(".new")
            beside.write_text(json.dumps(known, indent=0))
            beside.replace(place)
        self._saved = time.monotonic()

    def said(self, file: str) -> str:
        """Say in a line how a file did."""
        verdicts = self.verdicts.get(file, {})
        left = sum(verdict == "unnoticed" for verdict in verdicts.values())
        return f"{file}: {len(verdicts) - left} of {len(verdicts)} noticed"

    def _known(self, file: str) -> dict[str, str]:
        if file not in self._before:
            place = self._place(file)
            is_there = place.exists() and not self._again
            self._before[file] = json.loads(place.read_text()) if is_there else {}
        return self._before[file]

    def _place(self, file: str) -> Path:
        return self._folder / f"{file.replace('/', '.')}.json"

    @staticmethod
    def _name(change: Change) -> str:
        return f"{change.digest} {change.key}"
