"""A Cashu mint, nutshell with its FakeWallet: a token changes hands by a swap."""

from collections.abc import Iterator, Sequence

from bench.figures import Figure
from bench.peers.base import Asked, Peer
from bench.peers.children import begun_anew, paid, serving
from bench.peers.places import python_place, versions

PACKAGES = ("cashu==0.20.2", "marshmallow==3.26.1", "limits==3.14.1")
"""It does not start with the newest two of the others."""


def install() -> dict[str, str]:
    """Fetch the package."""
    return versions(python_place("cashu", PACKAGES), ("cashu", "fastapi", "uvicorn"))


def _run(asked: Asked) -> Iterator[Figure]:
    python = python_place("cashu", PACKAGES)
    for clients, for_these, port in begun_anew(asked, "cashu"):
        env = {
            "CASHU_DIR": str(for_these),
            "MINT_DATABASE": str(for_these / "mint"),
            "MINT_PRIVATE_KEY": "of a benchmark",
            "MINT_BACKEND_BOLT11_SAT": "FakeWallet",
            "FAKEWALLET_DELAY_INCOMING_PAYMENT": "0",
            "MINT_INPUT_FEE_PPK": "0",
            "MINT_RATE_LIMIT": "false",
            "MINT_LISTEN_PORT": str(port),
            "TOR": "false",
        }
        command = [str(python.with_name("mint")), "--port", str(port), "--host", "127.0.0.1"]
        with serving(command, port, for_these / "server.log", env=env, folder=for_these) as server:
            payer = [str(python), "-m", "bench.peers.theirs.cashu_payer"]
            payer += [f"http://127.0.0.1:{port}", str(clients), str(asked.seconds)]
            yield paid(
                f"cashu-{clients}", "SQLite", [*payer, str(for_these)], [server],
                for_these / "payer.log", seconds=asked.seconds, runs=asked.runs, env=env,
            )  # fmt: skip


PEERS: Sequence[Peer] = (
    Peer(
        "cashu",
        "a token of one proof changes hands: the receiver swaps it at the mint",
        "The mint holds the money and does not learn who pays; no accounts, limits or receipts."
        " SQLite as it comes. Wallets do blind signatures with a database of their own: here it is"
        " they that are slow, all in one process; the mint's own share is its CPU time.",
        install,
        _run,
    ),
)
