"""A stock x402 client pays a stock x402 shop by vouchers of one session, settled at a real hub."""

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from x402 import x402Client
from x402.http.clients.httpx import x402AsyncTransport

from farthing.errors import PaymentRefused
from farthing.keys import new_signer, write_key_file
from farthing.plugs.paying import Limits
from farthing.plugs.x402_batch import FarthingBatch
from tests.e2e.selling_apps import served, stock_shop
from tests.e2e.test_stock_facilitator import get, market
from tests.protocols.test_stock_howto import BATCH_CLIENT, BATCH_SELLER, program
from tests.web.api.town import enrolment

__all__ = ["market"]

PRICE = 1500


@pytest.fixture
def tea(market: Any) -> Iterator[Any]:
    """The stock shop, served, which sells by `batch-settlement`."""
    calls: list[str] = []
    app = stock_shop(
        market.hub.url, market.hub.made["hub"], market.key, market.shop, calls, "batch-settlement"
    )
    with served(app) as url:
        yield SimpleNamespace(url=url, calls=calls)


class Wire(httpx.AsyncHTTPTransport):
    """Keeps what it carried, and can lose answers to paid requests."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[dict[str, Any]] = []
        self.losing = 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        if "payment-signature" in request.headers:
            self.sent.append(json.loads(base64.b64decode(request.headers["payment-signature"])))
            if self.losing:
                self.losing -= 1
                await answer.aread()
                raise httpx.ReadError("lost", request=request)
        return answer


def scheme_of(market: Any, folder: Path, deposit: int = 20_000, **more: Any) -> FarthingBatch:
    return FarthingBatch(market.signer, market.device, folder, {"USD": deposit}, **more)


def paying(scheme: FarthingBatch, inner: Any = None) -> httpx.AsyncBaseTransport:
    payer = x402Client().register("farthing:*", scheme)
    return x402AsyncTransport(payer, inner or httpx.AsyncHTTPTransport())


@pytest.fixture
def roomy(market: Any) -> Any:
    """The same market, with a device whose mandate allows a deposit."""
    market.made("/v1/credits", account=market.purse, units="50000", asset="USD")
    mandate = market.made("/v1/mandates", asset="USD", largest="30000")["id"]
    code = market.made("/v1/devices/invitations", account=market.purse, mandate=mandate)["code"]
    signer = new_signer()
    device = market.made("/v1/devices/enrol", **enrolment(code, signer))["device"]
    return SimpleNamespace(**{**vars(market), "signer": signer, "device": device})


def session_of(market: Any, wire: Wire) -> Any:
    [ident] = {one["payload"]["session"] for one in wire.sent if "session" in one["payload"]}
    return market.http.get(f"/v1/sessions/{ident}").json()


def closed(market: Any, ident: str) -> Any:
    return market.made(f"/v1/sessions/{ident}/close")


async def test_a_stock_client_pays_a_stock_shop_by_one_deposit(
    roomy: Any, tea: Any, tmp_path: Path
):
    wire = Wire()
    transport = paying(scheme_of(roomy, tmp_path), wire)
    for n in range(1, 6):
        answer = await get(transport, f"{tea.url}/tea")
        assert (answer.status_code, answer.json()) == (200, "tea"), answer.text
        told = json.loads(base64.b64decode(answer.headers["payment-response"]))
        assert told["success"] and told["transaction"].endswith(f"/{n}")
        assert told["extra"]["channelState"]["chargedCumulativeAmount"] == str(PRICE * n)
    assert [one["payload"]["type"] for one in wire.sent] == ["deposit"] + ["voucher"] * 4
    session = session_of(roomy, wire)
    assert (session["promised"], session["deposit"]) == (str(PRICE * 5), "20000")
    before = roomy.balance()["received"]
    assert closed(roomy, session["id"])["captured"] == str(PRICE * 5)
    assert int(roomy.balance()["received"]) == int(before) + PRICE * 5
    assert tea.calls == ["tea"] * 5


async def test_a_handler_that_fails_is_not_charged_and_the_payer_goes_on(
    roomy: Any, tea: Any, tmp_path: Path
):
    wire = Wire()
    transport = paying(scheme_of(roomy, tmp_path), wire)
    assert (await get(transport, f"{tea.url}/tea")).status_code == 200
    assert (await get(transport, f"{tea.url}/broken")).status_code == 500
    for _ in range(3):
        assert (await get(transport, f"{tea.url}/tea")).status_code == 200
    session = session_of(roomy, wire)
    assert closed(roomy, session["id"])["captured"] == str(PRICE * 4)


async def test_a_payer_that_was_killed_goes_on_with_what_it_has_on_disk(
    roomy: Any, tea: Any, tmp_path: Path
):
    wire = Wire()
    for _ in range(3):
        answer = await get(paying(scheme_of(roomy, tmp_path), wire), f"{tea.url}/tea")
        assert answer.status_code == 200
    session = session_of(roomy, wire)
    assert (session["sequence"], session["promised"]) == ("3", str(PRICE * 3))


async def test_a_lost_answer_opens_no_second_session(roomy: Any, tea: Any, tmp_path: Path):
    wire = Wire()
    wire.losing = 1
    with pytest.raises(Exception, match="lost"):
        await get(paying(scheme_of(roomy, tmp_path), wire), f"{tea.url}/tea")
    answer = await get(paying(scheme_of(roomy, tmp_path), wire), f"{tea.url}/tea")
    assert answer.status_code == 200
    first, second = (one["payload"] for one in wire.sent)
    assert first["order"] == second["order"]
    session = roomy.http.get("/v1/sessions", params={"device": roomy.device}).json()["items"]
    assert len(session) == 1


async def test_many_at_once_are_each_served_and_charged_once(roomy: Any, tea: Any, tmp_path: Path):
    wire = Wire()
    transport = paying(scheme_of(roomy, tmp_path, deposit=30_000), wire)
    async with httpx.AsyncClient(transport=transport, timeout=20) as http:
        await http.get(f"{tea.url}/tea")
        answers = await asyncio.gather(*(http.get(f"{tea.url}/tea") for _ in range(6)))
    served_now = [answer.status_code for answer in answers].count(200)
    assert {answer.status_code for answer in answers} <= {200, 402}
    assert served_now >= 1
    session = session_of(roomy, wire)
    assert closed(roomy, session["id"])["captured"] == str(PRICE * (served_now + 1))


async def test_a_replayed_payment_is_refused(roomy: Any, tea: Any, tmp_path: Path):
    wire = Wire()
    await get(paying(scheme_of(roomy, tmp_path), wire), f"{tea.url}/tea")
    raw = base64.b64encode(json.dumps(wire.sent[0]).encode()).decode()
    again = await asyncio.gather(
        *(
            get(httpx.AsyncHTTPTransport(), f"{tea.url}/tea", {"payment-signature": raw})
            for _ in range(10)
        )
    )
    assert {answer.status_code for answer in again} == {402}
    assert tea.calls == ["tea"]


async def test_a_deposit_that_is_used_up_is_held_again(roomy: Any, tea: Any, tmp_path: Path):
    wire = Wire()
    transport = paying(scheme_of(roomy, tmp_path, deposit=3000), wire)
    for _ in range(5):
        assert (await get(transport, f"{tea.url}/tea")).status_code == 200
    kinds = [one["payload"]["type"] for one in wire.sent]
    assert kinds == ["deposit", "voucher", "deposit", "voucher", "deposit"]
    assert session_of(roomy, wire)["deposit"] == "9000"


async def test_a_session_that_was_closed_is_followed_by_another(
    roomy: Any, tea: Any, tmp_path: Path
):
    wire = Wire()
    transport = paying(scheme_of(roomy, tmp_path), wire)
    for _ in range(2):
        assert (await get(transport, f"{tea.url}/tea")).status_code == 200
    closed(roomy, session_of(roomy, wire)["id"])
    assert (await get(transport, f"{tea.url}/tea")).status_code == 200
    assert [one["payload"]["type"] for one in wire.sent][-1] == "deposit"


async def test_a_deposit_that_the_mandate_forbids_is_told_and_given_up(
    roomy: Any, tea: Any, tmp_path: Path
):
    scheme = scheme_of(roomy, tmp_path, deposit=30_001)
    answer = await get(paying(scheme), f"{tea.url}/tea")
    assert answer.status_code == 402
    told = json.loads(base64.b64decode(answer.headers["payment-required"]))
    assert told["error"] == "mandate_largest"
    assert scheme._files.all() == []
    assert tea.calls == []


@pytest.mark.parametrize(
    "more",
    [{"limits": Limits(amount_max={"USD": 100})}, {"limits": Limits(hub="a" * 32)}, {"deposit": 9}],
)
async def test_nothing_is_signed_beyond_its_own_limits(
    roomy: Any, tea: Any, tmp_path: Path, more: dict[str, Any]
):
    wire = Wire()
    with pytest.raises(Exception) as raised:
        await get(paying(scheme_of(roomy, tmp_path, **more), wire), f"{tea.url}/tea")
    assert isinstance(raised.value.__cause__ or raised.value, PaymentRefused)
    assert wire.sent == []


def test_the_programs_of_the_page_pay_and_are_paid(roomy: Any, tmp_path: Path):
    hub = roomy.hub
    app = program(BATCH_SELLER)["shop"](hub.url, hub.made["hub"], roomy.key, roomy.shop)
    write_key_file(tmp_path / "device.key", roomy.signer)
    roomy.made("/v1/credits", account=roomy.purse, units="50000", asset="USD")
    fetch = program(BATCH_CLIENT.replace("50_000", "30_000"))["fetch"]
    with served(app) as url:
        for _ in range(3):
            asked = fetch(f"{url}/tea", tmp_path / "device.key", roomy.device, tmp_path / "kept")
            assert asyncio.run(asked).json() == "tea"
    [session] = roomy.http.get("/v1/sessions", params={"device": roomy.device}).json()["items"]
    assert (session["promised"], session["deposit"]) == ("4500", "30000")
