"""What happened, in order: what each client asked and heard, and every fault on the way."""

import hashlib
import json
from typing import Any

Line = dict[str, Any]


class History:
    """The lines, and a digest of them that tells two runs apart."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self._digest = hashlib.sha256()

    def note(self, seconds: float, what: str, **facts: Any) -> None:
        """Write a line."""
        line: Line = {"at": round(seconds, 9), "what": what, **facts}
        self.lines.append(line)
        self._digest.update(json.dumps(line, sort_keys=True).encode())

    def of(self, hub: str) -> list[Line]:
        """Give the lines that are about one hub."""
        own = [line for line in self.lines if line.get("hub") == hub]
        about = {line["operation"] for line in own if "operation" in line}
        return [
            line for line in self.lines if line.get("hub") == hub or line.get("operation") in about
        ]

    @property
    def digest(self) -> str:
        """Give the digest of all lines so far."""
        return self._digest.hexdigest()
