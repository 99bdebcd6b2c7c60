# pyright: basic, reportMissingImports=false
"""Wallets that receive a token again and again: `… cashu_payer URL CLIENTS SECONDS FOLDER`.

What is handed over is swapped at the mint for what only the receiver knows: that is the payment.
"""

import asyncio
import sys

from cashu.wallet.wallet import Wallet

from bench.peers.theirs import paying

_TRIES = 100


async def _payer(url: str, folder: str) -> paying.Pay:
    wallet = await Wallet.with_db(url, folder, name="wallet")
    await wallet.load_mint()
    quote = await wallet.request_mint(1)
    for _ in range(_TRIES):
        if (await wallet.get_mint_quote(quote.quote)).paid:
            break
        await asyncio.sleep(0.1)
    token = await wallet.mint(1, quote_id=quote.quote, split=[1])

    async def pay() -> None:
        nonlocal token
        token, _ = await wallet.redeem(token)

    return pay


async def main(url: str, clients: int, seconds: float, folder: str) -> None:
    """Pay."""
    await paying.run([await _payer(url, f"{folder}/{i}") for i in range(clients)], seconds)


if __name__ == "__main__":
    asyncio.run(main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), sys.argv[4]))
