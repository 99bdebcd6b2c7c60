"""The writing process at its work: it does what it is asked, and writes the answers.

Whoever owns the sockets brings the questions and carries the answers (`writer_process.py` for one
hub, `shared_writer.py` for several).
"""

from collections.abc import Iterator, Sequence
from typing import Any, cast

from farthing.books.court import Judged
from farthing.books.parcels import Answers
from farthing.books.wire import RUN, Answered, Asked, Commit, Unsendable, pack, why_unsendable
from farthing.books.writing import Writing
from farthing.core.chain import Head


class Teller:
    """Gathers what is told of commits until the next answer, and keeps the hub's time."""

    def __init__(self) -> None:
        self.heads: list[Head] = []
        self.commits: list[Commit] = []
        self.unnoted: list[OSError] = []
        self.now_ns = 0

    def clock(self) -> int:
        """Give the time at which the hub asked."""
        return self.now_ns

    def headed(self, head: Head) -> None:
        """Note a head."""
        self.heads.append(head)

    def missed(self, fault: OSError) -> None:
        """Note that a head could not be noted in its second place."""
        self.unnoted.append(fault)

    def committed(
        self, waited: float, seconds: float, units: int, events: Any, judged: Judged
    ) -> None:
        """Note a commit."""
        self.commits.append(Commit(waited, seconds, units, events, judged))

    def answer(self, result: Any, fault: BaseException | None, *, failing: bool) -> bytes:
        """Write an answer, with what was gathered."""
        told = (self.heads, self.commits, failing, self.unnoted)
        self.heads, self.commits, self.unnoted = [], [], []
        try:
            return pack(Answered(result, fault, *told))
        except Unsendable:
            # By a bug of ours one answer is no plain value: who asked beside it hears its own.
            many = cast(list[Any], result) if isinstance(result, list) else []
            result, fault = [_told(each) for each in many], None if many else _told(fault)
            return pack(Answered(result, fault, *told))


def _told(answer: Any) -> Any:
    """Give an answer, or what can be said of one that cannot be sent."""
    why = why_unsendable(answer)
    return answer if why is None else RuntimeError(f"{answer!r}: {why}")


class Scribe:
    """Does what hubs ask, those in one commit who wait together, and answers each."""

    def __init__(self, writing: Writing, teller: Teller) -> None:
        self._writing, self._teller = writing, teller

    def answers(self, some: Sequence[Asked]) -> Iterator[bytes]:
        """Do what goes together (`inbox.joined`), and give the answers in the same order."""
        self._teller.now_ns = max(asked.now_ns for asked in some)
        return self._run(some) if some[0].method == RUN else iter([self._do(some[0])])

    def _run(self, some: Sequence[Asked]) -> Iterator[bytes]:
        """Write batches that wait together in one commit, and answer each of them."""
        writing, teller = self._writing, self._teller
        units = [unit for asked in some for unit in asked.arguments[0]]
        try:
            answers, fault = writing.run(units, min(asked.arguments[1] for asked in some)), None
        except Exception as raised:
            answers, fault = [], raised
        start = 0
        for asked in some:
            end = start + len(asked.arguments[0])
            result = None if fault else Answers(answers[start:end])
            yield teller.answer(result, fault, failing=writing.failing)
            start = end

    def _do(self, asked: Asked) -> bytes:
        try:
            result, fault = getattr(self._writing, asked.method)(*asked.arguments), None
        except Exception as raised:
            result, fault = None, raised
        return self._teller.answer(result, fault, failing=self._writing.failing)
