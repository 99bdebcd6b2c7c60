"""API keys, and the hub's own signing keys."""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import typer

from farthing.app import open_hub
from farthing.cli import views
from farthing.cli.local import ask_all, ask_hub, is_running
from farthing.cli.options import ConfigOption, OwnerOption, owner_of
from farthing.config import load_config
from farthing.errors import BadConfig
from farthing.hub_keys import KeyRing
from farthing.keys import Signer
from farthing.opening import key_ring, passphrase_of
from farthing.passphrases import new_passphrase
from farthing.settings import Config
from farthing.terminal.frame import Answer, command
from farthing.terminal.options import NewPassphrase
from farthing.terminal.talk import say
from farthing.terminal.typed import in_path

keys_app = typer.Typer(help="API keys.", no_args_is_help=True)
hub_keys_app = typer.Typer(help="The hub's own signing keys.", no_args_is_help=True)


@command(keys_app, "create", lines=lambda made: [made["secret"]], elsewhere=True)
def create(
    scope: Annotated[list[str], typer.Argument(help="operator, owner, seller, read, metrics.")],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    owner: OwnerOption = "",
    config: ConfigOption = None,
) -> Any:
    """Make an API key and print it, once. Example: farthing keys create seller --label shop."""
    body = {"scopes": scope, "label": label, "owner": owner_of(owner, config)}
    made = ask_hub("POST", "/v1/keys", body, config)
    say(f"{made['id']}, shown once:")
    return made


@command(keys_app, "list", lines=views.keys, elsewhere=True)
def list_keys(config: ConfigOption = None) -> Any:
    """List API keys, without their secrets. Example: farthing keys list."""
    return ask_all("/v1/keys", config)


@command(keys_app, "revoke", elsewhere=True)
def revoke(key: Annotated[str, typer.Argument(help="key_…")], config: ConfigOption = None) -> Any:
    """Revoke an API key at once. Example: farthing keys revoke key_01j…"""
    made = ask_hub("POST", f"/v1/keys/{in_path(key)}/revoke", config=config)
    return Answer(made, lambda k: views.keys([k]))


@command(
    hub_keys_app, "rotate", lines=lambda k: [f"The hub signs with {k['public_key']} from now on."]
)
def rotate(
    root_key: Annotated[
        Path | None, typer.Option(help="Where the root key is kept [the keys folder].")
    ] = None,
    config: ConfigOption = None,
) -> Any:
    """Make a new signing key, certified by the root key. Older receipts still verify.

    The hub must be stopped. Example: farthing hub-keys rotate --root-key /media/safe/root.key
    """
    loaded = load_config(config)
    if is_running(loaded):
        raise BadConfig("hub-running", "stop the hub first; it reads its keys when it starts")
    ring = _initialised(loaded)
    root = ring.root(root_key)
    signer = ring.add_signing_key()
    try:
        asyncio.run(_admit(loaded, root))
    except BaseException:
        ring.drop_newest_signing_key()  # Nobody has certified it, and a hub could not start.
        raise
    return {"public_key": signer.public}


async def _admit(config: Config, root: Signer) -> None:
    hub = await open_hub(config, root=root)
    await hub.close()


@command(hub_keys_app, "rotate-challenges")
def rotate_challenges(config: ConfigOption = None) -> Any:
    """Make a new challenge secret; open challenges of the last one stay good.

    Restart the hub and proxies afterwards. Example: farthing hub-keys rotate-challenges
    """
    ring = _initialised(load_config(config))
    ring.rotate_challenge_secret()
    say("Restart the hub and its proxies, so that they use the new secret.")
    made = {"secrets": len(ring.challenge_secrets())}
    return Answer(made, lambda _: [])


@command(hub_keys_app, "protect", lines=lambda told: [f"sealed: {name}" for name in told["files"]])
def protect(passphrase_file: NewPassphrase = None, config: ConfigOption = None) -> Any:
    """Put the hub's keys under a passphrase, or under a new one.

    The hub and its proxies then need it at each start: see docs/howto/protect-keys.md.

    Example: farthing hub-keys protect --passphrase-file /etc/farthing/passphrase
    """
    loaded = load_config(config)
    ring = _initialised(loaded)
    passphrase = new_passphrase(passphrase_file, passphrase_of(loaded))
    return {"files": [str(path) for path in ring.reseal(passphrase)]}


@command(hub_keys_app, "unprotect", lines=lambda told: [f"open: {name}" for name in told["files"]])
def unprotect(config: ConfigOption = None) -> Any:
    """Take the passphrase off the hub's keys. Example: farthing hub-keys unprotect."""
    return {"files": [str(path) for path in _initialised(load_config(config)).reseal(None)]}


def _initialised(config: Config) -> KeyRing:
    ring = key_ring(config)
    if not ring.exists:
        raise BadConfig("hub-not-initialised", f"there is no hub in {config.folder}")
    return ring
