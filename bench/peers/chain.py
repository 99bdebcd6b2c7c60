"""A local EVM chain for the peers that settle on one: anvil, with a dollar and an escrow on it.

Every transaction is mined as it comes, so that finality costs nothing here: the kindest chain
there is. The contracts are ours and are compiled on the spot, on top of OpenZeppelin's.
"""

import contextlib
import json
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx

from bench.peers.base import PeerMissing
from bench.peers.children import Child, serving
from bench.peers.places import FOLDER, npm_place
from bench.processes import free_port

PACKAGES = {"@foundry-rs/anvil": "1.7.1", "@openzeppelin/contracts": "5.7.0", "solc": "0.8.37"}
NETWORK = "eip155:31337"
MNEMONIC = "test test test test test test test test test test test junk"
"""anvil's own, known to everybody."""

FACILITATOR, PAYEE, FIRST_PAYER, ACCOUNTS = 0, 1, 2, 50
_UNITS = 10**15
_TRIES = 100
_SOURCES = Path(__file__).parent / "contracts"
_ESCROW = "0x4020074e9dF2ce1deE5A9C1b5c3f541D02a10003"
_COLLECTOR = "0x4020806089470a89826cB9fB1f4059150b550004"
_QUESTIONS = "0xcA11bde05977b3631167028862bE2a173976CA11"
"""Where the x402 package expects its escrow, its collector and Multicall3."""


@dataclass(frozen=True, slots=True)
class Chain:
    """A chain that runs, and the dollar on it. Shape: `accounts` are of the mnemonic, in order."""

    url: str
    dollar: str
    accounts: Sequence[str]
    child: Child

    @property
    def env(self) -> Mapping[str, str]:
        """What payers and servers on this chain have to know."""
        return {
            "CHAIN_URL": self.url,
            "CHAIN_NETWORK": NETWORK,
            "CHAIN_MNEMONIC": MNEMONIC,
            "CHAIN_DOLLAR": self.dollar,
        }


def install() -> dict[str, str]:
    """Fetch anvil, the compiler and the contracts to build on.

    Raises: PeerMissing.
    """
    npm_place("chain", PACKAGES)
    _compiled()
    return {name.rpartition("/")[2]: version for name, version in PACKAGES.items()}


def _compiled() -> dict[str, Any]:
    """Compile the contracts, where that was not done yet."""
    sources = {file.name: {"content": file.read_text()} for file in sorted(_SOURCES.glob("*.sol"))}
    settings = {
        "optimizer": {"enabled": True, "runs": 1000},
        "viaIR": True,
        "outputSelection": {"*": {"*": ["evm.bytecode.object", "evm.deployedBytecode.object",
                                        "evm.methodIdentifiers"]}},
    }  # fmt: skip
    asked = json.dumps({"language": "Solidity", "sources": sources, "settings": settings})
    kept = FOLDER / "chain" / "compiled.json"
    if kept.exists():
        known = json.loads(kept.read_text())
        if known["asked"] == asked:
            return known["contracts"]
    command = ["node", "node_modules/solc/solc.js", "--standard-json", "--base-path", "."]
    done = subprocess.run(
        [*command, "--include-path", "node_modules"], cwd=FOLDER / "chain", input=asked,
        capture_output=True, text=True, timeout=300, check=False,
    )  # fmt: skip
    answer = json.loads(done.stdout[done.stdout.find("{") :] or "{}")
    faults = [e["formattedMessage"] for e in answer.get("errors", []) if e["severity"] == "error"]
    if faults or "contracts" not in answer:
        raise PeerMissing(f"the contracts do not compile: {(faults or [done.stderr])[0][:300]}")
    contracts = {name: made for file in sources for name, made in answer["contracts"][file].items()}
    kept.write_text(json.dumps({"asked": asked, "contracts": contracts}))
    return contracts


@contextlib.contextmanager
def chain(folder: Path) -> Iterator[Chain]:
    """Run a new chain with money on it, until the end of the block.

    Raises: PeerMissing.
    """
    found = sorted((FOLDER / "chain" / "node_modules" / "@foundry-rs").glob("anvil-*/bin/anvil*"))
    if not found:
        raise PeerMissing("npm brought no anvil for this machine")
    port = free_port()
    command = [str(found[0]), "--port", str(port), "--accounts", str(ACCOUNTS), "--silent"]
    with serving([*command, "--mnemonic", MNEMONIC], port, folder / "anvil.log") as child:
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", trust_env=False) as rpc:
            accounts = _ask(rpc, "eth_accounts")
            dollar = _furnish(rpc, accounts)
        yield Chain(f"http://127.0.0.1:{port}", dollar, accounts, child)


def _furnish(rpc: httpx.Client, accounts: Sequence[str]) -> str:
    contracts = _compiled()
    for place, name in ((_ESCROW, "Escrow"), (_COLLECTOR, "Collector"), (_QUESTIONS, "Questions")):
        code = contracts[name]["evm"]["deployedBytecode"]["object"]
        _ask(rpc, "anvil_setCode", place, f"0x{code}")
    dollar = contracts["Dollar"]["evm"]
    made = _send(rpc, accounts[PAYEE], "0x" + dollar["bytecode"]["object"])["contractAddress"]
    mint = dollar["methodIdentifiers"]["mint(address,uint256)"]
    for account in accounts[FIRST_PAYER:]:
        _send(rpc, accounts[PAYEE], f"0x{mint}{int(account, 16):064x}{_UNITS:064x}", made)
    return made


def _send(rpc: httpx.Client, sender: str, data: str, to: str = "") -> dict[str, Any]:
    asked = {"from": sender, "data": data, **({"to": to} if to else {})}
    sent = _ask(rpc, "eth_sendTransaction", asked)
    receipt: dict[str, Any] | None = None
    for _ in range(_TRIES):
        receipt = _ask(rpc, "eth_getTransactionReceipt", sent)
        if receipt is not None:
            break
        time.sleep(0.05)
    if receipt is None or receipt["status"] != "0x1":
        raise PeerMissing(f"the chain could not be furnished: {receipt}")
    return receipt


def _ask(rpc: httpx.Client, method: str, *params: Any) -> Any:
    answer = rpc.post("/", json={"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
    told = answer.json()
    if "error" in told:
        raise PeerMissing(f"{method}: {told['error'].get('message')}")
    return told["result"]
