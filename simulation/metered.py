"""A metered purchase: a deposit, vouchers that promise more and more of it, and an end."""

import asyncio
from typing import TYPE_CHECKING, Any

from farthing.clock import parse_time
from farthing.codec import from_base64url, to_base64url
from farthing.core.sessions import Opening
from farthing.core.tariffs import flat_rate
from farthing.core.vouchers import Agreed, Claims, sign_voucher
from simulation.devices import facts_of_order, written
from simulation.sellers import Seller
from simulation.wire import Request

if TYPE_CHECKING:
    from simulation.buyers import Buyer

_TARIFF = flat_rate("USD", "request", 1)
_DEPOSIT = 30
_LIFETIME_SECONDS, _GRACE_SECONDS = 8, 4


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
        vouchers = sorted(self._luck.sample(range(1, _DEPOSIT + 3), 4))
        drawing = [self._draw(session, n, units) for n, units in enumerate(vouchers, 1)]
        if self._luck.random() < 0.3:
            await asyncio.gather(*drawing)
        else:
            for one in drawing:
                await one
        if self._luck.random() < 0.6:
            where = f"/v1/sessions/{session['id']}/close"
            await self._seller.do("close", self._seller.request(where), session=session["id"])

    async def _open(self) -> dict[str, Any] | None:
        opening = Opening(_TARIFF.digest(), _LIFETIME_SECONDS, _GRACE_SECONDS, "GET /readings")
        device = self._buyer.device
        order = device.order(self._seller.account, _DEPOSIT, resource=opening.resource())
        body = device.signed(order) | {"tariff": _TARIFF.members()}
        request = Request("POST", "/v1/sessions", written(body))
        facts = facts_of_order(order, device.account)
        opened = await self._buyer.do("open", request, **facts)
        return opened.told.get("session") if opened is not None else None

    async def _draw(self, session: dict[str, Any], sequence: int, units: int) -> None:
        claims = Claims(
            from_base64url(session["alias"]), units, sequence, parse_time(session["ends_at"])
        )
        agreed = Agreed(
            session["id"],
            session["payee"],
            session["asset"],
            from_base64url(session["tariff_hash"]),
        )
        voucher = to_base64url(sign_voucher(self._signer, agreed, claims))
        where = f"/v1/sessions/{session['id']}/vouchers"
        request = Request("POST", where, written({"voucher": voucher}))
        await self._buyer.do("draw", request, session=session["id"], units=units)
