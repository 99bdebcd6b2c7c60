"""A client: it asks for something, and goes on asking with the same bytes until it is settled."""

import asyncio
from random import Random
from typing import Any, cast

from simulation.hubs import HubMachine
from simulation.town import Town
from simulation.wire import Answer, Request

_AGAIN = (0, 429, 500, 503, 504)
_WAIT_SECONDS, _WAIT_SECONDS_MAX = 0.05, 5.0
_CHANGES = {
    "mandate-revoked": "mandate-revoked",
    "device-revoked": "device-revoked",
    "session-revoked": "device-revoked",
    "account-frozen": "account-frozen",
    "mandate-largest": "limit-lowered",
    "bad-signature": "key-rotated",
    "order-expired": "clock-ahead",
    "not-held": "clock-ahead",
}
"""What a refusal is to be blamed on, if that happened while it was under way."""


class Client:
    """Somebody who asks one hub. Shape: `about` is whose changes may spoil what it asks."""

    def __init__(self, name: str, town: Town, hub: HubMachine) -> None:
        self.name, self.town, self.hub = name, town, hub
        self.luck = Random(town.luck.random())
        self.about = ""

    async def do(self, kind: str, request: Request, **facts: Any) -> Answer | None:
        """Ask for something and note what came of it; None if it was forgotten on the way."""
        operation = self.town.operation(self.name, kind, hub=self.hub.name, **facts)
        return await self.settle(operation, request)

    async def settle(self, operation: int, request: Request) -> Answer | None:
        """Have an operation answered, and note how."""
        since = self.town.loop.time()
        answer = await self.insist(operation, request)
        if answer is not None:
            self.town.heard(operation, **facts_of(answer))
            self._blame(answer.told.get("code", ""), since)
        return answer

    def _blame(self, code: str, since: float) -> None:
        change = _CHANGES.get(code, "")
        if change and self.town.changed_since(change, (self.about, self.hub.name), since):
            self.town.faults.count(change)

    async def insist(self, operation: int, request: Request) -> Answer | None:
        """Send the same bytes until something is answered that settles it."""
        wait = _WAIT_SECONDS
        while True:
            answer = await self.town.network.ask(self.hub, request, self.name)
            if answer is not None and answer.status not in _AGAIN:
                return answer
            self.town.unheard(operation, None if answer is None else answer.status)
            if self.town.faults.strikes("client-gone"):
                self.town.gone(operation)
                return None
            await asyncio.sleep(wait * (0.5 + self.luck.random()))
            wait = min(wait * 2, _WAIT_SECONDS_MAX)


_KEPT = ("state", "code", "captured", "receipt", "reason")


def facts_of(answer: Answer) -> dict[str, Any]:
    """Give what an answer says that the history keeps."""
    told = answer.told
    inner = told.get("payment")
    about = cast(dict[str, Any], inner) if isinstance(inner, dict) else told
    name = about.get("id") or (inner if isinstance(inner, str) else "")
    kept = {member: about[member] for member in _KEPT if member in about}
    return {"status": answer.status, "payment": name, **kept}
