"""A socket of vouchers, driven by hand: what a wire cannot be made to do at the right moment."""

import asyncio
from pathlib import Path
from typing import Any

from farthing.clock import NS
from farthing.web.api.rates import Rates
from farthing.web.api.voucher_socket import IN_FLIGHT_MAX, VoucherSocket

from .town import Town, open_town

SCOPE: dict[str, Any] = {
    "type": "websocket",
    "headers": [],
    "client": ("192.0.2.1", 1),
    "path": "/v1/vouchers",
}


class Wire:
    """Brings messages without end; it is cut off when no more of them are taken."""

    def __init__(self) -> None:
        self.brought, self.told = 0, 0

    async def receive(self) -> Any:
        await asyncio.sleep(0)
        self.brought += 1
        return {"type": "websocket.receive", "text": "{"}

    async def send(self, message: Any) -> None:
        if message["type"] != "websocket.send":
            return
        self.told += 1
        before = -1
        while before != self.brought:
            before = self.brought
            await asyncio.sleep(0.05)
        raise OSError


def socket_of(town: Town) -> VoucherSocket:
    desk = town.hub.desk
    rates = Rates(desk.config, lambda: town.clock() / NS)
    return VoucherSocket(desk, rates, SCOPE, None)


async def test_a_socket_that_is_cut_off_while_as_many_wait_as_may_ends_at_once(tmp_path: Path):
    async with open_town(tmp_path) as town:
        wire = Wire()
        await asyncio.wait_for(socket_of(town)(wire.receive, wire.send), 10)
        assert wire.told == 1
        assert wire.brought >= IN_FLIGHT_MAX
