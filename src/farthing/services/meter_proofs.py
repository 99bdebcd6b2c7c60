"""Proving what a payer shows to a payee: a voucher by its signature, a tick by its ladder.

Nobody is asked: a meter keeps the highest promise that was checked, and what is new is checked
against that. Steps are bounded as the hub bounds them, and many of them are made off the loop.
"""

from farthing.core.meters import Meter
from farthing.core.promises import REACH, Promise, bad_tick, promised_by, ticked
from farthing.core.ticks import LADDER_TICKS_MAX, Tick, read_tick
from farthing.core.vouchers import Voucher, read_voucher
from farthing.errors import Unauthenticated
from farthing.services.turns import Turns
from farthing.services.verifying import Verifier
from farthing.threads import Threads

_SHORT_STEPS = 64
"""So many hash steps take less time than handing them to a thread."""

_AT_ONCE, _WAITING_MAX = 1, 2_000


def check_form(raw: bytes, tick: bytes) -> None:
    """Refuse what is neither voucher nor tick, before anything is looked up for it.

    Raises: Malformed `malformed-voucher`, `malformed-tick`.
    """
    if raw:
        read_voucher(raw)
    if tick or not raw:
        read_tick(tick)


class MeterProofs:
    """Checks what is presented for a meter; one climbs at a time, and sessions take turns."""

    def __init__(self, threads: Threads) -> None:
        self._threads, self._verifier = threads, Verifier(threads)
        self._turns = Turns(_AT_ONCE, _WAITING_MAX, "ticks")

    async def promise(self, meter: Meter, raw: bytes, tick: bytes) -> Promise:
        """Check a voucher, a tick, or a tick with its voucher; give what they promise.

        Raises: Malformed; Unauthenticated `bad-voucher`, `bad-tick`; PaymentRefused `tick-too-far`.
        """
        known, reach = meter.promise, LADDER_TICKS_MAX if raw else REACH
        if raw and (known is None or raw != known.raw):
            known = await self._by_voucher(meter, raw)
        if known is None:
            raise bad_tick()
        if tick:
            return await self._by_tick(meter, known, read_tick(tick), reach)
        return promised_by(known.claims, known.raw)

    async def _by_voucher(self, meter: Meter, raw: bytes) -> Promise:
        voucher = read_voucher(raw)
        if not await self._holds(voucher, meter):
            raise Unauthenticated("bad-voucher", "no session here is drawn by this signature")
        return promised_by(voucher.claims, raw)

    async def _holds(self, voucher: Voucher, meter: Meter) -> bool:
        message = voucher.signed_bytes(meter.agreed)
        key = await self._verifier.match([meter.key], voucher.signature, message, meter.session)
        algorithm = meter.key.partition(":")[0]
        return bool(key) and voucher.is_for(algorithm) and voucher.claims.alias == meter.alias

    async def _by_tick(self, meter: Meter, known: Promise, tick: Tick, reach: int) -> Promise:
        if not _SHORT_STEPS < abs(tick.ticks - known.ticks) <= reach:
            return ticked(known, tick, reach)
        async with self._turns.turn(meter.session):
            return await self._threads.run(ticked, known, tick, reach)
