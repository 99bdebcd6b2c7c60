"""A device's side of sessions: open, top up, promise more and more of the deposit, end."""

from collections.abc import Callable
from typing import Any, cast

import httpx

from farthing import ids
from farthing.clock import NS, Clock, system_clock
from farthing.codec import canonical_json, read_json, to_base64url
from farthing.core.orders import Order
from farthing.core.sessions import GRACE_SECONDS, Opening, session_ordered, top_up_resource
from farthing.core.tariffs import Tariff
from farthing.device.hub_calls import ask_hub
from farthing.device.opened import opened_session
from farthing.device.purse import Purse
from farthing.errors import Forbidden, OutcomeUnknown
from farthing.session_files import Kept, SessionFiles, Shown

ORDER_SECONDS = 600
UNHEARD = ("bad-tick", "tick-too-far")
"""What is answered to a tick whose voucher was not heard, or too few ticks before it."""


class DeviceSessions:
    """Opens sessions at the hub and signs their vouchers.

    Shape: `http` reaches the hub; every voucher is made here without it.
    """

    def __init__(
        self,
        purse: Purse,
        files: SessionFiles,
        http: httpx.AsyncClient,
        *,
        clock: Clock = system_clock,
        fresh: Callable[[int], int] = ids.fresh,
        plain_http: bool = False,
    ) -> None:
        self._purse, self.files, self._http = purse, files, http
        self._clock, self._fresh, self._plain_http = clock, fresh, plain_http
        self._heard: dict[str, bytes] = {}

    async def open(
        self,
        payee: str,
        tariff: Tariff,
        deposit: int,
        *,
        lifetime_seconds: int,
        grace_seconds: int = GRACE_SECONDS,
        purpose: str = "",
    ) -> Kept:
        """Open a session: its file first, then the deposit.

        Raises: Forbidden with the hub's reason, when nothing is held; OutcomeUnknown, after which
                `resume` goes on; Unavailable.
        """
        opening = Opening(tariff.digest(), lifetime_seconds, grace_seconds, purpose)
        order = self._order(payee, tariff.asset, deposit, opening.resource())
        body = self._body(order) | {"tariff": tariff.members()}
        kept = Kept(
            session=session_ordered(order),
            payee=payee,
            asset=tariff.asset,
            tariff=to_base64url(tariff.digest()),
            deposit=deposit,
            ends=0,
            opening=canonical_json(body).decode(),
            purpose=purpose,
        )
        self.files.keep(kept)
        return await self.send(kept)

    async def resume(self) -> list[Kept]:
        """Send again what was being opened when this device stopped; give what is open now."""
        opened = [await self.send(kept) for kept in self.files.all() if kept.opening]
        return list({kept.session: kept for kept in opened}.values())

    async def send(self, kept: Kept) -> Kept:
        """Send the order that opens a session, for the first time or again."""
        try:
            told = await self._ask("/v1/sessions", cast(dict[str, Any], read_json(kept.opening)))
        except Forbidden:
            self.files.forget(kept.session)  # The hub has said no, and holds nothing.
            raise
        opened = opened_session(self._purse, kept, told)
        if opened is None:
            raise OutcomeUnknown(
                "awaiting-owner", "the owner is asked; resume later", session=kept.session
            )
        opened = self.files.begin(opened)
        if opened.session != kept.session:
            self.files.forget(kept.session)
        return opened

    async def top_up(self, session: str, deposit: int) -> Kept:
        """Add to a session's deposit.

        Raises: Forbidden with the hub's reason; Unavailable.
        """
        kept = self.files.read(session)
        order = self._order(kept.payee, kept.asset, deposit, top_up_resource(session))
        told = await self._ask(f"/v1/sessions/{session}/deposits", self._body(order))
        if told.get("session") is None:
            raise OutcomeUnknown("awaiting-owner", "the owner is asked", session=session)
        return self.files.add(session, deposit)

    def promise(self, session: str, units: int) -> bytes:
        """Promise `units` in all, and give the voucher's bytes; no network is needed."""
        return self.files.promise(session, units, self._purse.signer)

    def climb(self, session: str, units: int, each: int) -> Shown:
        """Promise at least `units` in all by ticks of `each`; no network is needed."""
        return self.files.climb(session, units, each, self._purse.signer)

    def shown(self, session: str) -> Shown:
        """Give once more what was promised last."""
        return self.files.shown(session, self._purse.signer)

    async def draw(self, session: str, units: int, each: int = 0) -> dict[str, Any]:
        """Promise `units` in all and tell the hub at once; by ticks of `each` where that is given.

        Shape: a tick goes by itself once the hub has seen its voucher.
        """
        if not each:
            return await self._show(session, Shown(self.promise(session, units)))
        shown = self.climb(session, units, each)
        if self._heard.get(session) == shown.voucher:
            body = {"tick": to_base64url(shown.tick)}
            try:
                return await self._ask(f"/v1/sessions/{session}/ticks", body)
            except Forbidden as refused:
                if refused.code not in UNHEARD:
                    raise
        told = await self._show(session, shown)
        self._heard[session] = shown.voucher
        return told

    async def _show(self, session: str, shown: Shown) -> dict[str, Any]:
        body = {"voucher": to_base64url(shown.voucher)}
        if shown.tick:
            body["tick"] = to_base64url(shown.tick)
        return await self._ask(f"/v1/sessions/{session}/vouchers", body)

    def _order(self, payee: str, asset: str, amount: int, resource: str) -> Order:
        now_ns = self._clock()
        return Order(
            hub=self._purse.hub,
            device=self._purse.device,
            payee=payee,
            asset=asset,
            amount=amount,
            nonce=ids.encode(self._fresh(now_ns // 1_000_000)),
            expires=now_ns // NS + ORDER_SECONDS,
            resource=resource,
        )

    def _body(self, order: Order) -> dict[str, Any]:
        signed = self._purse.sign(order)
        return {"order": order.members(), "signature": to_base64url(signed.signature)}

    async def _ask(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        url = self._purse.hub_url.rstrip("/") + path
        return await ask_hub(self._http, url, body, plain_http=self._plain_http)
