"""Buy a stream by the second: python examples/metered_buyer.py PURSE URL ["0.0001 USD"].

With a price at the end it signs once, and pays by hashes that are worth so much each.
"""

import asyncio
import sys
from pathlib import Path

from farthing.device import Client, open_purse


async def main(purse: str, url: str, tick: str | None = None) -> None:
    async with (
        Client(open_purse(Path(purse))) as client,
        client.session(url, deposit="0.01 USD", ahead="0.0003 USD", tick=tick) as shop,
    ):
        async with shop.stream("GET", "/ticks") as answer:
            async for line in answer.aiter_lines():
                print(line)
        print(await shop.close(), file=sys.stderr)


asyncio.run(main(*sys.argv[1:]))
