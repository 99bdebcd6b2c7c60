# pyright: basic, reportMissingImports=false
"""Stock x402 clients that buy a page again and again: `… x402_payer URL CLIENTS SECONDS`."""

import asyncio
import secrets
import sys

import httpx
from x402 import x402Client
from x402.http.clients.httpx import x402AsyncTransport
from x402.mechanisms.evm.batch_settlement.client import (
    BatchSettlementDepositPolicy,
    BatchSettlementEvmScheme,
    BatchSettlementEvmSchemeOptions,
)
from x402.mechanisms.evm.exact.client import ExactEvmScheme

from bench.peers.theirs import paying
from bench.peers.theirs.chained import NETWORK, account

FIRST_PAYER = 2
_DEPOSIT_OF_PRICES = 1_000_000


def _client(number: int) -> httpx.AsyncClient:
    own = account(FIRST_PAYER + number)
    stock = x402Client().set_spend_controls(False)
    stock.register(NETWORK, ExactEvmScheme(own))
    policy = BatchSettlementDepositPolicy(deposit_multiplier=_DEPOSIT_OF_PRICES)
    options = BatchSettlementEvmSchemeOptions(policy, salt=f"0x{secrets.token_hex(32)}")
    stock.register(NETWORK, BatchSettlementEvmScheme(own, options))  # A channel of its own.
    inner = httpx.AsyncHTTPTransport()
    return httpx.AsyncClient(
        transport=x402AsyncTransport(stock, inner), trust_env=False, timeout=30
    )


def _payer(client: httpx.AsyncClient, url: str) -> paying.Pay:
    async def pay() -> None:
        answer = await client.get(url)
        answer.raise_for_status()

    return pay


async def main(url: str, clients: int, seconds: float) -> None:
    """Buy."""
    await paying.run([_payer(_client(i), url) for i in range(clients)], seconds)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
