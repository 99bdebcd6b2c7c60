"""Counting the work of an answer: which statements SQLite ran for it."""

from typing import Any

import apsw


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
