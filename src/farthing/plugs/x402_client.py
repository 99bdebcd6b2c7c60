"""Pay in hub money with a stock x402 client: `x402Client().register("farthing:*", scheme)`.

Source: x402 specification v2; the `x402` package's `SchemeNetworkClient` protocol.
"""

from collections.abc import Mapping
from typing import Any, Protocol

from farthing.clock import Clock, system_clock
from farthing.keys import Signer
from farthing.plugs.paying import SCALES, Limits, Payer
from farthing.protocols import names, x402_client
from farthing.protocols.client import Ask


class Requirements(Protocol):
    """The stock package's `PaymentRequirements`, as far as it is used here."""

    def model_dump(self, *, by_alias: bool) -> dict[str, Any]: ...


class FarthingScheme:
    """The `exact` scheme on `farthing:*`: signs what the stock client has decided to pay.

    Shape: `assets` maps the codes a client may spend without an `allowed_assets` entry of its
           own to their decimals. The stock client's cap of so many dollars applies to them.
    """

    scheme: str = names.SCHEME

    def __init__(
        self,
        signer: Signer,
        device: str,
        *,
        limits: Limits | None = None,
        assets: Mapping[str, int] = SCALES,
        clock: Clock = system_clock,
    ) -> None:
        self._payer = Payer(signer, device, limits or Limits(), clock)
        self._assets = dict(assets)

    def create_payment_payload(self, requirements: Requirements) -> dict[str, Any]:
        """Sign one requirement and give the scheme's part of the payment payload.

        Raises: PaymentRefused beyond the limits; Malformed for a requirement of another kind.
        """
        asked = requirements.model_dump(by_alias=True)
        ask = Ask(**x402_client.ask_members(asked, (self.scheme,)))
        signed = self._payer.sign(ask)
        return dict(x402_client.payload(signed.order, signed.signature))

    def find_default_asset(self, asset: str, network: str) -> dict[str, Any] | None:
        """Tell the stock client's spend controls what an asset is."""
        if names.hub_of(network) is None or asset not in self._assets:
            return None
        return {"symbol": asset, "address": asset, "decimals": self._assets[asset]}


class FarthingUpto(FarthingScheme):
    """The `upto` scheme on `farthing:*`: signs the most that a seller may take for one request."""

    scheme = names.UPTO
