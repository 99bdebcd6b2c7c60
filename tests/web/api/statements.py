"""Counting the work of an answer: which statements SQLite ran, how many signatures were tried."""

import sys
import threading
from typing import Any

import apsw

from farthing import keys


class Statements:
    """Notes every statement on connections that are opened while it watches."""

    def __init__(self) -> None:
        self._ran: list[str] = []

    def __enter__(self) -> "Statements":
        apsw.connection_hooks.append(self._watch)
        return self

    def __exit__(self, *_fault: Any) -> None:
        apsw.connection_hooks.remove(self._watch)

    def taken(self) -> list[str]:
        """Give what ran since it was asked last; in which order does not matter."""
        ran, self._ran = self._ran, []
        return sorted(ran)

    def _watch(self, connection: apsw.Connection) -> None:
        connection.exec_trace = self._note

    def _note(self, _cursor: Any, statement: str, _values: Any) -> bool:
        self._ran.append(statement)
        return True


class Verifications:
    """Counts the checks of a signature under a key, on threads that start while it watches."""

    def __init__(self) -> None:
        self._count = 0

    def __enter__(self) -> "Verifications":
        threading.setprofile(self._watch)
        sys.setprofile(self._watch)
        return self

    def __exit__(self, *_fault: Any) -> None:
        sys.setprofile(None)
        threading.setprofile(None)

    def taken(self) -> int:
        """Tell how many there were since it was asked last."""
        count, self._count = self._count, 0
        return count

    def _watch(self, frame: Any, event: str, _value: Any) -> None:
        self._count += event == "call" and frame.f_code is keys.verify.__code__
