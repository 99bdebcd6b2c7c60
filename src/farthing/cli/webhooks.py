"""`farthing webhooks`: where events are sent."""

import time
from typing import Annotated, Any

import typer

from farthing.cli import views
from farthing.cli.local import ask_all, ask_hub
from farthing.cli.options import ConfigOption, OwnerOption, owner_of
from farthing.terminal.frame import Answer, command
from farthing.terminal.talk import say
from farthing.terminal.typed import in_path

webhooks_app = typer.Typer(help="Where events are sent.", no_args_is_help=True)

_WAIT_SECONDS, _PAUSE_SECONDS = 30, 0.3
WebhookArgument = Annotated[str, typer.Argument(help="whk_…")]


def _shown(webhook: Any) -> Answer:
    return Answer(webhook, lambda one: views.webhooks([one]))


@command(webhooks_app, "add", lines=lambda made: [made["secret"]], elsewhere=True)
def add(
    url: Annotated[str, typer.Argument(help="Where to send them: https://…")],
    kind: Annotated[
        list[str] | None, typer.Option(help="Which events: payment.captured, session.* …")
    ] = None,
    label: Annotated[str, typer.Option(help="What it is for.")] = "",
    owner: OwnerOption = "",
    config: ConfigOption = None,
) -> Any:
    """Send events to a URL, and print the secret that they are signed with, once.

    Example: farthing webhooks add https://shop.example/paid --kind payment.captured
    """
    body: dict[str, Any] = {"url": url, "label": label, "owner": owner_of(owner, config)}
    if kind:
        body["kinds"] = kind
    made = ask_hub("POST", "/v1/webhooks", body, config)
    say(f"{made['id']}; its secret, shown once:")
    return made


@command(webhooks_app, "list", lines=views.webhooks, elsewhere=True)
def list_webhooks(config: ConfigOption = None) -> Any:
    """List webhooks. Example: farthing webhooks list."""
    return ask_all("/v1/webhooks", config)


@command(webhooks_app, "rotate", lines=lambda made: [made["secret"]], elsewhere=True)
def rotate(
    webhook: WebhookArgument,
    overlap: Annotated[
        int, typer.Option(help="Seconds for which the last secret signs as well.", min=0)
    ] = 86_400,
    config: ConfigOption = None,
) -> Any:
    """Sign with a new secret, and print it, once. Example: farthing webhooks rotate whk_01j…"""
    path = f"/v1/webhooks/{in_path(webhook)}/rotate"
    made = ask_hub("POST", path, {"overlap_seconds": overlap}, config)
    say("The new secret, shown once:")
    return made


@command(webhooks_app, "enable", elsewhere=True)
def enable(webhook: WebhookArgument, config: ConfigOption = None) -> Any:
    """Turn a webhook on; it goes on where it was. Example: farthing webhooks enable whk_01j…"""
    path = f"/v1/webhooks/{in_path(webhook)}/enable"
    return _shown(ask_hub("POST", path, config=config))


@command(webhooks_app, "disable", elsewhere=True)
def disable(webhook: WebhookArgument, config: ConfigOption = None) -> Any:
    """Turn a webhook off. Example: farthing webhooks disable whk_01j…"""
    path = f"/v1/webhooks/{in_path(webhook)}/disable"
    return _shown(ask_hub("POST", path, config=config))


@command(webhooks_app, "remove", elsewhere=True)
def remove(webhook: WebhookArgument, config: ConfigOption = None) -> Any:
    """Remove a webhook for good. Example: farthing webhooks remove whk_01j…"""
    path = f"/v1/webhooks/{in_path(webhook)}/remove"
    return _shown(ask_hub("POST", path, config=config))


@command(webhooks_app, "deliveries", lines=views.deliveries, elsewhere=True)
def deliveries(webhook: WebhookArgument, config: ConfigOption = None) -> Any:
    """Show what was sent to a webhook, newest first.

    Example: farthing webhooks deliveries whk_01j…
    """
    return ask_all(f"/v1/webhooks/{in_path(webhook)}/deliveries", config)


@command(
    webhooks_app,
    "replay",
    lines=lambda r: [f"Sending events after {r['after']} up to {r['until']} again."],
    elsewhere=True,
)
def replay(
    webhook: WebhookArgument,
    after: Annotated[str, typer.Option(help="The event after which to begin.")] = "0",
    until: Annotated[str, typer.Option(help="The last one; the newest unless said.")] = "",
    config: ConfigOption = None,
) -> Any:
    """Send a range of events again. Example: farthing webhooks replay whk_01j… --after 4096."""
    body = {"after": after, "until": until or None}
    return ask_hub("POST", f"/v1/webhooks/{in_path(webhook)}/replay", body, config)


@command(webhooks_app, "test", lines=views.deliveries, elsewhere=True)
def test(webhook: WebhookArgument, config: ConfigOption = None) -> Any:
    """Send a message to a webhook, and show what it answers.

    Example: farthing webhooks test whk_01j…
    """
    path = f"/v1/webhooks/{in_path(webhook)}"
    known = {one["id"] for one in ask_hub("GET", f"{path}/deliveries", config=config)["items"]}
    ask_hub("POST", f"{path}/test", config=config)
    deadline = time.monotonic() + _WAIT_SECONDS
    while time.monotonic() < deadline:
        time.sleep(_PAUSE_SECONDS)
        found = ask_hub("GET", f"{path}/deliveries", config=config)["items"]
        new = [one for one in found if one["id"] not in known and one["kind"] == "webhook.tested"]
        if new:
            return new
    say("Nothing was sent yet: is the hub served? It is sent as soon as it is its turn.")
    return []
