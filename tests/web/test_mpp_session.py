"""MPP's session intent, spoken by hand: open, voucher, topUp and close on a metered route."""

import base64
import json
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx
import msgspec
import pytest

from farthing import ids
from farthing.clock import NS, system_clock
from farthing.codec import to_base64url
from farthing.core.orders import SignedOrder, payment_id
from farthing.core.sessions import Opening, opening_of, top_up_resource
from farthing.core.tariffs import read_tariff
from farthing.core.vouchers import Agreed, Claims, session_alias, sign_voucher
from farthing.errors import Unavailable
from farthing.keys import Signer, new_signer
from farthing.protocols.base import BadCredential
from farthing.protocols.mpp_session import SessionTerms
from tests.web.api.town import body_of
from tests.web.metered_shop import MeteredShop, metered_shop
from tests.web.shop import Counter


def decoded(text: str) -> Any:
    return json.loads(base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)))


def written(challenge: dict[str, str], payload: dict[str, Any]) -> str:
    raw = json.dumps({"challenge": challenge, "payload": payload}).encode()
    return "Payment " + base64.urlsafe_b64encode(raw).decode().rstrip("=")


@dataclass
class Payer:
    """A payer that knows the wire and nothing of our client."""

    shop: MeteredShop
    http: httpx.AsyncClient
    url: str

    async def challenge(self) -> dict[str, str]:
        asked = await self.http.get(self.url + "/readings")
        assert asked.status_code == 402
        field = asked.headers["www-authenticate"]
        return dict(re.findall(r'(\w+)="([^"]*)"', field))

    def opening(self, challenge: dict[str, str], deposit: int, **changes: Any) -> SignedOrder:
        request = decoded(challenge["request"])
        details = request["methodDetails"]
        told = {"purpose": details["purpose"], "tariff": read_tariff(details["tariff"]).digest()}
        told |= changes
        opening = Opening(told["tariff"], int(details["lifetime"]), 60, told["purpose"])
        return self.shop.town.order(
            deposit, payee=request["recipient"], resource=opening.resource()
        )

    async def say(
        self, challenge: dict[str, str], payload: dict[str, Any], method: str = "GET"
    ) -> httpx.Response:
        headers = {"authorization": written(challenge, payload)}
        return await self.http.request(method, self.url + "/readings", headers=headers)

    def first_voucher(self, order: SignedOrder, units: int, signer: Signer | None = None) -> str:
        """Sign a voucher of the session that an order is to open, or has opened."""
        session = ids.name("ses", payment_id(order.order))
        opening = opening_of(order.order.resource)
        assert opening is not None
        agreed = Agreed(session, order.order.payee, "USD", opening.tariff)
        ends = system_clock() // NS + opening.lifetime_seconds
        claims = Claims(session_alias(ids.number("ses", session)), units, 1, ends)
        signer = signer or self.shop.town.machines["meter"].signer
        return to_base64url(sign_voucher(signer, agreed, claims))

    async def voucher(self, session: str, units: int) -> str:
        shown = await self.shop.session(session)
        return self.shop.town.voucher(shown, units)


@pytest.fixture
def selling(tmp_path: Path):
    async def run(story: Any) -> None:
        handler = Counter()
        async with metered_shop(tmp_path, handler) as (shop, url), httpx.AsyncClient() as http:
            await story(Payer(shop, http, url), handler)

    return run


def receipt(answer: httpx.Response) -> dict[str, Any]:
    return decoded(answer.headers["payment-receipt"])


async def test_a_session_is_opened_drawn_topped_up_and_closed(selling):
    async def story(payer: Payer, handler: Counter):
        challenge = await payer.challenge()
        order = payer.opening(challenge, 5)
        opened = await payer.say(challenge, {"action": "open", **body_of(order)}, "HEAD")
        assert opened.status_code == 204, opened.text
        told = receipt(opened)
        session = ids.name("ses", payment_id(order.order))
        assert (told["reference"], told["intent"], told["spent"]) == (session, "session", "0")
        assert told["challengeId"] == challenge["id"]

        first = {"action": "voucher", "session": session}
        first["voucher"] = await payer.voucher(session, 5)
        for spent in ("2", "3", "5"):
            answer = await payer.say(challenge, first)
            assert (answer.status_code, answer.content) == (200, b"goods")
            assert receipt(answer)["spent"] == spent
            assert answer.headers["cache-control"] == "private"
        refused = await payer.say(challenge, first)
        assert (refused.status_code, refused.json()["needed"]) == (402, "6")
        assert "www-authenticate" in refused.headers

        beyond = {"action": "voucher", "session": session}
        beyond["voucher"] = await payer.voucher(session, 6)
        refused = await payer.say(challenge, beyond)
        assert refused.json()["code"] == "voucher-beyond-deposit"
        more = payer.shop.town.order(10, resource=top_up_resource(session))
        said = {"action": "topUp", "session": session, **body_of(more)}
        for _ in range(2):
            topped = await payer.say(challenge, said)
        assert topped.status_code == 204 and 'deposit="15"' in topped.headers["farthing-session"]
        assert (await payer.say(challenge, beyond)).status_code == 200

        closed = await payer.say(challenge, {**beyond, "action": "close"})
        assert closed.status_code == 204
        assert 'captured="6"' in closed.headers["farthing-session"]
        assert handler.runs == 4
        shown = await payer.shop.session(session)
        assert (shown["state"], shown["captured"], shown["deposit"]) == ("closed", "6", "15")
        over = await payer.say(challenge, beyond)
        assert (over.status_code, over.json()["code"]) == (402, "session-closed")

    await selling(story)


async def test_an_opening_with_a_voucher_is_served_at_once_and_again_with_the_same(selling):
    async def story(payer: Payer, handler: Counter):
        challenge = await payer.challenge()
        order = payer.opening(challenge, 50)
        opened = await payer.say(challenge, {"action": "open", **body_of(order)})
        assert opened.json()["code"] == "voucher-needed" and opened.json()["needed"] == "2"
        session = ids.name("ses", payment_id(order.order))
        said = {"action": "open", **body_of(order), "voucher": await payer.voucher(session, 3)}
        for spent in ("2", "3"):
            answer = await payer.say(challenge, said)
            assert (answer.status_code, receipt(answer)["spent"]) == (200, spent)
        assert handler.runs == 2

    await selling(story)


@pytest.mark.parametrize(
    "changes", [{"purpose": "other.example"}, {"tariff": bytes(32)}], ids=["purpose", "tariff"]
)
async def test_an_order_for_something_else_is_not_brought_to_the_hub(selling, changes):
    async def story(payer: Payer, handler: Counter):
        challenge = await payer.challenge()
        order = payer.opening(challenge, 50, **changes)
        answer = await payer.say(challenge, {"action": "open", **body_of(order)})
        assert (answer.status_code, answer.json()["code"]) == (402, "wrong-session")
        assert await payer.shop.town.available("purse") == 1_000_000
        assert handler.runs == 0

    await selling(story)


async def test_a_challenge_of_somebody_else_and_what_cannot_be_read_are_refused(selling):
    async def story(payer: Payer, handler: Counter):
        challenge = await payer.challenge()
        order = payer.opening(challenge, 50)
        said = {"action": "open", **body_of(order)}
        forged = {**challenge, "request": to_base64url(b'{"amount":"1"}')}
        for sent, payload, code in (
            (forged, said, "invalid-challenge"),
            ({**challenge, "realm": "other.example"}, said, "invalid-challenge"),
            (challenge, {"action": "take"}, "malformed-credential"),
            (challenge, {"action": "voucher", "session": "ses_1"}, "malformed-credential"),
            (challenge, {"action": "voucher", "voucher": "aa"}, "malformed-credential"),
            (challenge, {**said, "order": "all"}, "malformed-credential"),
        ):
            answer = await payer.say(sent, payload)
            assert (answer.status_code, answer.json()["code"]) == (402, code), answer.text
            assert "www-authenticate" in answer.headers
        assert handler.runs == 0
        assert await payer.shop.town.available("purse") == 1_000_000

    await selling(story)


async def test_a_deposit_that_the_hub_refuses_opens_nothing(selling):
    async def story(payer: Payer, handler: Counter):
        challenge = await payer.challenge()
        order = payer.opening(challenge, 900_000)  # More than the mandate's largest.
        answer = await payer.say(challenge, {"action": "open", **body_of(order)})
        assert (answer.status_code, answer.json()["code"]) == (402, "mandate-largest")
        assert handler.runs == 0

    await selling(story)


@pytest.mark.rule("session.top-up", on="middleware")
async def test_only_what_takes_a_deposit_needs_a_fresh_challenge(selling):
    async def story(payer: Payer, handler: Counter):
        challenge = await payer.challenge()
        order = payer.opening(challenge, 50)
        language = payer.shop.till._language
        terms = SessionTerms(
            realm="shop.example",
            hub=payer.shop.town.hub.ctx.identity.hub,
            payee=payer.shop.town.accounts["shop"],
            usage=payer.shop.paywall._desk.prices.current().offers[0].usage,
        )
        opens = written(challenge, {"action": "open", **body_of(order)})
        draws = written(challenge, {"action": "voucher", "session": "ses_1", "voucher": "aaaa"})
        later_ns = system_clock() + 301 * NS
        assert language.read(opens, terms, system_clock()).action == "open"
        with pytest.raises(BadCredential) as caught:
            language.read(opens, terms, later_ns)
        assert caught.value.code == "payment-expired"
        assert language.read(draws, terms, later_ns).action == "voucher"
        other = msgspec.structs.replace(terms, realm="other.example")
        [(_, field)] = language.challenge(other, system_clock())
        elsewhere = dict(re.findall(r'(\w+)="([^"]*)"', field))
        with pytest.raises(BadCredential) as caught:
            language.read(written(elsewhere, {"action": "take"}), terms, later_ns)
        assert caught.value.code == "invalid-challenge"
        assert handler.runs == 0

    await selling(story)


async def test_an_opening_beside_a_voucher_beyond_its_deposit_holds_nothing(selling):
    async def story(payer: Payer, handler: Counter):
        challenge, town = await payer.challenge(), payer.shop.town
        before = await town.available("purse")
        order = payer.opening(challenge, 5)
        session = ids.name("ses", payment_id(order.order))
        said = {"action": "open", **body_of(order)}
        none = await payer.say(challenge, said | {"voucher": "hEOh"})
        assert (none.status_code, none.json()["code"]) == (400, "malformed-voucher")
        beyond = payer.first_voucher(order, 6)
        refused = await payer.say(challenge, said | {"voucher": beyond})
        assert (refused.status_code, refused.json()["code"]) == (402, "voucher-beyond-deposit")
        assert refused.json()["session"] == session
        assert await town.available("purse") == before
        fits = payer.first_voucher(order, 5)
        assert (await payer.say(challenge, said | {"voucher": fits})).status_code == 200
        assert await town.available("purse") == before - 5
        strange = payer.first_voucher(order, 99, signer=new_signer())
        told = await payer.say(challenge, said | {"voucher": strange})
        assert (told.status_code, told.json()["code"]) == (402, "bad-voucher")
        assert "deposit" not in told.text
        assert handler.runs == 1

    await selling(story)


@pytest.mark.parametrize("hub_is_away", [False, True])
async def test_a_deposit_beside_a_voucher_of_somebody_else_is_free_again_at_once(
    selling, hub_is_away: bool
):
    async def story(payer: Payer, handler: Counter):
        challenge, shop = await payer.challenge(), payer.shop
        before = await shop.town.available("purse")
        order = payer.opening(challenge, 50)
        strange = payer.first_voucher(order, 9, signer=new_signer())
        said = {"action": "open", **body_of(order), "voucher": strange}
        close = shop.metering._handing._hub.close
        if hub_is_away:
            shop.metering._handing._hub.close = away
        told = await payer.say(challenge, said)
        assert (told.status_code, told.json()["code"]) == (402, "bad-voucher")
        if hub_is_away:
            assert await shop.town.available("purse") == before - 50
            shop.metering._handing._hub.close = close
            await shop.metering.close_ended()
        assert await shop.town.available("purse") == before
        assert handler.runs == 0
        other = payer.opening(challenge, 50)
        good = said | body_of(other) | {"voucher": payer.first_voucher(other, 9)}
        assert (await payer.say(challenge, good)).status_code == 200

    await selling(story)


async def away(*_asked: Any) -> Any:
    raise Unavailable("hub-busy", "try again")
