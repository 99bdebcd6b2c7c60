"""Two hub processes' worth of hubs on the same books: one API, one truth, one stream of events."""

import asyncio
from pathlib import Path

import httpx
import pytest

from farthing.app import open_hub
from farthing.codec import to_base64url
from farthing.core.devices import rotation_bytes
from farthing.keys import new_signer
from farthing.settings import BooksSettings
from farthing.web.app import HubApp
from tests.shared_writers import writing_for_several

from .test_bad_payments import problem
from .test_facilitator import x402_body
from .test_streams import listening
from .town import FUNDS, URL, Town, changed, config_in, open_town


@pytest.fixture(params=[pytest.param("postgresql", marks=pytest.mark.postgres), "sqlite"])
def shared(request, tmp_path: Path):
    """A hub's configuration, and the door through which SQLite's books are written."""
    config = config_in(tmp_path)
    if request.param == "sqlite":
        with writing_for_several(config.path(config.books.path)) as writer:
            yield config, writer.door
    else:
        dsn = request.getfixturevalue("postgres_dsn")
        yield changed(config, books=BooksSettings(engine="postgresql", dsn=dsn)), None


async def in_two_hubs(folder: Path, shared, work) -> None:
    """Run a test with a second hub on the same database."""
    config, door = shared
    async with open_town(folder, config=config, door=door) as town:
        second = await open_hub(config, door=door)
        wire = httpx.ASGITransport(HubApp(second.desk))
        try:
            async with httpx.AsyncClient(transport=wire, base_url=URL) as http:
                await work(town, http)
        finally:
            await second.close()


async def test_a_stream_hears_what_either_hub_commits_once_and_in_order(tmp_path, shared):
    async def work(town: Town, other: httpx.AsyncClient) -> None:
        async with listening(town, "seller.read") as stream:
            bodies = [town.payment(i + 1) for i in range(40)]
            told = await asyncio.gather(
                *((town.http, other)[i % 2].post("/v1/payments", json=b)
                  for i, b in enumerate(bodies))
            )  # fmt: skip
            assert {answer.status_code for answer in told} == {200}
            heard = [await stream.next() for _ in range(40)]
        numbers = [int(event["id"]) for event in heard]
        assert numbers == sorted(set(numbers))
        assert sorted(int(e["body"]["amount"]) for e in heard) == list(range(1, 41))

    await in_two_hubs(tmp_path, shared, work)


async def test_one_nonce_is_settled_once_by_both_hubs_together(tmp_path, shared):
    async def work(town: Town, other: httpx.AsyncClient) -> None:
        body = x402_body(town, town.order())
        key = {"authorization": f"Bearer {town.keys['seller.seller']}"}
        hubs, paths = (town.http, other), ("/verify", "/settle")
        told = await asyncio.gather(
            *(hubs[i % 2].post(paths[i // 20], json=body, headers=key) for i in range(40))
        )
        answers = [answer.json() for answer in told]
        assert sum(a["isValid"] for a in answers[:20]) <= 1
        [done] = [a for a in answers[20:] if a["success"]]
        others = {a["extra"]["payment"] for a in answers[20:] if not a["success"]}
        assert others == {done["transaction"]}
        assert await town.available("shop") == 1500
        assert await town.available("purse") == FUNDS - 1500

    await in_two_hubs(tmp_path, shared, work)


async def test_what_one_hub_revokes_the_other_refuses_at_once(tmp_path, shared):
    async def work(town: Town, other: httpx.AsyncClient) -> None:
        assert (await other.post("/v1/payments", json=town.payment())).status_code == 200
        meter = town.machines["meter"].id
        await town.made("POST", f"/v1/devices/{meter}/revoke", who="buyer.owner")
        answer = await other.post("/v1/payments", json=town.payment())
        assert problem(answer) == (422, "device-revoked")
        fields = {"authorization": f"Bearer {town.keys['seller.read']}"}
        assert (await other.get("/v1/accounts", headers=fields)).status_code == 200
        listed = await town.made("GET", "/v1/keys", who="seller.owner")
        for key in listed["items"]:
            if key["scopes"] == ["read"]:
                await town.made("POST", f"/v1/keys/{key['id']}/revoke", who="seller.owner")
        assert problem(await other.get("/v1/accounts", headers=fields)) == (401, "bad-key")

    await in_two_hubs(tmp_path, shared, work)


async def test_an_idempotency_key_is_one_for_both_hubs(tmp_path, shared):
    async def work(town: Town, other: httpx.AsyncClient) -> None:
        fields = {
            "authorization": f"Bearer {town.keys['buyer.owner']}",
            "idempotency-key": "both",
        }
        told = await asyncio.gather(
            *((town.http, other)[i % 2].post("/v1/accounts", json={"asset": "USD"}, headers=fields)
              for i in range(20))
        )  # fmt: skip
        assert {answer.status_code for answer in told} == {201}
        assert len({answer.json()["id"] for answer in told}) == 1

    await in_two_hubs(tmp_path, shared, work)


async def test_a_signed_request_is_good_once_at_both_hubs_together(tmp_path, shared):
    async def work(town: Town, other: httpx.AsyncClient) -> None:
        paid = await town.pay()
        path = f"/v1/payments/{paid['id']}"
        request = town.http.build_request("GET", path)
        town.sign(request, town.machines["meter"])
        assert (await town.http.send(request)).status_code == 200
        again = other.build_request("GET", path, headers=request.headers)
        assert problem(await other.send(again)) == (401, "signature-replayed")

    await in_two_hubs(tmp_path, shared, work)


async def test_a_key_that_one_hub_was_given_is_known_to_the_other_at_once(tmp_path, shared):
    async def work(town: Town, other: httpx.AsyncClient) -> None:
        meter, new = town.machines["meter"], new_signer()
        assert (await other.post("/v1/payments", json=town.payment())).status_code == 200
        message = rotation_bytes(meter.id, new.public)
        told = {
            "public_key": new.public,
            "signature_old": to_base64url(meter.signer.sign(message)),
            "signature_new": to_base64url(new.sign(message)),
        }
        await town.made("POST", f"/v1/devices/{meter.id}/rotate", told, who="meter")
        meter.signer = new
        assert (await other.post("/v1/payments", json=town.payment())).status_code == 200

    await in_two_hubs(tmp_path, shared, work)


async def test_a_mandate_that_one_hub_narrows_or_revokes_binds_the_other_at_once(tmp_path, shared):
    async def work(town: Town, other: httpx.AsyncClient) -> None:
        path = f"/v1/mandates/{town.machines['meter'].mandate}"
        assert (await other.post("/v1/payments", json=town.payment())).status_code == 200
        terms = {"asset": "USD", "largest": "1000"}
        await town.made("PUT", path, terms, who="buyer.owner")
        answer = await other.post("/v1/payments", json=town.payment())
        assert problem(answer)[1] == "mandate-largest"
        assert (await other.post("/v1/payments", json=town.payment(900))).status_code == 200
        await town.made("POST", f"{path}/revoke", who="buyer.owner")
        answer = await other.post("/v1/payments", json=town.payment(900))
        assert problem(answer)[1] == "mandate-revoked"

    await in_two_hubs(tmp_path, shared, work)


async def test_a_session_is_one_whichever_hub_it_is_drawn_at(tmp_path, shared):
    async def work(town: Town, other: httpx.AsyncClient) -> None:
        session = await town.session(1000)
        path = f"/v1/sessions/{session['id']}"
        hubs = (town.http, other)
        for turn in range(1, 11):
            body = {"voucher": town.voucher(session, turn * 10, turn)}
            answer = await hubs[turn % 2].post(f"{path}/vouchers", json=body)
            assert answer.json()["promised"] == str(turn * 10)
        late = {"voucher": town.voucher(session, 50, 5)}
        assert problem(await other.post(f"{path}/vouchers", json=late))[1] == "voucher-superseded"
        key = {"authorization": f"Bearer {town.keys['seller.seller']}"}
        assert (await other.post(f"{path}/close", headers=key)).json()["captured"] == "100"
        after = {"voucher": town.voucher(session, 200, 20)}
        answer = await town.http.post(f"{path}/vouchers", json=after)
        assert problem(answer)[1] == "session-closed"
        assert await town.available("shop") == 100

    await in_two_hubs(tmp_path, shared, work)
