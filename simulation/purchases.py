"""One page that is bought by Farthing's own client, whose process may be killed on the way.

The same request is made again until it is known what came of it. The journal is on a disk: the
next process finds what the one before has signed.
"""

import asyncio
import contextvars
from collections.abc import Callable
from typing import Any

import httpx

from farthing.device.client import Client, paid, unproven
from farthing.device.journal import Claimed, Entry, MemoryJournal
from farthing.device.outcomes import AlreadyPaid, Paid, WillNotPay
from farthing.device.patience import Patience
from farthing.device.purse import Membership, Purse
from farthing.errors import FarthingError, PaymentRefused
from farthing.keys import Signer
from simulation.loop import SeededLoop, at_place
from simulation.stillness import STILL

Told = dict[str, Any]
Note = Callable[[Entry], None]


class NotedJournal(MemoryJournal):
    """A journal that outlives its device's process. Shape: `note` hears what is signed."""

    def __init__(self, note: Note) -> None:
        super().__init__()
        self._note = note
        self._known: list[str] = []

    def write(self, entry: Entry) -> Claimed:
        """Keep a new entry."""
        self._note(entry)
        self._known.append(entry.payment)
        return super().write(entry)

    def resolved(self) -> list[str]:
        """Name the payments that this process signed or found, and saw the end of."""
        open_yet = {entry.payment for entry in self.unresolved()}
        return [name for name in self._known if name not in open_yet]

    def after_death(self) -> "NotedJournal":
        """Give what the next process finds: every entry, and nobody at work on one."""
        found = NotedJournal(self._note)
        for entry in self.unresolved():
            MemoryJournal.write(found, entry).release()
            found._known.append(entry.payment)
        return found


class Purchase:
    """The buying of one page.

    Shape: `prefer` is a language; `road` is what is below the client.
    """

    def __init__(
        self,
        loop: SeededLoop,
        road: httpx.AsyncBaseTransport,
        membership: Membership,
        prefer: str,
        note: Note,
    ) -> None:
        self._loop, self._road, self._membership = loop, road, membership
        self._prefer, self._journal, self._lives = prefer, NotedJournal(note), 0

    async def ask(self, signer: Signer, method: str, url: str, dies_after: float | None) -> Told:
        """Ask for it once, in a process of its own; nothing where the outcome is not known.

        Shape: where the process died, `lost` are payments whose end it saw, and told nobody.
        """
        loop, here = self._loop, contextvars.copy_context()
        self._lives += 1
        place = f"{url} {self._lives}"
        over: asyncio.Future[Told] = loop.create_future()

        async def live() -> None:
            told = await self._told(signer, method, url)
            loop.call_soon(_tell, over, told, context=here)

        loop.create_task(live(), context=at_place(place))
        if dies_after is not None:
            loop.call_later(dies_after, self._die, place, over)
        return await over

    @property
    def pending(self) -> bool:
        """Whether something was signed whose outcome is not known."""
        return bool(self._journal.unresolved())

    def _die(self, place: str, over: asyncio.Future[Told]) -> None:
        if not over.done():
            self._loop.drop(place)
            lost = self._journal.resolved()
            self._journal = self._journal.after_death()
            over.set_result({"died": True, "lost": lost})

    async def _told(self, signer: Signer, method: str, url: str) -> Told:
        purse = Purse(self._membership, signer, self._journal)
        patience = Patience(
            attempts=3, first_wait_seconds=0.1, wait_seconds_max=2.0, clock=STILL.now_ns
        )
        client = Client(purse, prefer=self._prefer, patience=patience, transport=self._road)
        try:
            response = await client.request(method, url)
        except (PaymentRefused, WillNotPay) as refused:
            return {"status": refused.status, "payment": "", "code": refused.code}
        except AlreadyPaid as over:
            return _bought(over.paid, 409, None)
        except (FarthingError, httpx.TransportError):
            return {}
        if unproven(response) is not None:
            return {}
        made = paid(response)
        if made is None:
            return {"status": response.status_code, "payment": "", "code": "not-served"}
        return _bought(made, response.status_code, response.json())


def _bought(made: Paid, status: int, page: Any) -> Told:
    units = made.amount.units
    told = {"status": status, "payment": made.payment, "state": "captured", "page": page}
    return told | {"captured": str(units), "receipt": made.receipt, "code": ""}


def _tell(over: asyncio.Future[Told], told: Told) -> None:
    if not over.done():
        over.set_result(told)
