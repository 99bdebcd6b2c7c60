"""What seller and payer say of vouchers in a metered WebSocket, from the payer's side.

Source: docs/reference/metering.md, "Over a WebSocket".
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import Any

from farthing.device.hub_calls import read_object, text_of
from farthing.device.sessions import UNHEARD
from farthing.errors import PaymentRefused
from farthing.money import parse_units

_NEED, _REFUSED, _RECEIPT = "farthing-need-voucher", "farthing-refused", "farthing-receipt"
_AGAIN_MAX = 4


class SocketWords:
    """Answers a seller's words. Shape: `promise` is asked for units in all and whether the voucher
    has to be shown anew, and gives words; `receipt` says how the session stood at the end.
    """

    def __init__(self, promise: Callable[[int, bool], Awaitable[Sequence[str]]]) -> None:
        self._promise = promise
        self._needed = self._again = 0
        self.receipt: dict[str, str] = {}

    async def answer(self, message: str) -> Sequence[str] | None:
        """Give what to say; None for a message that is not about vouchers.

        Raises: WillNotPay; PaymentRefused.
        """
        word, _, rest = message.partition(" ")
        if word not in (_NEED, _REFUSED, _RECEIPT):
            return None
        told = read_object(rest.encode())
        if word == _NEED:
            self._needed = parse_units(text_of(told, "requiredCumulative"))
            return await self._promise(self._needed, False)
        if word == _REFUSED:
            return await self._refused(text_of(told, "code"), text_of(told, "detail"))
        self.receipt = {
            "session": text_of(told, "reference"),
            "promised": _units(told, "acceptedCumulative"),
            "owed": _units(told, "spent"),
            "count": _units(told, "count"),
        }
        return []

    async def _refused(self, code: str, detail: str) -> Sequence[str]:
        """Show a tick once more with its voucher; what is promised already needs nothing."""
        if code == "voucher-superseded":
            return []
        self._again += 1
        if code not in UNHEARD or self._again > _AGAIN_MAX:
            raise PaymentRefused(code or "payment-required", detail)
        return await self._promise(self._needed, True)


def _units(told: Mapping[str, Any], name: str) -> str:
    return str(parse_units(text_of(told, name)))
