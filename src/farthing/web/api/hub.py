"""The hub itself: who it is, whether it is well, and what it serves."""

from collections.abc import Callable, Sequence
from typing import Any

from farthing.core.identity import CERTIFICATES
from farthing.core.owners import Scope
from farthing.services.books_clock import BEHIND_SECONDS_MAX, seconds_behind
from farthing.store.database import Tx
from farthing.store.history import newest_head
from farthing.store.queries import PAGE_MAX, page
from farthing.web.api import answers
from farthing.web.api.discovery import service_info
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.openapi import describe

_CACHED = [(b"cache-control", b"public, max-age=300"), (b"access-control-allow-origin", b"*")]


async def well_known(call: Call) -> Reply:
    """Say who this hub is: its id, its root key, and the keys that sign for it."""
    ctx = call.desk.ctx
    certificates = await ctx.database.read(lambda tx: page(tx, CERTIFICATES, {}, limit=PAGE_MAX))
    certificates.sort(key=lambda certificate: certificate.valid_from, reverse=True)
    body = {
        "hub": ctx.identity.hub,
        "root_key": ctx.identity.root_public,
        "certificates": [certificate.members() for certificate in certificates],
        "assets": [{"code": a.code, "scale": a.scale} for a in ctx.assets.values()],
        "protocols": {
            "mpp": {"method": "farthing", "intents": ["charge"]},
            "x402": {"scheme": "exact", "network": f"farthing:{ctx.identity.hub}"},
        },
        "api": "/openapi.json",
    }
    return Reply(body, headers=list(_CACHED))


async def healthz(_call: Call) -> Reply:
    """Say that the process is alive."""
    return Reply({"status": "ok"})


async def readyz(call: Call) -> Reply:
    """Say whether payments can be taken: the database answers and can be written, its time is
    not ahead of the clock, and the hub is not closing.
    """
    status = "closing" if call.desk.closing else call.desk.fault()
    if status:
        return Reply({"status": status}, 503)
    behind = await seconds_behind(call.desk.ctx)  # Which also asks the database something.
    if behind > BEHIND_SECONDS_MAX:
        later = [(b"retry-after", str(behind - BEHIND_SECONDS_MAX).encode())]
        return Reply({"status": "clock-behind-books", "seconds": behind}, 503, headers=later)
    return Reply({"status": "ready"})


async def metrics(call: Call) -> Reply:
    """Show how the hub does, as Prometheus reads it."""
    return Reply(await call.desk.metrics())


async def status(call: Call) -> Reply:
    """Show the operator how the books stand."""

    def work(tx: Tx) -> dict[str, Any]:
        head = newest_head(tx)
        return {
            "hub": call.desk.ctx.identity.hub,
            "commits": head.number if head else 0,
            "head": head.digest.hex() if head else None,
            "engine": call.desk.config.books.engine,
            "url": call.desk.config.server.url(),
        }

    return Reply(await call.desk.ctx.database.read(work))


def endpoints(all_of_them: Callable[[], Sequence[Endpoint]]) -> list[Endpoint]:
    """Give these endpoints, one of which describes all."""

    async def openapi(call: Call) -> Reply:
        server = call.desk.config.server
        told = describe(all_of_them(), server.public_url)
        return Reply({**told, "x-service-info": service_info(server)}, headers=list(_CACHED))

    return [
        Endpoint(
            "GET",
            "/.well-known/farthing",
            "well_known",
            "Who this hub is",
            well_known,
            scopes=None,
            answer=answers.IdentityAnswer,
        ),
        Endpoint("GET", "/openapi.json", "openapi", "This description", openapi, scopes=None),
        Endpoint(
            "GET",
            "/healthz",
            "healthz",
            "Whether the process is alive",
            healthz,
            scopes=None,
            answer=answers.HealthAnswer,
        ),
        Endpoint(
            "GET",
            "/readyz",
            "readyz",
            "Whether payments can be taken",
            readyz,
            scopes=None,
            answer=answers.HealthAnswer,
            others={503: answers.HealthAnswer},
        ),
        Endpoint(
            "GET",
            "/v1/hub",
            "hub_status",
            "How the books stand",
            status,
            scopes=(Scope.OPERATOR,),
            answer=answers.HubAnswer,
        ),
        Endpoint(
            "GET",
            "/metrics",
            "metrics",
            "How the hub does, for Prometheus",
            metrics,
            scopes=(Scope.METRICS,),
            media="text/plain; version=0.0.4; charset=utf-8",
        ),
    ]
