"""`make bench-peers`: the same job with what a user would pick instead of Farthing, in one run.

Each peer is installed in an environment of its own under build/peers, runs as real processes on
127.0.0.1, and is paid by its own stock client. One that cannot be had is named, and the others go
on; the exit code is then 1.
"""

import argparse
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

import msgspec
from rich.console import Console
from rich.table import Table

from bench.figures import Figure
from bench.machine import describe
from bench.peers import cashu_peers, lnbits_peers, mpp_peers, own_peers, x402_peers
from bench.peers.base import Asked, Outcome, Peer, PeerMissing

PEERS: dict[str, Peer] = {
    peer.name: peer
    for shelf in (own_peers, x402_peers, mpp_peers, lnbits_peers, cashu_peers)
    for peer in shelf.PEERS
}
_WIDTH = 132
_EXAMPLES = """for example:
  make bench-peers
  make bench-peers ARGS="--only farthing-x402 --only x402-exact --seconds 10"
  make bench-peers ARGS="--runs 3 --json" > bench/results/peers.json
"""


def parser() -> argparse.ArgumentParser:
    """Describe the arguments."""
    made = argparse.ArgumentParser(
        "bench.peers",
        description=(__doc__ or "").split("\n", 1)[0],
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    made.add_argument("--json", action="store_true", help="print one JSON object")
    made.add_argument(
        "--only", action="append", choices=PEERS, metavar="NAME",
        help=f"only this peer, may be given again: {', '.join(PEERS)}",
    )  # fmt: skip
    made.add_argument("--seconds", type=float, default=10, help="how long each run takes [10]")
    made.add_argument("--runs", type=int, default=1, help="how often; the median is shown [1]")
    made.add_argument(
        "--clients", type=int, action="append", metavar="COUNT",
        help="how many pay side by side, may be given again [1 and 16]",
    )  # fmt: skip
    made.add_argument("--devices", type=int, default=500, help="of Farthing's fleet [500]")
    made.add_argument("--install", action="store_true", help="only install, and tell versions")
    return made


def meet(peer: Peer, asked: Asked, *, install_only: bool) -> Outcome:
    """Install a peer and measure it; say why where that cannot be."""
    outcome = Outcome(peer)
    try:
        print(f"{peer.name}: installing where it is not yet", file=sys.stderr)
        outcome.versions = peer.install()
        for figure in () if install_only else peer.run(asked):
            outcome.figures.append(figure)
            print(f"{figure.name}: {figure.rate_per_s:,.1f}/s", file=sys.stderr)
    except (PeerMissing, OSError, RuntimeError) as fault:
        outcome.why = str(fault) or type(fault).__name__
        print(f"{peer.name}: {outcome.why}", file=sys.stderr)
    return outcome


def as_json(outcomes: Sequence[Outcome]) -> str:
    """Write machine and figures as `make bench --json` does, and what there is to say of peers."""
    peers = [
        {
            "name": outcome.peer.name,
            "job": outcome.peer.job,
            "unlike": outcome.peer.unlike,
            "versions": outcome.versions,
            "why": outcome.why,
        }
        for outcome in outcomes
    ]
    figures = [figure for outcome in outcomes for figure in outcome.figures]
    told = {"machine": describe(), "figures": figures, "peers": peers}
    return msgspec.json.format(msgspec.json.encode(told), indent=2).decode()


def show(outcomes: Sequence[Outcome], console: Console) -> None:
    """Print the figures as a table, and what is not alike."""
    for name, value in describe().items():
        console.print(f"[dim]{name:>12}[/dim]  {value}")
    table = Table(title="the same job elsewhere", title_justify="left")
    for column in ("peer and clients", "on"):
        table.add_column(column, no_wrap=True)
    for column in ("per s", "p50 ms", "p99 ms", "CPU ms each", "payer's CPU ms", "refused", "MiB"):
        table.add_column(column, justify="right", no_wrap=True)
    for outcome in outcomes:
        for figure in outcome.figures:
            table.add_row(*_row(figure))
    console.print(table)
    for outcome in outcomes:
        versions = ", ".join(f"{name} {number}" for name, number in outcome.versions.items())
        console.print(
            f"[bold]{outcome.peer.name}[/bold]: {outcome.peer.job}. {outcome.peer.unlike}"
        )
        console.print(f"  {outcome.why or versions}", style="red" if outcome.why else "dim")


def _row(figure: Figure) -> list[str]:
    return [
        figure.name,
        figure.engine,
        f"{figure.rate_per_s:,.1f}",
        f"{figure.p50_ms:,.1f}",
        f"{figure.p99_ms:,.1f}",
        f"{figure.cpu_us_each / 1000:,.2f}",
        f"{figure.load_cpu_us_each / 1000:,.2f}",
        str(figure.refused or ""),
        f"{figure.resident_mib:,.0f}",
    ]


def main() -> None:
    """Measure what was asked for."""
    wanted = parser().parse_args()
    outcomes: list[Outcome] = []
    for name in wanted.only or PEERS:
        with tempfile.TemporaryDirectory(prefix="farthing-peers-") as folder:
            asked = Asked(
                wanted.seconds, wanted.clients or [1, 16], wanted.runs, wanted.devices, Path(folder)
            )
            outcomes.append(meet(PEERS[name], asked, install_only=wanted.install))
    if wanted.json:
        print(as_json(outcomes))
    else:
        console = Console()
        show(outcomes, console if console.is_terminal else Console(width=_WIDTH))
    if any(outcome.why for outcome in outcomes):
        sys.exit(1)


if __name__ == "__main__":
    main()
