"""API keys, and the hub's own signing keys."""

import asyncio
from typing import Annotated, Any

import typer

from farthing.app import key_ring, open_hub
from farthing.cli import views
from farthing.cli.local import ask_local, is_running
from farthing.cli.options import ConfigOption, OwnerOption, owner_of
from farthing.config import Config, load_config
from farthing.errors import BadConfig
from farthing.terminal.frame import Answer, command
from farthing.terminal.talk import say

keys_app = typer.Typer(help="API keys.", no_args_is_help=True)
hub_keys_app = typer.Typer(help="The hub's own signing keys.", no_args_is_help=True)


@command(keys_app, "create", lines=lambda made: [made["secret"]])
def create(
    scope: Annotated[list[str], typer.Argument(help="operator, owner, seller, read.")],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    owner: OwnerOption = "",
    config: ConfigOption = None,
) -> Any:
    """Make an API key and print it, once. Example: farthing keys create seller --label shop."""
    body = {"scopes": scope, "label": label, "owner": owner_of(owner, config)}
    made = ask_local("POST", "/v1/keys", body, config)
    say(f"{made['id']}, shown once:")
    return made


@command(keys_app, "list", lines=views.keys)
def list_keys(config: ConfigOption = None) -> Any:
    """List API keys, without their secrets. Example: farthing keys list."""
    return ask_local("GET", "/v1/keys?limit=500", config=config)["items"]


@command(keys_app, "revoke")
def revoke(key: Annotated[str, typer.Argument(help="key_…")], config: ConfigOption = None) -> Any:
    """Revoke an API key at once. Example: farthing keys revoke key_01j…"""
    made = ask_local("POST", f"/v1/keys/{key}/revoke", config=config)
    return Answer(made, lambda k: views.keys([k]))


@command(
    hub_keys_app, "rotate", lines=lambda k: [f"The hub signs with {k['public_key']} from now on."]
)
def rotate(config: ConfigOption = None) -> Any:
    """Make a new signing key, certified by the root key. Older receipts still verify.

    The hub must be stopped. Example: farthing hub-keys rotate
    """
    loaded = load_config(config)
    if is_running(loaded):
        raise BadConfig("hub-running", "stop the hub first; it reads its keys when it starts")
    signer = key_ring(loaded).add_signing_key()
    asyncio.run(_admit(loaded))
    return {"public_key": signer.public}


async def _admit(config: Config) -> None:
    hub = await open_hub(config)
    await hub.close()


@command(hub_keys_app, "rotate-challenges")
def rotate_challenges(config: ConfigOption = None) -> Any:
    """Make a new challenge secret; open challenges of the last one stay good.

    Restart the hub and proxies afterwards. Example: farthing hub-keys rotate-challenges
    """
    key_ring(load_config(config)).rotate_challenge_secret()
    say("Restart the proxies of this hub, so that they use the new secret.")
