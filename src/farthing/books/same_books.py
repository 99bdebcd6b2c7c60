"""Noticing that the books which come back after a lost connection are not those that were left.

A standby that lagged, an older copy or another hub's database under the same name look healthy by
themselves. Whoever has just committed to the books knows better: his newest head must be in them.
"""

from farthing.books import rows
from farthing.books.base import Tx
from farthing.core.chain import Head
from farthing.errors import Unavailable


class SameBooks:
    """Remembers the newest head known here, and looks for it when the connection is another one.

    Shape: `newest` is a head that these books are known to contain; None if none is known.
    """

    def __init__(self, newest: Head | None, connected: int) -> None:
        self._newest, self._connected = newest, connected

    def check(self, tx: Tx, connected: int) -> None:
        """Look for the newest head in the books, once for each connection.

        Raises: Unavailable `books-replaced`, as often as they are asked, until they are back.
        """
        if connected == self._connected:
            return
        if self._newest is not None and not rows.has_head(tx, self._newest):
            raise Unavailable(
                "books-replaced",
                f"the books that were found again do not contain commit {self._newest.number},"
                " which was made here: they are an older copy, or another hub's",
            )
        self._connected = connected

    def wrote(self, head: Head) -> None:
        """Remember a head whose commit is durable."""
        self._newest = head


__all__ = ["SameBooks"]
