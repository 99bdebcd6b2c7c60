"""Whether the event loop writes the next commit itself, or has a thread write it.

To hand a commit to a thread and to hear of its end wakes a sleeper twice. Where units come one by
one that takes as long as a quick disk does, and the event loop has nothing else to do meanwhile.
Where they come together, or the disk is slow, a thread writes, and the loop goes on reading.
"""

ALONE_MIN = 8
"""So many commits of one unit come in a row before the loop writes one."""

MEAN_SECONDS_MAX = 0.01
"""What commits may take in the mean for the loop to write them."""

_OF_THE_LAST = 8


class Solitude:
    """How units have come of late, and how long it took to write them.

    Shape: told of every commit, wherever it was written.
    """

    def __init__(self) -> None:
        self._in_a_row, self._mean_seconds = 0, 0.0

    @property
    def lasts(self) -> bool:
        """Whether the next unit, if it comes alone, may be written on the event loop."""
        return self._in_a_row >= ALONE_MIN and self._mean_seconds < MEAN_SECONDS_MAX

    def wrote(self, units: int, seconds: float) -> None:
        """Note a commit; one that took long counts for its length, so it is remembered for long."""
        self._in_a_row = self._in_a_row + 1 if units == 1 else 0
        self._mean_seconds += (seconds - self._mean_seconds) / _OF_THE_LAST
