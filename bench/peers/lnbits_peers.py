"""LNbits with its FakeWallet: an invoice, and its payment inside the same LNbits."""

from collections.abc import Iterator, Sequence
from pathlib import Path

from bench.figures import Figure
from bench.peers.base import Asked, Peer
from bench.peers.children import begun_anew, paid, serving
from bench.peers.places import python_place, versions

PACKAGES = ("lnbits==1.6.2", "bitstring==4.3.1")
"""It does not start with the newest bitstring."""


def install() -> dict[str, str]:
    """Fetch the package."""
    return versions(python_place("lnbits", PACKAGES), ("lnbits", "fastapi", "uvicorn"))


def _site(python: Path) -> Path:
    """Find the folder it looks for its pages in, which is where it has to be started."""
    return next(python.parents[1].glob("lib/python3*/site-packages"))


def _run(asked: Asked) -> Iterator[Figure]:
    python = python_place("lnbits", PACKAGES)
    for clients, for_these, port in begun_anew(asked, "lnbits"):
        env = {
            "LNBITS_DATA_FOLDER": str(for_these),
            "LNBITS_EXTENSIONS_PATH": str(for_these),
            "LNBITS_BACKEND_WALLET_CLASS": "FakeWallet",
            "LNBITS_ADMIN_UI": "true",
            "LNBITS_RATE_LIMIT_NO": "10000000",
            "LNBITS_EXTENSIONS_DEFAULT_INSTALL": "",
            "DEBUG": "false",
            # Prices in other currencies would be asked of the network, and waited for in vain.
            "LNBITS_PRICE_AGGREGATOR_ENABLED": "false",
            "LNBITS_EXCHANGE_RATE_PROVIDERS": "[]",
            "LNBITS_AUDIT_ENABLED": "false",
        }
        command = [str(python.with_name("lnbits")), "--port", str(port), "--host", "127.0.0.1"]
        with serving(
            command, port, for_these / "server.log", env=env, folder=_site(python)
        ) as server:
            payer = [str(python), "-m", "bench.peers.theirs.lnbits_payer"]
            payer += [f"http://127.0.0.1:{port}", str(clients), str(asked.seconds)]
            yield paid(
                f"lnbits-{clients}", "SQLite", payer, [server], for_these / "payer.log",
                seconds=asked.seconds, runs=1,
            )  # fmt: skip


PEERS: Sequence[Peer] = (
    Peer(
        "lnbits",
        "the payee makes an invoice and the payer pays it, inside one LNbits",
        "The hub holds the money, as with Farthing. SQLite as it comes, without its log of requests"
        " and its look-up of prices; payers are wallets with an API key, without mandates,"
        " signatures or receipts.",
        install,
        _run,
    ),
)
