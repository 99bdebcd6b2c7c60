"""Pay in hub money with a stock pympp client: `Mpp(methods=[charge(signer, device)])`.

Needs the `mpp` extra. Source: draft-httpauth-payment-00; pympp 0.16's `ClientMethod`.
"""

from farthing.clock import Clock, system_clock
from farthing.errors import FarthingError, Malformed, PlugMissing
from farthing.keys import Signer
from farthing.plugs.paying import Limits, Payer
from farthing.protocols import mpp_client, names
from farthing.protocols.client import Ask

try:
    from mpp import Challenge
    from mpp.methods import Method
    from mpp.runtime import ClientMethod, CredentialParams
    from pydantic import BaseModel, ConfigDict
except ImportError as missing:
    raise PlugMissing("mpp-missing", "run: pip install 'farthing[mpp]'") from missing


class MethodDetails(BaseModel):
    """What our method adds to the request of a charge."""

    hub: str
    resource: str


class ChargeRequest(BaseModel):
    """The request of a charge in hub money."""

    model_config = ConfigDict(extra="ignore")

    amount: str
    currency: str
    recipient: str
    methodDetails: MethodDetails  # noqa: N815
    description: str | None = None


class ChargePayload(BaseModel):
    """The proof of a charge in hub money."""

    model_config = ConfigDict(extra="forbid")

    device: str
    signature: str


METHOD = Method(
    name=names.METHOD,
    intent=names.INTENT,
    request_model=ChargeRequest,
    payload_model=ChargePayload,
)


def charge(
    signer: Signer,
    device: str,
    *,
    limits: Limits | None = None,
    clock: Clock = system_clock,
) -> ClientMethod:
    """Make the stock client's method that pays `farthing/charge` challenges."""
    payer = Payer(signer, device, limits or Limits(), clock)

    def can_handle(challenge: Challenge) -> bool:
        try:
            return payer.limits.fault(_ask(challenge)) is None
        except FarthingError:
            return False

    async def create_credential(params: CredentialParams) -> str:
        ask = _ask(params.challenge)
        return mpp_client.credential(ask.raw, payer.sign(ask))

    return ClientMethod(
        method=METHOD, create_credential=create_credential, can_handle_challenge=can_handle
    )


def _ask(challenge: Challenge) -> Ask:
    echo = challenge.to_echo()
    sent = {name: getattr(echo, name) for name in mpp_client.ECHOED}
    try:
        members = mpp_client.ask_members(
            {name: value for name, value in sent.items() if value is not None}
        )
    except KeyError:
        raise Malformed("malformed-challenge", "the challenge lacks a parameter") from None
    return Ask(**members)
