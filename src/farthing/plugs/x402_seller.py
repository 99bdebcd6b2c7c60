"""Sell for hub money behind a stock x402 seller, with the hub as its facilitator.

Needs the `x402` extra:

    server = x402ResourceServer(facilitator("https://hub.example", api_key))
    server.register("farthing:*", FarthingServerScheme())

Source: x402 specification v2; the `x402` package's `SchemeNetworkServer` protocol.
"""

import re
from collections.abc import Mapping
from typing import Any, ClassVar

from farthing.core.sessions import GRACE_SECONDS
from farthing.errors import PlugMissing
from farthing.money import Asset, MalformedPrice, parse_price, parse_units
from farthing.protocols import names
from farthing.protocols.x402_batch import LIFETIME_SECONDS

try:
    from x402.http import FacilitatorConfig, HTTPFacilitatorClient
    from x402.http.facilitator_client_base import AuthHeaders
    from x402.interfaces import PaymentFlowConfig
    from x402.schemas import AssetAmount, PaymentRequirements, SupportedKind
except ImportError as missing:
    raise PlugMissing("x402-missing", "run: pip install 'farthing[x402]'") from missing

ASSETS: Mapping[str, Asset] = {code: Asset(code, 6) for code in ("USD", "EUR")}
"""The assets every hub starts with."""

_DOLLARS = re.compile(r"\$ ?([0-9.]+)", re.ASCII)


class FarthingServerScheme:
    """The `exact` scheme on `farthing:*` for a stock `x402ResourceServer`."""

    scheme = names.SCHEME
    default_asset_transfer_method = "default"
    payment_flows: ClassVar[Mapping[str, PaymentFlowConfig]] = {
        "default": {"supported": ("authorization",), "default": "authorization"}
    }

    def __init__(self, assets: Mapping[str, Asset] = ASSETS) -> None:
        self._assets = dict(assets)

    def parse_price(self, price: Any, network: str) -> AssetAmount:  # noqa: ARG002
        """Read `"$0.0015"`, `"0.0015 EUR"`, or an asset amount in smallest units; never a float.

        Raises: MalformedPrice; a price is never rounded.
        """
        if isinstance(price, AssetAmount):
            return self._counted(price)
        if isinstance(price, dict):
            return self._counted(AssetAmount.model_validate(price))
        if not isinstance(price, str):
            raise MalformedPrice('write a price as text, such as "$0.0015" or "0.0015 EUR"')
        dollars = _DOLLARS.fullmatch(price)
        amount = parse_price(f"{dollars[1]} USD" if dollars else price, self._assets)
        return AssetAmount(amount=str(amount.units), asset=amount.asset.code)

    def enhance_payment_requirements(
        self,
        requirements: PaymentRequirements,
        supported_kind: SupportedKind,  # noqa: ARG002
        extensions: list[str],  # noqa: ARG002
    ) -> PaymentRequirements:
        """Give the requirements back as they are: nothing has to be added."""
        return requirements

    def _counted(self, price: AssetAmount) -> AssetAmount:
        parse_units(price.amount)
        if price.asset not in self._assets:
            raise MalformedPrice(f"this seller's assets are {', '.join(sorted(self._assets))}")
        return price


class FarthingUptoServer(FarthingServerScheme):
    """The `upto` scheme on `farthing:*`: a price is the most, and the seller settles for less."""

    scheme = names.UPTO


class FarthingBatchServer(FarthingServerScheme):
    """The `batch-settlement` scheme on `farthing:*`: the hub counts what each session is charged.

    Shape: `purpose` is what sessions are opened for, such as the shop's name: one session pays
           for every route of the shop. `lifetime_seconds` and `grace_seconds` are a session's.
    """

    scheme = names.BATCH

    def __init__(
        self,
        purpose: str = "",
        *,
        lifetime_seconds: int = LIFETIME_SECONDS,
        grace_seconds: int = GRACE_SECONDS,
        assets: Mapping[str, Asset] = ASSETS,
    ) -> None:
        super().__init__(assets)
        self._extra = {
            "purpose": purpose,
            "lifetime": str(lifetime_seconds),
            "grace": str(grace_seconds),
        }

    def enhance_payment_requirements(
        self,
        requirements: PaymentRequirements,
        supported_kind: SupportedKind,  # noqa: ARG002
        extensions: list[str],  # noqa: ARG002
    ) -> PaymentRequirements:
        """Say what sessions are opened for; what the route says itself is left as it is."""
        requirements.extra = self._extra | (requirements.extra or {})
        return requirements


class SellerKey:
    """Authenticates a stock facilitator client at the hub with a seller's API key."""

    def __init__(self, api_key: str) -> None:
        self._fields = {"Authorization": f"Bearer {api_key}"}

    def get_auth_headers(self) -> AuthHeaders:
        """Give the header fields for each of the facilitator's endpoints."""
        return AuthHeaders(
            verify=dict(self._fields), settle=dict(self._fields), supported=dict(self._fields)
        )


def facilitator(
    hub_url: str, api_key: str, *, http_client: Any = None, timeout_seconds: float = 30.0
) -> HTTPFacilitatorClient:
    """Make a stock facilitator client that settles at this hub."""
    return HTTPFacilitatorClient(
        FacilitatorConfig(
            url=hub_url,
            timeout=timeout_seconds,
            http_client=http_client,
            auth_provider=SellerKey(api_key),
        )
    )
