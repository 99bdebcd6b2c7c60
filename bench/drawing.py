"""`session-vouchers`: signed vouchers at `POST /v1/vouchers`, a hundred in a request.

Every device draws a session of its own, each voucher one unit more than the one before it; the
vouchers are signed beforehand, and the hub verifies each and keeps the highest before it answers.
"""

from collections.abc import Sequence

import msgspec
import psutil

from bench.figures import Figure
from bench.fleet import ASSET, Fleet, Spender
from bench.load import Job
from bench.processes import measure
from farthing import ids
from farthing.app import Hub, open_hub
from farthing.clock import NS, system_clock
from farthing.codec import to_base64url
from farthing.core.devices import DEVICES
from farthing.core.orders import Order, SignedOrder
from farthing.core.paying import Authorise
from farthing.core.sessions import SESSIONS, Opening, Session, session_of
from farthing.core.tariffs import flat_rate
from farthing.core.vouchers import Claims, sign_voucher
from farthing.settings import Config
from farthing.store.queries import one

EACH, CONNECTIONS = 100, 8
_SUPPOSED_PER_S = 14_000
_DEPOSIT, _LIFETIME_SECONDS = 10**9, 3000
_DRAWN = b'"promised"'
_TARIFF = flat_rate(ASSET, "reading", 1)


async def open_sessions(config: Config, fleet: Fleet) -> list[Session]:
    """Open a session for each device, through the books."""
    hub = await open_hub(config)
    try:
        units = [await _opening(hub, fleet, spender, i) for i, spender in enumerate(fleet.spenders)]
        done = await hub.books.commit(units)
        names = [session_of(answer.answer.payment) for answer in done]
        found = await hub.ctx.database.read(lambda tx: [one(tx, SESSIONS, n) for n in names])
        return [session for session in found if session is not None]
    finally:
        await hub.close()


async def _opening(hub: Hub, fleet: Fleet, spender: Spender, i: int) -> Authorise:
    now_ns = system_clock()
    order = Order(
        hub=fleet.hub,
        device=spender.device,
        payee=fleet.payees[i % len(fleet.payees)],
        asset=ASSET,
        amount=_DEPOSIT,
        nonce=ids.encode(ids.fresh(now_ns // 1_000_000)),
        expires=now_ns // NS + 600,
        resource=Opening(_TARIFF.digest(), _LIFETIME_SECONDS, 60, "").resource(),
    )
    signed = SignedOrder(order, spender.signer.sign(order.signed_bytes()))
    device = await hub.ctx.database.read(lambda tx: one(tx, DEVICES, spender.device))
    key = spender.signer.public
    return Authorise(signed, key, device, fleet.hub, 0, capture=False, serves=False, deposit=True)


def run_vouchers(
    config: Config,
    fleet: Fleet,
    sessions: Sequence[Session],
    hub: psutil.Process,
    port: int,
    *,
    seconds: float,
    begin: int,
) -> Figure:
    """Draw for some seconds, from `begin` units on."""
    warmups = max(CONNECTIONS, len(sessions) // EACH)
    count = int(_SUPPOSED_PER_S * seconds / EACH) + CONNECTIONS
    requests = [_request(fleet, sessions, n, begin) for n in range(warmups + count)]
    job = Job(port, CONNECTIONS, seconds, warmups, requests, EACH, _DRAWN)
    return measure(config, hub, job, "session-vouchers")


def _request(fleet: Fleet, sessions: Sequence[Session], n: int, begin: int) -> bytes:
    """Write a request of one voucher each for the next hundred sessions."""
    items: list[dict[str, str]] = []
    for place in range(n * EACH, (n + 1) * EACH):
        turn, which = divmod(place, len(sessions))
        session, spender = sessions[which], fleet.spenders[which]
        units = begin + turn + 1
        claims = Claims(session.alias, units, units, session.ends_ns // NS)
        raw = sign_voucher(spender.signer, session.agreed, claims)
        items.append({"session": session.id, "voucher": to_base64url(raw)})
    body = msgspec.json.encode({"vouchers": items})
    return (
        b"POST /v1/vouchers HTTP/1.1\r\nHost: 127.0.0.1\r\n"
        b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n%b" % (len(body), body)
    )
