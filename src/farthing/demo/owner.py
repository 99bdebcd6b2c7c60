"""The people of the demo: the fleet's owner, who follows events and answers, and the operator."""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx

from farthing.cli.local import ask
from farthing.demo.cast import ASSETS, DENIED, REVOKED, TOP_UP, TOPPED_UP
from farthing.demo.fleet import pause
from farthing.demo.tally import Tally
from farthing.money import parse_price

_THINKS_SECONDS, _LEAVES_SECONDS = 0.8, 20.0
_LOOK_SECONDS = 0.2
_REVOKES_AT, _TOPS_UP_AT = 0.4, 0.6


class FleetOwner:
    """Answers when the hub asks, and revokes a device that got lost.

    Shape: where `watched` says that somebody has the wallet open, answering is left to them first.
    """

    def __init__(
        self,
        client: httpx.AsyncClient,
        devices: dict[str, str],
        tally: Tally,
        watched: Callable[[], Awaitable[bool]],
    ) -> None:
        self._client, self._devices, self._tally = client, devices, tally
        self._watched = watched
        self._names = {device: name for name, device in devices.items()}

    async def answer(self, stop: asyncio.Event) -> None:
        """Follow the hub's events, and approve or deny what is asked, until told to stop."""
        async for event in self._events():
            if stop.is_set():
                return
            if event["kind"] == "payment.awaiting":
                await pause(stop, _LEAVES_SECONDS if await self._watched() else _THINKS_SECONDS)
                if not stop.is_set():
                    await self._answer(event)

    async def _answer(self, event: dict[str, Any]) -> None:
        name = self._names.get(event["body"]["device"], "")
        verb, said = ("deny", "said no") if name == DENIED else ("approve", "said yes")
        payment = await ask(self._client, "GET", f"/v1/payments/{event['subject']}")
        if payment["state"] != "awaiting":
            self._tally.note(name, "answered in the wallet", int(event["body"]["amount"]))
            return
        await ask(self._client, "POST", f"/v1/payments/{event['subject']}/{verb}")
        self._tally.note(name, f"its owner {said}", int(event["body"]["amount"]))

    async def revoke(self, stop: asyncio.Event) -> None:
        """Revoke one device in mid-run."""
        await pause(stop, self._tally.seconds * _REVOKES_AT)
        if not stop.is_set():
            await ask(self._client, "POST", f"/v1/devices/{self._devices[REVOKED]}/revoke")
            self._tally.devices[REVOKED].revoked = True
            self._tally.note(REVOKED, "lost: its owner revoked it")

    async def _events(self) -> AsyncIterator[dict[str, Any]]:
        async with self._client.stream("GET", "/v1/events", timeout=None) as stream:
            stream.raise_for_status()
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    yield json.loads(line.removeprefix("data: "))


class Operator:
    """Puts test money in, and looks at what everybody holds."""

    def __init__(self, client: httpx.AsyncClient, accounts: dict[str, str], tally: Tally) -> None:
        self._client, self._accounts, self._tally = client, accounts, tally
        self._put_in = 0
        self._turns = asyncio.Lock()

    async def credit(self, name: str, price: str) -> int:
        """Put test money into the account of a device."""
        units = parse_price(price, ASSETS).units
        body = {"account": self._accounts[name], "units": str(units), "asset": "USD"}
        async with self._turns:
            await ask(self._client, "POST", "/v1/credits", body)
            self._put_in += units
        return units

    async def top_up(self, stop: asyncio.Event) -> None:
        """Top one device up in mid-run."""
        await pause(stop, self._tally.seconds * _TOPS_UP_AT)
        if not stop.is_set():
            units = await self.credit(TOPPED_UP, TOP_UP)
            self._tally.note(TOPPED_UP, "topped up", units)

    async def watch(self, stop: asyncio.Event) -> None:
        """Look at all balances, again and again."""
        while not stop.is_set():
            await self.look()
            await pause(stop, _LOOK_SECONDS)

    async def look(self) -> None:
        """Look at all balances once: one page is one moment of the books, so its sums come out."""
        async with self._turns:
            answer = await ask(self._client, "GET", "/v1/accounts?limit=500")
            self._tally.put_in = self._put_in
        held = {item["id"]: item["balance"] for item in answer["items"]}
        for row in (*self._tally.devices.values(), *self._tally.shops.values()):
            counters = held[self._accounts[row.name]]
            row.spent = int(counters["spent"])
            row.balance = int(counters["received"]) - row.spent
