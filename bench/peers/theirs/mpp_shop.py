# pyright: basic, reportMissingImports=false
"""A shop with pympp's own server: `python -m bench.peers.theirs.mpp_shop PORT FACILITATOR`.

It keeps one connection to the facilitator; by default pympp opens a new client for each request,
which would cost it more than all else.
"""

import sys

import httpx
import uvicorn
from fastapi import FastAPI, Request
from mpp.methods.evm import server as evm
from mpp.server import Mpp, pay
from mpp.x402.facilitator import HttpFacilitator

from bench.peers.theirs.chained import DOLLAR, DOMAIN, PAGE, account

app = FastAPI()
server = Mpp(
    methods=evm.charge(
        currency=DOLLAR,
        recipient=account(1).address,
        chain_id=31337,
        decimals=6,
        authorization=DOMAIN,
        facilitator=HttpFacilitator(sys.argv[2], client=httpx.AsyncClient(trust_env=False)),
    ),
    realm="bench.example",
    secret_key="of a benchmark",
)


@app.get("/page")
@pay(server.charge(amount="0.0015"))
async def page(request: Request, credential, receipt) -> dict:  # noqa: ARG001 - they are given
    """Serve the page."""
    return PAGE


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
