"""A shop in a hub's own process: a real paywall, and behind it a handler that may do anything.

What it does about each payment is noted, so that the checker can hold it against the books.
"""

import asyncio
import json
from collections.abc import Awaitable, Callable
from random import Random
from typing import Any

from farthing.app import Hub
from farthing.core.prices import Mode, Offer, PriceList
from farthing.errors import Missing, Unavailable
from farthing.money import Amount, Asset
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402
from farthing.web.limits import Limits
from farthing.web.paywall import Paywall
from simulation.town import Town
from simulation.wire import BrokeOff, Fields

USD = Asset("USD", 6)
PRICES = {"page": 1, "refunded": 2, "charged": 1, "again": 2, "made": 1}
"""What is sold, by the first segment of its path, and for how much."""

ANSWER_SECONDS = 4.0
_LIMITS = Limits(
    answer_seconds=ANSWER_SECONDS, wait_seconds=2.0, asks_per_second=0, discovery=False
)
_RERUNS = 2
_KEY, _PAYMENT, _PAYER = b"x-run", b"farthing-payment-id", b"farthing-payer"
_PROOFS = (b"payment-receipt", b"payment-response")


def _offer(name: str, payee: str) -> Offer:
    mode: Mode = "charge" if name == "charged" else "hold"
    return Offer(
        name=name,
        path=f"/{name}/{{number}}",
        price=Amount(PRICES[name], USD),
        methods=frozenset({"POST" if name == "made" else "GET"}),
        payee=payee,
        mode=mode,
        on_broken="refund" if name == "refunded" else "keep",
        rerun=_RERUNS if name == "again" else 0,
    )


class Shop:
    """What one hub's machine sells, in each of the hub's lives.

    Shape: `account` is who is paid; `at_next_lone_hold` is called once, when a handler runs for
           a hold that is decided and not written.
    """

    def __init__(self, town: Town, hub: str, account: str) -> None:
        self._town, self._hub, self._luck = town, hub, Random(town.luck.random())
        offers = tuple(_offer(name, account) for name in PRICES)
        self._prices = PriceList(offers=offers, prefixes=tuple(f"/{name}" for name in PRICES))
        self._runs = 0
        self.at_next_lone_hold: Callable[[], object] | None = None
        self._payments: dict[int, str] = {}

    def open(self, hub: Hub) -> Paywall:
        """Give the paywall of a hub's new life: what the one before kept in memory is gone."""
        return Paywall(
            _Handler(self, hub).__call__,
            hub=hub.embedded(),
            hub_id=hub.ctx.identity.hub,
            languages=[Mpp(hub.challenge_secrets), X402()],
            assets={"USD": USD},
            prices=self._prices,
            realm="shop.test",
            limits=_LIMITS,
            clock=hub.ctx.clock,
        )

    @property
    def luck(self) -> Random:
        """What is left to luck."""
        return self._luck

    def look_for_lone_hold(self, hub: Hub) -> None:
        """Tell whoever waits for it, if a hold waits to be written now."""
        if self.at_next_lone_hold is not None and hub.books.is_ahead:
            call, self.at_next_lone_hold = self.at_next_lone_hold, None
            call()

    def runs(self, kind: str, headers: dict[bytes, bytes], page: int) -> int:
        """Note that the handler runs for a payment, and give this run a number."""
        self._runs += 1
        self._payments[self._runs] = payment = headers[_PAYMENT].decode()
        device = headers[_PAYER].decode()
        self._note("ran", run=self._runs, payment=payment, device=device, page=page, kind=kind)
        return self._runs

    def payment_of(self, run: int) -> str:
        """Tell what a run was paid by."""
        return self._payments[run]

    def failed(self, run: int, fault: str) -> None:
        """Note that a run does not answer as it should."""
        self._town.faults.count(fault)
        self._note("failed", run=run, fault=fault)

    def looked(self, run: int, state: str) -> None:
        """Note what a run's handler was told of its payment."""
        self._note("looked", run=run, payment=self._payments[run], state=state)

    def began_to_answer(self, status: int, headers: Fields) -> None:
        """Note an answer of a run that begins to leave: its client may know of it."""
        told = dict(headers)
        if _KEY in told and status < 400:
            run = int(told[_KEY])
            proven = any(name in told for name in _PROOFS)
            self._note("head", run=run, payment=self._payments[run], proven=proven)

    def _note(self, what: str, **facts: Any) -> None:
        self._town.note(what, hub=self._hub, **facts)


class _Handler:
    """What stands behind the paywall, as ASGI."""

    def __init__(self, shop: Shop, hub: Hub) -> None:
        self._shop, self._hub, self._luck = shop, hub, shop.luck
        self._ways: list[Callable[[Any, int, bytes], Awaitable[None]]] = [
            *[self._answer] * 12, self._refuse, self._fail, self._break_off,
        ]  # fmt: skip

    async def __call__(self, scope: Any, _receive: Any, send: Any) -> None:
        """Serve what was paid for, after a while and in one of several ways."""
        _, kind, number = scope["path"].split("/")
        run = self._shop.runs(kind, dict(scope["headers"]), int(number))
        self._shop.look_for_lone_hold(self._hub)
        if self._luck.random() < 0.2:
            await self._look(run)
        await self._take_time(run)
        body = json.dumps({"page": int(number), "kind": kind}).encode()
        await self._luck.choice(self._ways)(send, run, body)

    async def _look(self, run: int) -> None:
        payment = self._shop.payment_of(run)
        try:
            found = await self._hub.desk.payments.find(payment)
        except Missing:
            self._shop.looked(run, "missing")
        except Unavailable:
            pass
        else:
            self._shop.looked(run, found.state.value)

    async def _take_time(self, run: int) -> None:
        draw = self._luck.random()
        if draw < 0.5:
            return
        if draw < 0.97:
            await asyncio.sleep(self._luck.expovariate(1 / 0.002))
            return
        try:
            await asyncio.sleep(ANSWER_SECONDS + 1)
        except asyncio.CancelledError:
            self._shop.failed(run, "answer-too-late")
            raise

    async def _answer(self, send: Any, run: int, body: bytes, status: int = 200) -> None:
        await send(_head(run, status, len(body)))
        await send({"type": "http.response.body", "body": body})

    async def _refuse(self, send: Any, run: int, _body: bytes) -> None:
        self._shop.failed(run, "handler-refused")
        await self._answer(send, run, b'{"code": "sold-out"}', 409)

    async def _fail(self, _send: Any, run: int, _body: bytes) -> None:
        self._shop.failed(run, "handler-failed")
        raise BrokeOff

    async def _break_off(self, send: Any, run: int, body: bytes) -> None:
        await send(_head(run, 200, len(body)))
        await send({"type": "http.response.body", "body": body[:2], "more_body": True})
        self._shop.failed(run, "answer-broken")
        raise BrokeOff


def _head(run: int, status: int, length: int) -> dict[str, Any]:
    headers = [(_KEY, b"%d" % run), (b"content-length", b"%d" % length)]
    return {"type": "http.response.start", "status": status, "headers": headers}
