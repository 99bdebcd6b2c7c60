"""`farthing init` and `farthing serve`."""

import asyncio
from contextlib import closing
from pathlib import Path
from typing import Annotated, Any

import msgspec
import typer

from farthing.cli.hub_run import serve_hub
from farthing.cli.local import ask, is_running, local_client
from farthing.cli.options import ConfigOption, with_config
from farthing.cli.peopling import first_link
from farthing.cli.places import take_places
from farthing.cli.running import run
from farthing.cli.sampling import fill
from farthing.cli.tls import tls_context
from farthing.cli.workers import WORKERS_MAX, check_workers, serve_with_workers
from farthing.config import load_config
from farthing.core.periods import check_zone
from farthing.errors import BadConfig, Malformed
from farthing.folders import private_folder
from farthing.logs import configure_logs
from farthing.misfits import misfit
from farthing.opening import key_ring, open_to_read, passphrase_of
from farthing.settings import LOOPBACK, Config
from farthing.store.migrate import schema_of
from farthing.terminal.frame import Answer
from farthing.terminal.tables import columns
from farthing.terminal.talk import manners, say
from farthing.threads import Threads
from farthing.web.api.bodies import OwnerBody
from farthing.web.trust import Trust


def init(
    owner: Annotated[str, typer.Option(help="The first owner's name.")] = "me",
    time_zone: Annotated[str, typer.Option(help="The owner's time zone.")] = "UTC",
    demo_data: Annotated[
        bool, typer.Option("--demo-data", help="Fill it with test owners, devices and payments.")
    ] = False,
    config: ConfigOption = None,
) -> Any:
    """Make a new hub: its keys, its books, the first owner, and an API key shown once.

    Example: farthing init --owner "Parkside Chargers" --time-zone Europe/Berlin
    """
    loaded, as_json = load_config(config), manners.get().as_json
    made = asyncio.run(initialise(loaded, owner, time_zone))
    if not as_json:
        say(f"The hub {made['hub']} is ready in {made['folder']}.")
        say("This API key is shown once; keep it safe:\n")
        print(made["key"], flush=True)
    sample = asyncio.run(fill(loaded)) if demo_data else None
    link = asyncio.run(first_link(loaded, made["owner"], owner))
    if not as_json:
        say("\nYour wallet, once the hub serves; this link is good once, for a day:\n")
        print(link, flush=True)
    steps = _next_steps(config, demo_data=demo_data)
    if as_json:
        counted = {"demo_data": sample} if sample else {}
        return {**made, **counted, "link": link, "next": [command for command, _ in steps]}
    say("\nNext:")
    for line in columns(steps):
        say(f"  {line}")
    if not demo_data:
        say(f"\nTo look around in test data first: {with_config('farthing demo-data', config)}")
    return None


def _next_steps(config: Path | None, *, demo_data: bool) -> list[tuple[str, str]]:
    """Give three commands to go on with, as they have to be typed, and what each is for."""
    steps = [
        ("farthing serve", "start the hub; then, in another terminal:"),
        ("farthing accounts open USD --name shop", "an account to be paid to"),
        ("farthing doctor", "whether everything is in order"),
    ]
    if demo_data:
        steps[1:] = [
            ("farthing payments", "what was paid, refused and asked"),
            ("farthing balances", "where the money is"),
        ]
    return [(with_config(command, config), f"# {told}") for command, told in steps]


async def initialise(config: Config, owner: str, time_zone: str) -> dict[str, Any]:
    """Make a hub's keys and books, its first owner, and the owner's key.

    Raises: BadConfig `hub-exists`.
    """
    ring = key_ring(config)
    there = f"there is a hub in {config.folder} already; start it with farthing serve"
    wanted = {"name": owner, "time_zone": check_zone(time_zone)}
    _check_owner(wanted)
    if is_running(config):
        raise BadConfig("hub-exists", there)
    private_folder(config.path("."))
    # Keys without an owner are of an `init` that could not reach its books: it goes on here.
    if ring.exists and _has_owner(config):
        raise BadConfig("hub-exists", there)
    if not (ring.exists and _has_books(config)):
        ring.create(passphrase_of(config).told())
    async with local_client(config) as client:
        made = await ask(client, "POST", "/v1/owners", wanted)
        scopes = ["operator", "owner", "seller", "read"]
        first = {"owner": made["id"], "scopes": scopes, "label": "first key"}
        key = await ask(client, "POST", "/v1/keys", first)
        hub = await ask(client, "GET", "/.well-known/farthing")
    return {
        "hub": hub["hub"],
        "root_key": hub["root_key"],
        "folder": config.folder,
        "owner": made["id"],
        "key": key["secret"],
    }


def _has_books(config: Config) -> bool:
    return not config.books.in_file or config.path(config.books.path).exists()


def _has_owner(config: Config) -> bool:
    """Look into the books, whatever their schema: who is refused must not have brought them on."""
    if not _has_books(config):
        return False
    with Threads(1) as readers, closing(open_to_read(config, readers)) as books:
        return schema_of(books) > 1 and any(books.stream("SELECT 1 FROM owners LIMIT 1"))


def _check_owner(wanted: dict[str, str]) -> None:
    """Look at the owner before keys and books are made for it."""
    try:
        msgspec.convert(wanted, OwnerBody)
    except msgspec.ValidationError as fault:
        raise Malformed("invalid-body", str(misfit(OwnerBody, fault))) from None


def serve(
    host: Annotated[str | None, typer.Option(help="The address to listen on.")] = None,
    port: Annotated[
        int | None, typer.Option(help="The port to listen on.", min=0, max=65535)
    ] = None,
    tls_cert: Annotated[str | None, typer.Option(help="A certificate chain (PEM).")] = None,
    tls_key: Annotated[str | None, typer.Option(help="Its private key (PEM).")] = None,
    workers: Annotated[
        int | None,
        typer.Option(help="How many processes serve.", min=1, max=WORKERS_MAX),
    ] = None,
    accept_rollback: Annotated[
        bool, typer.Option("--accept-rollback", help="Go on with older books; it is recorded.")
    ] = False,
    config: ConfigOption = None,
) -> Any:
    """Start the hub. A hub that was never initialised is made first, and its key is shown.

    Example: farthing serve --port 8402
    """
    loaded = load_config(config)
    changes = {
        "host": host, "port": port, "tls_cert": tls_cert, "tls_key": tls_key, "workers": workers
    }  # fmt: skip
    given = {name: value for name, value in changes.items() if value is not None}
    server = msgspec.structs.replace(loaded.server, **given)
    settings = msgspec.structs.replace(loaded, server=server)
    check_exposure(settings)
    check_workers(settings)
    configure_logs(settings.log.format, settings.log.level)
    places = take_places(settings)
    if not key_ring(settings).exists:
        made = asyncio.run(initialise(settings, "me", "UTC"))
        say(f"A new hub was made in {settings.folder}. Its API key, shown once:\n{made['key']}")
        link = asyncio.run(first_link(settings, made["owner"], "me"))
        say(f"Your wallet, in a browser; this link is good once, for a day:\n{link}")
    if settings.server.workers == 1:
        run(serve_hub(settings, places, accept_rollback=accept_rollback))
        return None
    code = serve_with_workers(settings, places, accept_rollback=accept_rollback)
    return Answer(None, code=code)


def check_exposure(config: Config) -> None:
    """Refuse to listen publicly without TLS, unless a trusted proxy does it.

    Raises: BadConfig `tls-needed`.
    """
    server = config.server
    Trust(server.trusted_proxies)  # A name that is no address is better refused at once.
    if bool(server.tls_cert) != bool(server.tls_key):
        raise BadConfig("tls-incomplete", "give both --tls-cert and --tls-key")
    if server.tls_cert:
        tls_context(server.tls_cert, server.tls_key)
    if server.host in LOOPBACK or server.tls_cert or server.trusted_proxies:
        return
    raise BadConfig(
        "tls-needed",
        f"listening on {server.host} needs --tls-cert and --tls-key, "
        "or [server] trusted_proxies if a proxy in front does TLS",
    )
