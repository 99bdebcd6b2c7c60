"""Vouchers over a WebSocket, on a real hub in a process of its own."""

import asyncio
import json
import random
import time
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from wsproto import ConnectionType, WSConnection, events

from farthing import ids
from farthing.clock import parse_time
from farthing.codec import from_base64url, to_base64url
from farthing.core.orders import Order
from farthing.core.sessions import Opening
from farthing.core.tariffs import flat_rate
from farthing.core.vouchers import Agreed, Claims, sign_voucher
from farthing.device.voucher_line import Refused, VoucherLine
from farthing.errors import FarthingError, Malformed, OutcomeUnknown, Unavailable
from farthing.keys import new_signer
from tests.e2e.hub_process import HubProcess
from tests.web.api.town import enrolment

TARIFF = flat_rate("USD", "request", 1)


class Place:
    """A hub, a device and a seller; `open` gives a session."""

    def __init__(self, hub: HubProcess) -> None:
        self.hub = hub
        key = {"authorization": f"Bearer {hub.made['key']}"}
        self.http = httpx.Client(base_url=hub.url, headers=key)
        seller = self.made("/v1/owners", name="seller")["id"]
        self.shop = self.made("/v1/accounts", asset="USD", owner=seller)["id"]
        self.key = self.made("/v1/keys", scopes=["seller"], owner=seller)["secret"]
        purse = self.made("/v1/accounts", asset="USD")["id"]
        self.made("/v1/credits", account=purse, units="1000000", asset="USD")
        mandate = self.made("/v1/mandates", asset="USD", largest="100000")["id"]
        code = self.made("/v1/devices/invitations", account=purse, mandate=mandate)["code"]
        self.signer = new_signer()
        self.device = self.made("/v1/devices/enrol", **enrolment(code, self.signer))["device"]

    def made(self, path: str, **body: Any) -> Any:
        answer = self.http.post(path, json=body)
        assert answer.is_success, answer.text
        return answer.json()

    def open(self, deposit: int = 50_000, lifetime: int = 3600) -> Any:
        now_ms = time.time_ns() // 1_000_000
        order = Order(
            hub=self.hub.made["hub"], device=self.device, payee=self.shop, asset="USD",
            amount=deposit, nonce=ids.encode(ids.fresh(now_ms)), expires=now_ms // 1000 + 300,
            resource=Opening(TARIFF.digest(), lifetime, 600, "").resource(),
        )  # fmt: skip
        signature = to_base64url(self.signer.sign(order.signed_bytes()))
        body = {"order": order.members(), "signature": signature, "tariff": TARIFF.members()}
        return self.made("/v1/sessions", **body)["session"]

    def voucher(self, session: Any, units: int, sequence: int = 1) -> bytes:
        tariff, alias = (from_base64url(session[name]) for name in ("tariff_hash", "alias"))
        agreed = Agreed(session["id"], session["payee"], session["asset"], tariff)
        claims = Claims(alias, units, sequence, parse_time(session["ends_at"]))
        return sign_voucher(self.signer, agreed, claims)

    def stands(self, session: Any) -> Any:
        return self.http.get(f"/v1/sessions/{session['id']}").json()


class Raw:
    """A socket of which every byte is the test's own."""

    async def open(self, place: Place, path: str = "/v1/vouchers", **fields: str) -> Any:
        self.reader, self.writer = await asyncio.open_connection("127.0.0.1", place.hub.port)
        self.wire = WSConnection(ConnectionType.CLIENT)
        extra = [(name.encode(), value.encode()) for name, value in fields.items()]
        host = f"127.0.0.1:{place.hub.port}"
        self.send(events.Request(host=host, target=path, extra_headers=extra))
        self.queue: list[Any] = []
        return await self.next()

    def send(self, event: Any) -> None:
        self.writer.write(self.wire.send(event))

    async def next(self) -> Any:
        while not self.queue:
            data = await asyncio.wait_for(self.reader.read(65536), 20)
            if not data:
                return None
            self.wire.receive_data(data)
            self.queue += list(self.wire.events())
        return self.queue.pop(0)

    async def told(self) -> Any:
        event = await self.next()
        assert isinstance(event, events.TextMessage), event
        return json.loads(event.data)


def message(place: Place, session: Any, units: int, sequence: int = 1, **more: Any) -> str:
    voucher = to_base64url(place.voucher(session, units, sequence))
    return json.dumps({"session": session["id"], "voucher": voucher} | more)


@pytest.fixture(scope="module")
def place(tmp_path_factory: Any) -> Iterator[Place]:
    with HubProcess(tmp_path_factory.mktemp("socket")) as hub:
        yield Place(hub)


async def test_a_thousand_in_flight_in_any_order_end_in_the_highest(place: Place):
    session = place.open()
    vouchers = [place.voucher(session, n, n) for n in range(1, 1001)]
    sent = [*vouchers, *random.sample(vouchers, 100)]
    random.shuffle(sent)
    async with VoucherLine(place.hub.url) as line:
        told = await asyncio.gather(
            *(line.draw(session["id"], one) for one in sent), return_exceptions=True
        )
    assert all(isinstance(one, dict | Refused) for one in told)
    refused = [one for one in told if isinstance(one, Refused)]
    assert {one.code for one in refused} == {"voucher-superseded"}
    assert all(int(one.more["promised"]) > 0 for one in refused)
    assert all(one.more["ticks"] == "0" for one in refused)
    assert place.stands(session)["promised"] == "1000"


async def test_each_answer_comes_in_its_turn(place: Place):
    session, other, raw = place.open(), place.open(), Raw()
    await raw.open(place)
    forged = json.dumps({"session": session["id"], "voucher": "AAAA"})
    for text in (
        message(place, session, 5), message(place, other, 7), "{", forged,
        message(place, session, 3), '{"session": 1}', message(place, session, 9),
    ):  # fmt: skip
        raw.send(events.TextMessage(data=text))
    told = [await raw.told() for _ in range(7)]
    codes = [one["problem"]["code"] if one["problem"] else one["drawn"]["promised"] for one in told]
    assert codes == [
        "5", "7", "malformed-json", "malformed-voucher", "voucher-superseded", "invalid-body", "9",
    ]  # fmt: skip


async def test_what_is_no_voucher_message_ends_the_socket_with_a_code_of_its_own(place: Place):
    for event, code in (
        (events.BytesMessage(data=b"\x00"), 1003),
        (events.TextMessage(data="x" * 5000), 1009),
    ):
        raw = Raw()
        await raw.open(place)
        raw.send(event)
        closing = await raw.next()
        assert isinstance(closing, events.CloseConnection)
        assert closing.code == code


async def test_a_message_that_was_cut_off_draws_nothing(place: Place):
    session, raw = place.open(), Raw()
    await raw.open(place)
    frame = raw.wire.send(events.TextMessage(data=message(place, session, 5)))
    raw.writer.write(frame[:-1])
    raw.writer.close()
    await asyncio.sleep(0.2)
    assert place.stands(session)["promised"] == "0"


async def test_a_foreign_page_a_bad_key_and_another_path_open_nothing(place: Place):
    for fields, path, status in (
        ({"origin": "https://evil.example"}, "/v1/vouchers", 403),
        ({"origin": "null"}, "/v1/vouchers", 403),
        ({"authorization": "Bearer fk_none"}, "/v1/vouchers", 401),
        ({"authorization": "Basic x"}, "/v1/vouchers", 401),
        ({}, "/v1/payments", 404),
    ):
        told = await Raw().open(place, path, **fields)
        assert isinstance(told, events.RejectConnection), (fields, told)
        assert told.status_code == status


async def test_late_vouchers_need_their_payees_key(place: Place):
    session = place.open(lifetime=1)
    voucher = place.voucher(session, 5)
    await asyncio.sleep(1.1)
    async with VoucherLine(place.hub.url) as line:
        with pytest.raises(Refused) as raised:
            await line.draw(session["id"], voucher, late=True)
    assert raised.value.code == "scope-missing"
    async with VoucherLine(place.hub.url, place.key) as line:
        assert (await line.draw(session["id"], voucher, late=True))["promised"] == "5"


async def test_junk_does_not_end_the_hub_and_sockets_give_their_place_back(place: Place):
    dice = random.Random(7)
    for _ in range(60):
        raw = Raw()
        await raw.open(place)
        raw.writer.write(dice.randbytes(dice.randrange(1, 400)))
        raw.writer.close()
    session = place.open()
    async with VoucherLine(place.hub.url) as line:
        assert (await line.draw(session["id"], place.voucher(session, 1)))["promised"] == "1"


async def test_a_socket_that_ended_leaves_its_place_to_another(tmp_path: Any):
    with HubProcess(tmp_path, FARTHING_SERVER_CONNECTIONS_MAX="8") as hub:
        place = Place(hub)
        place.http.close()
        for _ in range(12):
            async with VoucherLine(hub.url):
                pass


async def test_a_hub_that_stops_closes_its_sockets(tmp_path: Any):
    with HubProcess(tmp_path) as hub:
        raw = Raw()
        await raw.open(Place(hub))
        hub.process.terminate()
        closing = await raw.next()
        assert closing is None or closing.code in (1001, 1012)
        assert await asyncio.to_thread(hub.process.wait, 15) == 0


async def test_a_socket_to_no_hub_is_told_and_plain_http_elsewhere_is_refused():
    with pytest.raises(Unavailable):
        async with VoucherLine("http://127.0.0.1:9"):
            pass
    with pytest.raises(Malformed):
        VoucherLine("http://hub.example")


async def test_a_socket_that_the_hub_refuses_is_closed_and_its_status_told(place: Place):
    line = VoucherLine(place.hub.url, "fk_none")
    with pytest.raises(Unavailable, match="it answers 401"):
        await line.__aenter__()
    assert line._writer.is_closing()
    assert line._reading.done()


async def test_what_was_answered_survives_a_kill(tmp_path: Any):
    with HubProcess(tmp_path) as hub:
        place = Place(hub)
        session = place.open()
        known = SimpleNamespace(highest=0, some=asyncio.Event())

        async def stream() -> None:
            async with VoucherLine(hub.url) as line:
                for n in range(1, 50_000):
                    told = await line.draw(session["id"], place.voucher(session, n, n))
                    known.highest = int(told["promised"])
                    if n == 50:
                        known.some.set()

        streaming = asyncio.create_task(stream())
        await asyncio.wait_for(known.some.wait(), 20)
        hub.process.kill()
        with pytest.raises((OutcomeUnknown, FarthingError)):
            await streaming
        hub.process.wait()
        hub.start()
        assert int(place.stands(session)["promised"]) >= known.highest
        await asyncio.to_thread(hub.run, "audit")


async def test_a_query_that_nothing_knows_is_refused_as_over_http(place: Place):
    refused = await Raw().open(place, "/v1/vouchers?late=1")
    assert isinstance(refused, events.RejectConnection)
    over_http = place.http.post("/v1/vouchers?late=1", json={"vouchers": []})
    assert refused.status_code == over_http.status_code == 400
    assert over_http.json()["code"] == "unknown-parameter"
