"""Stock clients that buy from a shop on Farthing: `… own_payer FILE URL KIND CLIENTS SECONDS`.

They are the clients that buy from the peers, with our method plugged in.
"""

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path

import httpx
import msgspec
from mpp.client.transport import Mpp
from x402 import x402Client
from x402.http.clients.httpx import x402AsyncTransport

from bench.kept_fleet import KeptSpender
from bench.peers.theirs import paying
from farthing.keys import Ed25519Signer
from farthing.plugs.pympp_client import charge
from farthing.plugs.x402_client import FarthingScheme


def _x402(signer: Ed25519Signer, device: str) -> httpx.AsyncClient:
    stock = x402Client().register("farthing:*", FarthingScheme(signer, device))
    transport = x402AsyncTransport(stock, httpx.AsyncHTTPTransport())
    return httpx.AsyncClient(transport=transport, trust_env=False, timeout=30)


def _mpp(signer: Ed25519Signer, device: str) -> httpx.AsyncClient:
    return Mpp(methods=[charge(signer, device)]).client(trust_env=False, timeout=30)


KINDS: dict[str, Callable[[Ed25519Signer, str], httpx.AsyncClient]] = {"x402": _x402, "mpp": _mpp}


def _payer(client: httpx.AsyncClient, url: str) -> paying.Pay:
    async def pay() -> None:
        answer = await client.get(url)
        answer.raise_for_status()

    return pay


async def main(
    spenders: list[KeptSpender], url: str, kind: str, clients: int, seconds: float
) -> None:
    """Buy."""
    made = [
        KINDS[kind](Ed25519Signer(spender.seed), spender.device) for spender in spenders[:clients]
    ]
    await paying.run([_payer(client, url) for client in made], seconds)


if __name__ == "__main__":
    _, _file, _url, _kind, _clients, _seconds = sys.argv
    _spenders = msgspec.msgpack.decode(Path(_file).read_bytes(), type=list[KeptSpender])
    asyncio.run(main(_spenders, _url, _kind, int(_clients), float(_seconds)))
