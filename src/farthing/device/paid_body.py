"""The body of an answer that was paid for: the payment is settled once it has been read.

If the connection breaks in the middle, the credential stays in the journal, and the same request
again asks for the kept answer with it instead of paying a second time.
"""

from collections.abc import AsyncIterator

import httpx
from anyio import CancelScope, to_thread

from farthing.device.journal import Claimed
from farthing.errors import OutcomeUnknown


class PaidBody(httpx.AsyncByteStream):
    """Passes a body on, and resolves its payment when it is closed unbroken.

    Shape: one whose outcome is open is not `settled`, and stays in the journal.
    """

    def __init__(
        self, body: httpx.AsyncByteStream, claimed: Claimed, *, settled: bool = True
    ) -> None:
        self._body = body
        self._claimed = claimed
        self._settled = settled
        self._broken = False

    async def __aiter__(self) -> AsyncIterator[bytes]:
        """Pass the body on.

        Raises: OutcomeUnknown `answer-lost` when the connection breaks.
        """
        try:
            async for chunk in self._body:
                yield chunk
        except httpx.TransportError as fault:
            self._broken = True
            was = "paid, but" if self._settled else "not known to be paid, and"
            code = "answer-lost" if self._settled else "outcome-unknown"
            detail = f"{was} the answer broke off ({fault or type(fault).__name__}); "
            again = "the same request again asks for it without paying twice"
            payment = self._claimed.entry.payment
            raise OutcomeUnknown(code, detail + again, payment=payment) from fault

    async def aclose(self) -> None:
        """Close the body below; the payment is settled unless the body broke off."""
        with CancelScope(shield=True):
            over = self._settled and not self._broken
            settle = self._claimed.resolve if over else self._claimed.release
            await to_thread.run_sync(settle)
            await self._body.aclose()
