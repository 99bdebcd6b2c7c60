# pyright: basic, reportMissingImports=false
"""An x402 facilitator as its package shows it: `python -m bench.peers.theirs.facilitator PORT`.

It has the synchronous scheme on FastAPI's threads, so that it can wait for several receipts at
once.
"""

import sys

import uvicorn
from fastapi import FastAPI
from x402 import x402FacilitatorSync
from x402.mechanisms.evm import FacilitatorWeb3Signer
from x402.mechanisms.evm.batch_settlement.authorizer_signer import LocalAuthorizerSigner
from x402.mechanisms.evm.batch_settlement.facilitator import BatchSettlementEvmFacilitator
from x402.mechanisms.evm.exact.facilitator import ExactEvmScheme
from x402.schemas import PaymentPayload, PaymentRequirements

from bench.peers.theirs.chained import NETWORK, URL, account

app = FastAPI()
own = account(0)
signer = FacilitatorWeb3Signer(own.key.hex(), URL)
facilitator = x402FacilitatorSync()
facilitator.register([NETWORK], ExactEvmScheme(signer))
facilitator.register([NETWORK], BatchSettlementEvmFacilitator(signer, LocalAuthorizerSigner(own)))


@app.get("/supported")
def supported() -> dict:
    """Tell which schemes there are."""
    return facilitator.get_supported().model_dump(by_alias=True, exclude_none=True)


@app.post("/verify")
def verify(asked: dict) -> dict:
    """Check a payment."""
    return facilitator.verify(*_read(asked)).model_dump(by_alias=True, exclude_none=True)


@app.post("/settle")
def settle(asked: dict) -> dict:
    """Bring a payment to the chain and wait for it."""
    return facilitator.settle(*_read(asked)).model_dump(by_alias=True, exclude_none=True)


def _read(asked: dict) -> tuple[PaymentPayload, PaymentRequirements]:
    return (
        PaymentPayload.model_validate(asked["paymentPayload"]),
        PaymentRequirements.model_validate(asked["paymentRequirements"]),
    )


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
