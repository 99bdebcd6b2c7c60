"""Webhooks: where events are sent, what was sent, and sending it again."""

from functools import partial

from farthing.clock import write_time_ns
from farthing.core.owners import Scope
from farthing.core.webhooks import (
    DELIVERIES,
    PATTERNS,
    SECRET_BYTES,
    UNTIL_ALWAYS,
    WEBHOOKS,
    WEBHOOKS_MAX,
    AddWebhook,
    Delivery,
    Lane,
    ReplayWebhook,
    RotateWebhook,
    SetWebhookState,
    TestWebhook,
    Webhook,
    chosen,
)
from farthing.errors import Conflict
from farthing.notifiers.outside import Networks, check_url
from farthing.notifiers.signed import written_secret
from farthing.store.queries import page
from farthing.store.webhooks import webhooks_of
from farthing.web.api import answers, bodies
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.lists import PAGED, cursor_of, limit_of, list_table, listed, own_row
from farthing.web.api.owners import acting_owner

_WRITE = (Scope.OWNER, Scope.SELLER)
_ANY = (Scope.OWNER, Scope.SELLER, Scope.READ)


def show_webhook(webhook: Webhook) -> answers.WebhookAnswer:
    """Write a webhook without its secrets."""
    return {
        "id": webhook.id,
        "owner": webhook.owner,
        "url": webhook.url,
        "label": webhook.label,
        "kinds": webhook.kinds,
        "state": webhook.state,
        "why": webhook.why or None,
        "created_at": write_time_ns(webhook.created_ns),
        "changed_at": write_time_ns(webhook.changed_ns),
    }


def _with_secret(secret: str, webhook: Webhook) -> answers.WebhookAnswer:
    shown = show_webhook(webhook)
    shown["secret"] = secret
    return shown


def _show_delivery(one: Delivery) -> answers.DeliveryAnswer:
    return {
        "id": one.id,
        "webhook": one.webhook,
        "event": str(one.event),
        "kind": one.kind,
        "attempt": one.attempt,
        "status": one.status or None,
        "fault": one.fault or None,
        "took_ms": one.took_ms,
        "at": write_time_ns(one.time_ns),
    }


def _show_replay(lane: Lane) -> answers.ReplayAnswer:
    return {"webhook": lane.webhook, "after": str(lane.number), "until": str(lane.until)}


def _new_key(call: Call) -> bytes:
    return call.desk.ctx.random_bits(8 * SECRET_BYTES).to_bytes(SECRET_BYTES, "big")


async def add(call: Call) -> Reply:
    """Send events to a URL from now on; the secret is in this answer and nowhere else."""
    body, ctx = call.body(bodies.WebhookBody), call.desk.ctx
    check_url(body.url, Networks(call.desk.config.webhooks.allow_networks))
    owner = await acting_owner(call, body.owner)
    if await ctx.database.read(lambda tx: webhooks_of(tx, owner)) >= WEBHOOKS_MAX:
        raise Conflict("too-many-webhooks", f"an owner has {WEBHOOKS_MAX} at most; remove one")
    key = _new_key(call)
    kinds = chosen(body.kinds or PATTERNS)
    unit = AddWebhook(ctx.fresh_name("whk"), owner, body.url, body.label, kinds, key)
    return await call.once(
        unit, partial(_with_secret, written_secret(key)), status=201, secret=True
    )


async def list_webhooks(call: Call) -> Reply:
    """List webhooks."""
    return await list_table(call, WEBHOOKS, "whk", show_webhook)


async def show(call: Call) -> Reply:
    """Show a webhook."""
    return Reply(show_webhook(await own_row(call, WEBHOOKS, call.path["webhook"], "webhook")))


async def rotate(call: Call) -> Reply:
    """Sign with a new secret; it is in this answer and nowhere else."""
    body, key = call.body(bodies.RotateWebhookBody), _new_key(call)
    unit = RotateWebhook(call.path["webhook"], call.asker.sees, key, body.overlap_seconds)
    return await call.once(unit, partial(_with_secret, written_secret(key)), secret=True)


async def _set_state(call: Call, to: str) -> Reply:
    return await call.once(SetWebhookState(call.path["webhook"], call.asker.sees, to), show_webhook)


async def enable(call: Call) -> Reply:
    """Turn a webhook on; it goes on where it was."""
    return await _set_state(call, "on")


async def disable(call: Call) -> Reply:
    """Turn a webhook off; what happens meanwhile is sent once it is on again."""
    return await _set_state(call, "off")


async def remove(call: Call) -> Reply:
    """Remove a webhook, with its URL and its secrets."""
    return await _set_state(call, "removed")


async def test(call: Call) -> Reply:
    """Send a message to a webhook, to try it; its deliveries tell what became of it."""
    return await call.once(TestWebhook(call.path["webhook"], call.asker.sees), show_webhook)


async def replay(call: Call) -> Reply:
    """Send a range of events again, in order, under the ids they had."""
    body = call.body(bodies.ReplayBody)
    until = UNTIL_ALWAYS if body.until is None else int(body.until)
    unit = ReplayWebhook(
        call.path["webhook"],
        call.asker.sees,
        int(body.after),
        until,
        call.desk.ctx.fresh_name("rpl"),
    )
    return await call.once(unit, _show_replay)


async def deliveries(call: Call) -> Reply:
    """List what was sent to a webhook, and what it answered, newest first."""
    webhook = await own_row(call, WEBHOOKS, call.path["webhook"], "webhook")
    limit, after = limit_of(call), cursor_of(call, "dlv")
    rows = await call.desk.ctx.database.read(
        lambda tx: page(tx, DELIVERIES, {"webhook": webhook.id}, after=after, limit=limit)
    )
    return listed([_show_delivery(row) for row in rows], limit)


def _on_one(verb: str, summary: str, handler: object) -> Endpoint:
    return Endpoint(
        "POST",
        f"/v1/webhooks/{{webhook}}/{verb}",
        f"{verb}_webhook",
        summary,
        handler,  # type: ignore[arg-type]
        scopes=_WRITE,
        answer=answers.WebhookAnswer,
    )


ENDPOINTS = [
    Endpoint(
        "POST",
        "/v1/webhooks",
        "add_webhook",
        "Send events to a URL",
        add,
        scopes=_WRITE,
        body=bodies.WebhookBody,
        status=201,
        answer=answers.WebhookAnswer,
    ),
    Endpoint(
        "GET",
        "/v1/webhooks",
        "list_webhooks",
        "List webhooks",
        list_webhooks,
        scopes=_ANY,
        query=PAGED,
        answer=answers.Page[answers.WebhookAnswer],
    ),
    Endpoint(
        "GET",
        "/v1/webhooks/{webhook}",
        "show_webhook",
        "Show a webhook",
        show,
        scopes=_ANY,
        answer=answers.WebhookAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/webhooks/{webhook}/rotate",
        "rotate_webhook",
        "Sign with a new secret",
        rotate,
        scopes=_WRITE,
        body=bodies.RotateWebhookBody,
        answer=answers.WebhookAnswer,
    ),
    _on_one("enable", "Turn a webhook on", enable),
    _on_one("disable", "Turn a webhook off", disable),
    _on_one("remove", "Remove a webhook", remove),
    Endpoint(
        "POST",
        "/v1/webhooks/{webhook}/test",
        "test_webhook",
        "Send a message to try it",
        test,
        scopes=_WRITE,
        answer=answers.WebhookAnswer,
    ),
    Endpoint(
        "POST",
        "/v1/webhooks/{webhook}/replay",
        "replay_webhook",
        "Send a range of events again",
        replay,
        scopes=_WRITE,
        body=bodies.ReplayBody,
        answer=answers.ReplayAnswer,
    ),
    Endpoint(
        "GET",
        "/v1/webhooks/{webhook}/deliveries",
        "list_deliveries",
        "What was sent, and what was answered",
        deliveries,
        scopes=_ANY,
        query=PAGED,
        answer=answers.Page[answers.DeliveryAnswer],
    ),
]
