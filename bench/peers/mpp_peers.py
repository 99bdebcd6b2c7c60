"""MPP `evm/charge` with pympp on both sides, settled by an x402 facilitator on a local chain."""

from collections.abc import Iterator, Sequence

from bench.figures import Figure
from bench.peers import chain, x402_peers
from bench.peers.base import Asked, Peer
from bench.peers.children import paid, serving
from bench.peers.places import python_place, versions
from bench.processes import free_port

PACKAGES = ("pympp[evm,server]==0.16.0", "fastapi==0.121.0", "uvicorn==0.54.0")
_THEIRS = "bench.peers.theirs"


def install() -> dict[str, str]:
    """Fetch the package, and the chain with its facilitator."""
    told = versions(python_place("mpp", PACKAGES), ("pympp", "fastapi", "uvicorn"))
    return {**x402_peers.install(), **told}


def _run(asked: Asked) -> Iterator[Figure]:
    folder, port = asked.folder, free_port()
    python = str(python_place("mpp", PACKAGES))
    with chain.chain(folder) as on, x402_peers.facilitator(on, folder) as (settling, url):
        shop = [python, "-m", f"{_THEIRS}.mpp_shop", str(port), url]
        with serving(shop, port, folder / "shop.log", env=on.env) as selling:
            for clients in asked.clients:
                payer = [python, "-m", f"{_THEIRS}.mpp_payer", f"http://127.0.0.1:{port}/page"]
                yield paid(
                    f"mpp-evm-{clients}", "anvil", [*payer, str(clients), str(asked.seconds)],
                    [on.child, settling, selling], folder / "payer.log",
                    seconds=asked.seconds, runs=asked.runs, env=on.env,
                )  # fmt: skip


PEERS: Sequence[Peer] = (
    Peer(
        "mpp-evm",
        "a page is bought: 402, signed authorisation, verify, a transaction on the chain",
        "As x402-exact, whose facilitator it uses: final on a chain that mines at once.",
        install,
        _run,
    ),
)
