"""`farthing audit` and `farthing receipt verify`."""

import sys
from pathlib import Path
from typing import Annotated, Any, cast

import typer

from farthing.bounded import read_file, read_stream
from farthing.cli.local import ask_hub
from farthing.cli.options import ConfigOption
from farthing.codec import read_json
from farthing.core.receipts import receipt_fault
from farthing.errors import Malformed
from farthing.keys import check_public_key, fingerprint
from farthing.terminal.exits import Exit
from farthing.terminal.frame import Answer, command
from farthing.terminal.talk import say

receipt_app = typer.Typer(help="Receipts.", no_args_is_help=True)


@command(receipt_app, "verify")
def verify(
    file: Annotated[Path, typer.Argument(help="The receipt (JSON), or - for standard input.")],
    root_key: Annotated[
        str, typer.Option(help="The hub's root key [this machine's hub, or the purse's].")
    ] = "",
    config: ConfigOption = None,
) -> Any:
    """Check a receipt offline, with nothing but the hub's root key.

    The file may also be a payment as the API gives it, or what farthing pay --json tells.

    Example: farthing receipt verify receipt.json --root-key ed25519:…
    """
    sent = _read(file)
    receipt = _receipt_in(sent)
    if root_key:
        check_public_key(root_key)
    trusted = root_key or ask_hub("GET", "/.well-known/farthing", config=config)["root_key"]
    fault = receipt_fault(receipt, trusted)
    if fault is not None:
        say(f"NOT valid: {fault}")
        return Answer(None, code=Exit.NOT_VALID)
    say(f"valid: signed for hub {fingerprint(trusted)}")
    return receipt["statement"]


def _read(file: Path) -> Any:
    raw = read_stream(sys.stdin.buffer, "stdin") if str(file) == "-" else read_file(file)
    try:
        sent = read_json(raw)
    except Malformed as fault:
        raise Malformed("malformed-receipt", f"{file}: {fault.detail}") from None
    if not isinstance(sent, dict):
        raise Malformed("malformed-receipt", f"{file}: a receipt is a JSON object")
    return cast(dict[str, Any], sent)


def _receipt_in(sent: dict[str, Any]) -> dict[str, Any]:
    """Find the receipt in a payment, or in the line of a command, that has one."""
    for member in ("paid", "receipt"):
        inner = sent.get(member)
        if "version" not in sent and isinstance(inner, dict):
            sent = cast(dict[str, Any], inner)
    return sent


def audit(
    root_key: Annotated[
        str, typer.Option(help="The hub's root key, if it is kept elsewhere.")
    ] = "",
    config: ConfigOption = None,
) -> Any:
    """Recompute every balance from history, check every head, and name the first broken row.

    Example: farthing audit
    """
    if root_key:
        check_public_key(root_key)
    from farthing.cli.audit_run import run_audit  # noqa: PLC0415 - it opens the database itself

    return run_audit(config, root_key)
