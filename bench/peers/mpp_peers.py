"""MPP `evm/charge` with pympp on both sides, settled by an x402 facilitator on a local chain."""

from collections.abc import Iterator, Sequence

from bench.figures import Figure
from bench.peers import x402_peers
from bench.peers.base import Asked, Peer
from bench.peers.places import python_place, versions

PACKAGES = ("pympp[evm,server]==0.16.0", "fastapi==0.121.0", "uvicorn==0.54.0")


def install() -> dict[str, str]:
    """Fetch the package, and the chain with its facilitator."""
    told = versions(python_place("mpp", PACKAGES), ("pympp", "fastapi", "uvicorn"))
    return {**x402_peers.install(), **told}


def _run(asked: Asked) -> Iterator[Figure]:
    return x402_peers.bought(asked, "mpp-evm", python_place("mpp", PACKAGES), "mpp", "/page")


PEERS: Sequence[Peer] = (
    Peer(
        "mpp-evm",
        "a page is bought: 402, signed authorisation, verify, a transaction on the chain",
        "As x402-exact, whose facilitator it uses: final on a chain that mines at once.",
        install,
        _run,
    ),
)
