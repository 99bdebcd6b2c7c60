"""A metered purchase: a deposit, more of it, vouchers or ticks that promise it, and an end."""

import asyncio
from collections.abc import Awaitable
from typing import TYPE_CHECKING, Any

from farthing.clock import parse_time
from farthing.codec import from_base64url, to_base64url
from farthing.core.ladders import Climber
from farthing.core.sessions import Opening, top_up_resource
from farthing.core.tariffs import flat_rate
from farthing.core.ticks import Ladder, Tick, write_tick
from farthing.core.vouchers import Agreed, Claims, sign_voucher
from simulation.devices import facts_of_order, written
from simulation.sellers import Seller
from simulation.wire import Request

if TYPE_CHECKING:
    from simulation.buyers import Buyer

_TARIFF = flat_rate("USD", "request", 1)
_DEPOSIT, _MORE = 27, 15
_LIFETIME_SECONDS, _GRACE_SECONDS = 8, 4
_TICKS, _EACH = 12, 2


class MeteredPurchase:
    """One session of a buyer at a seller."""

    def __init__(self, buyer: "Buyer", seller: Seller) -> None:
        self._buyer, self._seller, self._luck = buyer, seller, buyer.luck
        self._signer = buyer.device.signer

    async def run(self) -> None:
        """Open it, draw it, and let somebody or time end it."""
        session = await self._open()
        if session is None:
            return
        drawing = self._ticking(session) if self._luck.random() < 0.4 else self._vouchers(session)
        if self._luck.random() < 0.4:
            drawing.insert(self._luck.randrange(len(drawing)), self._top_up(session))
        if self._luck.random() < 0.3:
            await asyncio.gather(*drawing)
        else:
            for one in drawing:
                await one
        if self._luck.random() < 0.6:
            where = f"/v1/sessions/{session['id']}/close"
            await self._seller.do("close", self._seller.request(where), session=session["id"])

    async def _open(self) -> dict[str, Any] | None:
        # Equal wishes that wait for an owner would be one.
        which = f"/{self._luck.getrandbits(40)}" if self._buyer.device.judged else ""
        read = f"GET /readings{which}"
        opening = Opening(_TARIFF.digest(), _LIFETIME_SECONDS, _GRACE_SECONDS, read)
        body, facts = self._order(_DEPOSIT, opening.resource())
        request = Request("POST", "/v1/sessions", written(body | {"tariff": _TARIFF.members()}))
        opened = await self._buyer.do("open", request, **facts)
        return opened.told.get("session") if opened is not None else None

    async def _top_up(self, session: dict[str, Any]) -> None:
        body, facts = self._order(_MORE, top_up_resource(session["id"]))
        request = Request("POST", f"/v1/sessions/{session['id']}/deposits", written(body))
        await self._buyer.do("top-up", request, session=session["id"], **facts)

    def _order(self, amount: int, resource: str) -> tuple[dict[str, Any], dict[str, Any]]:
        device = self._buyer.device
        order = device.order(self._seller.account, amount, resource=resource)
        return device.signed(order), facts_of_order(order, device.account)

    def _vouchers(self, session: dict[str, Any]) -> list[Awaitable[None]]:
        promised = sorted(self._luck.sample(range(1, _DEPOSIT + _MORE + 3), 4))
        return [self._draw(session, n, units) for n, units in enumerate(promised, 1)]

    def _ticking(self, session: dict[str, Any]) -> list[Awaitable[None]]:
        """Promise a little by a voucher with a ladder, and the rest by ticks."""
        base = self._luck.randrange(1, _DEPOSIT - _TICKS)
        alias = from_base64url(session["alias"])
        climber = Climber(alias, self._luck.randbytes(16), _TICKS)
        counts = sorted(self._luck.sample(range(1, _TICKS + 1), 3))
        ticks = [self._tick(session, climber, n, base + n * _EACH) for n in counts]
        return [self._draw(session, 1, base, climber.ladder(_EACH)), *ticks]

    async def _draw(
        self, session: dict[str, Any], sequence: int, units: int, ladder: Ladder | None = None
    ) -> None:
        alias, ends = from_base64url(session["alias"]), parse_time(session["ends_at"])
        claims = Claims(alias, units, sequence, ends, ladder)
        agreed = Agreed(
            session["id"],
            session["payee"],
            session["asset"],
            from_base64url(session["tariff_hash"]),
        )
        voucher = to_base64url(sign_voucher(self._signer, agreed, claims))
        await self._ask("vouchers", session, {"voucher": voucher}, units)

    async def _tick(
        self, session: dict[str, Any], climber: Climber, count: int, units: int
    ) -> None:
        alias = from_base64url(session["alias"])
        tick = write_tick(Tick(alias, *climber.rung(count)))
        await self._ask("ticks", session, {"tick": to_base64url(tick)}, units)

    async def _ask(self, what: str, session: dict[str, Any], body: Any, units: int) -> None:
        request = Request("POST", f"/v1/sessions/{session['id']}/{what}", written(body))
        await self._buyer.do("draw", request, session=session["id"], units=units)
