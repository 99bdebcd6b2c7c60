# pyright: basic, reportMissingImports=false
"""Stock pympp clients that buy a page again and again: `… mpp_payer URL CLIENTS SECONDS`."""

import asyncio
import sys

from mpp.client import Mpp
from mpp.methods.evm import client as evm

from bench.peers.theirs import paying
from bench.peers.theirs.chained import DOLLAR, DOMAIN, account

FIRST_PAYER = 2


def _payer(number: int, url: str) -> paying.Pay:
    method = evm.charge(
        currency=DOLLAR,
        account=account(FIRST_PAYER + number),
        chain_id=31337,
        decimals=6,
        authorization=DOMAIN,
    )
    client = Mpp(methods=[method]).client(timeout=30, trust_env=False)

    async def pay() -> None:
        answer = await client.get(url)
        answer.raise_for_status()

    return pay


async def main(url: str, clients: int, seconds: float) -> None:
    """Buy."""
    await paying.run([_payer(i, url) for i in range(clients)], seconds)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3])))
