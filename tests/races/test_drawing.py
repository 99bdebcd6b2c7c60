"""A thousand vouchers of one session, in any order, doubled and lost: the highest is captured."""

import random
import secrets
import time
from collections import Counter

from farthing import ids
from farthing.codec import to_base64url
from farthing.core.ladders import Climber
from farthing.core.sessions import Opening
from farthing.core.tariffs import flat_rate
from farthing.core.ticks import Tick, write_tick
from farthing.core.vouchers import Agreed, Claims, session_alias, sign_voucher
from tests.web.api.town import body_of

from .market import Buyer, Market

DEPOSIT, STEP = 100_000, 50
TARIFF = flat_rate("USD", "request", 1)
EACH = 40


def opened(market: Market, buyer: Buyer) -> str:
    """Open a session with the shop."""
    resource = Opening(TARIFF.digest(), 3000, 60, "GET /readings").resource()
    body = body_of(market.order(buyer, DEPOSIT, resource=resource))
    return market.made("/v1/sessions", **body, tariff=TARIFF.members())["session"]["id"]


def vouchers(market: Market, buyer: Buyer, session: str, count: int) -> list[str]:
    """Sign so many vouchers, each promising more than the one before."""
    agreed = Agreed(session, market.shop, "USD", TARIFF.digest())
    alias, expiry = session_alias(ids.number("ses", session)), int(time.time()) + 1000
    signed = [
        sign_voucher(buyer.signer, agreed, Claims(alias, (i + 1) * STEP, i + 1, expiry))
        for i in range(count)
    ]
    return [to_base64url(raw) for raw in signed]


def begun(market: Market) -> tuple[random.Random, Buyer, str]:
    """Open a session, and say the seed of all that is left to chance."""
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    buyer = market.buyer()
    return random.Random(seed), buyer, opened(market, buyer)


def test_a_thousand_vouchers_in_any_order_end_in_the_right_capture(market: Market):
    chance, buyer, session = begun(market)
    signed = vouchers(market, buyer, session, 1000)
    kept = [raw for raw in signed if chance.random() > 0.1]  # A tenth gets lost on the way.
    sent = kept + chance.choices(kept, k=300)  # Some come twice, or more often.
    chance.shuffle(sent)
    single, together = sent[:200], sent[200:]
    told = market.post(f"/v1/sessions/{session}/vouchers", [{"voucher": raw} for raw in single])
    assert {answer.status for answer in told} <= {200, 409}
    bodies = [
        {"vouchers": [{"session": session, "voucher": raw} for raw in together[i : i + EACH]]}
        for i in range(0, len(together), EACH)
    ]
    answers = market.post("/v1/vouchers", bodies)
    assert {answer.status for answer in answers} == {200}
    highest = (signed.index(max(kept, key=signed.index)) + 1) * STEP
    shown = market.shown(f"/v1/sessions/{session}")
    assert int(shown["promised"]) == highest
    closed = market.http.post(f"/v1/sessions/{session}/close", headers=market.as_seller).json()
    assert int(closed["captured"]) == highest
    assert market.spent(buyer) == highest
    codes = Counter(answer.code for answer in told if answer.status == 409)
    assert set(codes) <= {"voucher-superseded"}
    market.settled()


def test_a_thousand_ticks_in_any_order_end_in_the_right_capture(market: Market):
    chance, buyer, session = begun(market)
    alias = session_alias(ids.number("ses", session))
    climber = Climber(alias, chance.randbytes(16), 1000)
    agreed = Agreed(session, market.shop, "USD", TARIFF.digest())
    claims = Claims(alias, 70, 1, int(time.time()) + 1000, climber.ladder(STEP))
    voucher = to_base64url(sign_voucher(buyer.signer, agreed, claims))
    market.made(f"/v1/sessions/{session}/vouchers", voucher=voucher)
    ticks = [write_tick(Tick(alias, *climber.rung(count))) for count in range(1, 1001)]
    kept = [raw for raw in ticks if chance.random() > 0.1]
    sent = kept + chance.choices(kept, k=300)
    chance.shuffle(sent)
    single = [{"tick": to_base64url(raw)} for raw in sent]
    told = market.post(f"/v1/sessions/{session}/ticks", single)
    assert {answer.status for answer in told} <= {200, 409}
    highest = 70 + (ticks.index(kept[-1]) + 1) * STEP
    assert int(market.shown(f"/v1/sessions/{session}")["promised"]) == highest
    closed = market.http.post(f"/v1/sessions/{session}/close", headers=market.as_seller).json()
    assert int(closed["captured"]) == highest
    assert market.spent(buyer) == highest
    codes = Counter(answer.code for answer in told if answer.status == 409)
    assert set(codes) <= {"voucher-superseded"}
    market.settled()
