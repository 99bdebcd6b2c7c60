# pyright: basic, reportMissingImports=false
"""A shop with x402's own middleware: `python -m bench.peers.theirs.x402_shop PORT FACILITATOR`.

It sells one small page twice, as `/exact` and as `/voucher`, the latter by batch-settlement.
"""

import sys

import uvicorn
from fastapi import FastAPI
from x402 import x402ResourceServer
from x402.http import FacilitatorConfig, HTTPFacilitatorClient
from x402.http.middleware.fastapi import payment_middleware
from x402.http.types import PaymentOption, RouteConfig
from x402.mechanisms.evm.batch_settlement.server import BatchSettlementEvmScheme
from x402.mechanisms.evm.exact.server import ExactEvmScheme
from x402.schemas import AssetAmount

from bench.peers.theirs.chained import DOLLAR, DOMAIN, NETWORK, PAGE, PRICE, account

app = FastAPI()
payee = account(1).address
server = x402ResourceServer(HTTPFacilitatorClient(FacilitatorConfig(url=sys.argv[2])))
server.register(NETWORK, ExactEvmScheme())
server.register(NETWORK, BatchSettlementEvmScheme(payee))


def _route(scheme: str) -> RouteConfig:
    price = AssetAmount(amount=str(PRICE), asset=DOLLAR, extra=dict(DOMAIN))
    return RouteConfig(PaymentOption(scheme, payee, price, NETWORK))


_routes = {"GET /exact": _route("exact"), "GET /voucher": _route("batch-settlement")}
app.middleware("http")(payment_middleware(_routes, server))


@app.get("/exact")
@app.get("/voucher")
async def page() -> dict:
    """Serve the page."""
    return PAGE


if __name__ == "__main__":
    uvicorn.run(app, host="127.0.0.1", port=int(sys.argv[1]), log_level="warning")
