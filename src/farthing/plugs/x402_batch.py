"""Pay by `batch-settlement` with a stock x402 client: one deposit, then a voucher per request.

    x402Client().register("farthing:*", FarthingBatch(signer, device, folder, {"USD": 50_000}))

Source: x402 specification v2, scheme `batch-settlement`; docs/reference/methods.md.
"""

from collections.abc import Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

from farthing.batch_sessions import BatchSessions
from farthing.clock import Clock, system_clock
from farthing.errors import PaymentRefused
from farthing.keys import Signer
from farthing.plugs.paying import SCALES, Limits
from farthing.plugs.x402_client import Requirements
from farthing.protocols import names
from farthing.protocols.x402_answers import ChannelState, channel_state
from farthing.protocols.x402_batch import BatchAsk, batch_ask
from farthing.session_files import SessionFiles


class FarthingBatch:
    """The `batch-settlement` scheme on `farthing:*`: opens sessions, and signs their vouchers.

    Units: `deposits` is what is held for a session, in smallest units, by asset code; it is the
           most that is at stake with one seller. When it is used up, as much is held again.
    Shape: `folder` keeps the counters, on disk before each signature; programs and threads of the
           same device may share it.
    """

    scheme: str = names.BATCH

    def __init__(
        self,
        signer: Signer,
        device: str,
        folder: Path,
        deposits: Mapping[str, int],
        *,
        limits: Limits | None = None,
        assets: Mapping[str, int] = SCALES,
        clock: Clock = system_clock,
    ) -> None:
        self._files = SessionFiles(folder)
        self._sessions = BatchSessions(signer, device, self._files, clock)
        self._deposits, self._assets = dict(deposits), dict(assets)
        self._limits = limits or Limits()
        self.scheme_hooks = SimpleNamespace(on_payment_response=self.on_payment_response)

    def find_default_asset(self, asset: str, network: str) -> dict[str, Any] | None:
        """Tell the stock client's spend controls what an asset is."""
        if names.hub_of(network) is None or asset not in self._assets:
            return None
        return {"symbol": asset, "address": asset, "decimals": self._assets[asset]}

    def create_payment_payload(self, requirements: Requirements) -> dict[str, Any]:
        """Promise what one request may cost, from a deposit that is held for its seller.

        Raises: PaymentRefused beyond the limits or the deposit; Malformed for a requirement of
                another kind.
        """
        ask = batch_ask(requirements.model_dump(by_alias=True))
        self._check(ask)
        return self._sessions.payload(ask, self._deposits[ask.asset])

    def on_payment_response(self, context: Any) -> Any:
        """Note what was charged, or what to do otherwise; the stock client then tries once more."""
        payload = cast(dict[str, Any], context.payment_payload.payload)
        settled, refused = context.settle_response, context.payment_required
        if settled is not None and settled.success:
            self._sessions.served(payload, channel_state(settled.extra).charged)
            return None
        error = (settled.error_reason if settled is not None else None) or ""
        error = error or (refused.error if refused is not None else "") or ""
        more = self._sessions.refused(payload, error, _told(refused))
        return _recovered() if more else None

    def _check(self, ask: BatchAsk) -> None:
        fault = self._limits.fault(ask.whole)
        if fault is not None:
            raise PaymentRefused(fault, "this client was not told to sign such a payment")
        if ask.amount > self._deposits.get(ask.asset, 0):
            raise PaymentRefused("above-limit", "one request costs more than the deposit")


def _told(refused: Any) -> ChannelState:
    """Read what a 402 says of how a session stands."""
    for accepted in refused.accepts if refused is not None else ():
        if (state := channel_state(accepted.extra)) != ChannelState():
            return state
    return ChannelState()


def _recovered() -> Any:
    """Tell the stock client to try once more; it is imported where it is in use."""
    from x402.schemas import RecoveredResponseResult  # noqa: PLC0415

    return RecoveredResponseResult()
