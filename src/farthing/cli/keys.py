"""API keys, and the hub's own signing keys."""

import asyncio
from typing import Annotated

import typer

from farthing.app import key_ring, open_hub
from farthing.cli.admin import OwnerOption, owner_of
from farthing.cli.local import ask_local, is_running
from farthing.cli.serving import ConfigOption
from farthing.cli.talk import say, show
from farthing.config import Config, load_config
from farthing.errors import BadConfig

keys_app = typer.Typer(help="API keys.", no_args_is_help=True)
hub_keys_app = typer.Typer(help="The hub's own signing keys.", no_args_is_help=True)


@keys_app.command("create")
def create(
    scope: Annotated[list[str], typer.Argument(help="operator, owner, seller, read.")],
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    owner: OwnerOption = "",
    config: ConfigOption = None,
) -> None:
    """Make an API key and print it, once. Example: farthing keys create seller --label shop."""
    body = {"scopes": scope, "label": label, "owner": owner_of(owner, config)}
    made = ask_local("POST", "/v1/keys", body, config)
    say(f"{made['id']}, shown once:")
    print(made["secret"])


@keys_app.command("list")
def list_keys(config: ConfigOption = None) -> None:
    """List API keys, without their secrets. Example: farthing keys list."""
    show(ask_local("GET", "/v1/keys?limit=500", config=config)["items"])


@keys_app.command("revoke")
def revoke(key: Annotated[str, typer.Argument(help="key_…")], config: ConfigOption = None) -> None:
    """Revoke an API key at once. Example: farthing keys revoke key_01j…"""
    show(ask_local("POST", f"/v1/keys/{key}/revoke", config=config))


@hub_keys_app.command("rotate")
def rotate(config: ConfigOption = None) -> None:
    """Make a new signing key, certified by the root key. Older receipts still verify.

    The hub must be stopped. Example: farthing hub-keys rotate
    """
    loaded = load_config(config)
    if is_running(loaded):
        raise BadConfig("hub-running", "stop the hub first; it reads its keys when it starts")
    signer = key_ring(loaded).add_signing_key()
    asyncio.run(_admit(loaded))
    say(f"The hub signs with {signer.public} from now on.")


async def _admit(config: Config) -> None:
    hub = await open_hub(config)
    await hub.close()


@hub_keys_app.command("rotate-challenges")
def rotate_challenges(config: ConfigOption = None) -> None:
    """Make a new challenge secret; open challenges of the last one stay good.

    Restart the hub and proxies afterwards. Example: farthing hub-keys rotate-challenges
    """
    key_ring(load_config(config)).rotate_challenge_secret()
    say("Restart the proxies of this hub, so that they use the new secret.")
