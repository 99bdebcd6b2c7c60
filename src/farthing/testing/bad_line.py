"""A line to a hub that can be told to be down, or to lose replies: shared by hubs of tests."""

from typing import TypeVar

from farthing.errors import OutcomeUnknown, Unavailable

T = TypeVar("T")


class BadLine:
    """How the next calls fare. Shape: whoever is called says `_begin` first, `_answer` last."""

    _down = _deaf = 0

    @property
    def unwell(self) -> bool:
        """Tell whether the next call will not be heard."""
        return bool(self._down or self._deaf)

    def fail(self, times: int = 1) -> None:
        """Be down for the next calls: nothing happens."""
        self._down = times

    def lose_replies(self, times: int = 1) -> None:
        """Do what the next calls ask, and answer nothing."""
        self._deaf = times

    def _begin(self) -> None:
        if self._down:
            self._down -= 1
            raise Unavailable("hub-busy", "try again")

    def _answer(self, answer: T) -> T:
        if self._deaf:
            self._deaf -= 1
            raise OutcomeUnknown("outcome-unknown", "the reply was lost")
        return answer
