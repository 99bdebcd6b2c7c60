"""x402 on a local chain with its own package on both sides: `exact`, and batch-settlement."""

import contextlib
from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.figures import Figure
from bench.peers import chain
from bench.peers.base import Asked, Peer
from bench.peers.children import Child, paid, serving
from bench.peers.places import python_place, versions
from bench.processes import free_port

PACKAGES = ("x402[evm,fastapi,httpx]==2.25.0",)
_TOLD = ("x402", "web3", "fastapi", "uvicorn")
_THEIRS = "bench.peers.theirs"


def install() -> dict[str, str]:
    """Fetch the chain and the package."""
    return {**chain.install(), **versions(python_place("x402", PACKAGES), _TOLD)}


@contextlib.contextmanager
def facilitator(on: chain.Chain, folder: Path) -> Iterator[tuple[Child, str]]:
    """Run a facilitator on a chain, and give its URL."""
    port, python = free_port(), str(python_place("x402", PACKAGES))
    command = [python, "-m", f"{_THEIRS}.facilitator", str(port)]
    with serving(command, port, folder / "facilitator.log", env=on.env) as child:
        yield child, f"http://127.0.0.1:{port}"


def bought(asked: Asked, name: str, python: Path, language: str, path: str) -> Iterator[Figure]:
    """Buy a page of the shop of a language, which settles by an x402 facilitator on a chain."""
    folder, port = asked.folder, free_port()
    begins = [str(python), "-m"]
    with chain.chain(folder) as on, facilitator(on, folder) as (settling, url):
        shop = [*begins, f"{_THEIRS}.{language}_shop", str(port), url]
        with serving(shop, port, folder / "shop.log", env=on.env) as selling:
            payer = [*begins, f"{_THEIRS}.{language}_payer", f"http://127.0.0.1:{port}{path}"]
            for clients in asked.clients:
                yield paid(
                    f"{name}-{clients}", "anvil", [*payer, str(clients), str(asked.seconds)],
                    [on.child, settling, selling], folder / "payer.log",
                    seconds=asked.seconds, runs=asked.runs, env=on.env,
                )  # fmt: skip


def _bought(asked: Asked, name: str, path: str) -> Iterator[Figure]:
    return bought(asked, name, python_place("x402", PACKAGES), "x402", path)


def _exact(asked: Asked) -> Iterator[Figure]:
    return _bought(asked, "x402-exact", "/exact")


def _voucher(asked: Asked) -> Iterator[Figure]:
    return _bought(asked, "x402-voucher", "/voucher")


PEERS: Sequence[Peer] = (
    Peer(
        "x402-exact",
        "a page is bought: 402, signed authorisation, verify, a transaction on the chain",
        "Nobody has to be trusted with the money, and it is final on the chain; here the chain is a"
        " single node that mines at once and keeps its blocks in memory: a public one takes"
        " seconds, and gas. The payer needs no account with the seller's hub.",
        install,
        _exact,
    ),
    Peer(
        "x402-voucher",
        "a page is bought with a cumulative voucher out of a deposit on the chain",
        "The deposit is on the chain, the vouchers are in the seller's memory: what was not"
        " claimed is lost with the process. Claiming is not measured; the escrow contract is a"
        " small one of ours with the calls that deposits and vouchers need.",
        install,
        _voucher,
    ),
)
