"""Stock software on real sockets: an x402 shop that settles at `farthing serve`, and the proxy."""

import asyncio
import base64
import json
from collections.abc import Iterator
from types import SimpleNamespace
from typing import Any

import httpx
import pytest
from mpp.client import PaymentTransport
from x402 import x402Client
from x402.http import x402HTTPClient
from x402.http.clients.httpx import x402AsyncTransport

from farthing.core.receipts import receipt_fault
from farthing.keys import new_signer
from farthing.plugs.pympp_client import charge
from farthing.plugs.x402_client import FarthingScheme
from farthing.protocols import client as reading
from tests.e2e.hub_process import HubProcess
from tests.e2e.selling_apps import served, stock_shop
from tests.web.api.town import enrolment

FUNDS = 100_000


@pytest.fixture(scope="module")
def market(tmp_path_factory: Any) -> Iterator[Any]:
    """A served hub with a funded device and a seller; its API is asked over its port."""
    with HubProcess(tmp_path_factory.mktemp("market")) as hub:
        http = httpx.Client(
            base_url=hub.url, headers={"authorization": f"Bearer {hub.made['key']}"}
        )

        def made(path: str, **body: Any) -> Any:
            answer = http.post(path, json=body)
            assert answer.is_success, answer.text
            return answer.json()

        seller = made("/v1/owners", name="seller")["id"]
        shop = made("/v1/accounts", asset="USD", owner=seller)["id"]
        key = made("/v1/keys", scopes=["seller"], owner=seller)["secret"]
        purse = made("/v1/accounts", asset="USD")["id"]
        made("/v1/credits", account=purse, units=str(FUNDS), asset="USD")
        mandate = made("/v1/mandates", asset="USD", largest="5000")["id"]
        code = made("/v1/devices/invitations", account=purse, mandate=mandate)["code"]
        signer = new_signer()
        device = made("/v1/devices/enrol", **enrolment(code, signer))["device"]

        def balance(account: str = shop) -> dict[str, str]:
            return http.get(f"/v1/accounts/{account}").json()["balance"]

        yield SimpleNamespace(
            hub=hub, http=http, made=made, shop=shop, purse=purse, key=key, signer=signer,
            device=device, balance=balance,
        )  # fmt: skip
        http.close()


@pytest.fixture
def tea(market: Any) -> Iterator[Any]:
    """The stock shop, served."""
    calls: list[str] = []
    app = stock_shop(market.hub.url, market.hub.made["hub"], market.key, market.shop, calls)
    with served(app) as url:
        yield SimpleNamespace(url=url, calls=calls)


class Wire(httpx.AsyncHTTPTransport):
    """Keeps the payment it carried last."""

    sent: dict[str, str]

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        names = ("payment-signature", "authorization")
        self.sent = {name: request.headers[name] for name in names if name in request.headers}
        return await super().handle_async_request(request)


def x402(market: Any, inner: Any) -> httpx.AsyncBaseTransport:
    payer = x402Client().register("farthing:*", FarthingScheme(market.signer, market.device))
    return x402AsyncTransport(payer, inner)


def mpp(market: Any, inner: Any) -> httpx.AsyncBaseTransport:
    return PaymentTransport([charge(market.signer, market.device)], inner)


async def get(transport: Any, url: str, headers: dict[str, str] | None = None) -> httpx.Response:
    async with httpx.AsyncClient(transport=transport, timeout=20) as http:
        return await http.get(url, headers=headers)


def posted(market: Any) -> int:
    return int(market.balance()["received"])


async def test_a_stock_client_pays_a_stock_shop_that_settles_here(market: Any, tea: Any):
    before = posted(market)
    answer = await get(x402(market, httpx.AsyncHTTPTransport()), f"{tea.url}/tea")
    assert (answer.status_code, answer.json(), tea.calls) == (200, "tea", ["tea"])
    assert posted(market) == before + 1500
    settled = json.loads(base64.b64decode(answer.headers["payment-response"]))
    assert settled["success"]
    shown = market.http.get(f"/v1/payments/{settled['transaction']}").json()
    assert (shown["state"], shown["captured"]) == ("captured", "1500")
    assert receipt_fault(shown["receipt"], market.hub.made["root_key"]) is None


async def test_a_replayed_payment_is_served_and_settled_once(market: Any, tea: Any):
    before, wire = posted(market), Wire()
    await get(x402(market, wire), f"{tea.url}/tea")
    again = await asyncio.gather(
        *(get(httpx.AsyncHTTPTransport(), f"{tea.url}/tea", wire.sent) for _ in range(10))
    )
    assert {answer.status_code for answer in again} == {402}
    assert (tea.calls, posted(market)) == (["tea"], before + 1500)


async def test_ten_at_once_with_one_payment_are_served_once(market: Any, tea: Any):
    """Between /verify and /settle the money is held, so nobody can slip in."""
    before = posted(market)
    asked = await get(httpx.AsyncHTTPTransport(), f"{tea.url}/tea")
    payer = x402Client().register("farthing:*", FarthingScheme(market.signer, market.device))
    http = x402HTTPClient(payer)
    required = http.get_payment_required_response(asked.headers.get)
    payload = await payer.create_payment_payload(required)
    headers = http.encode_payment_signature_header(payload)
    told = await asyncio.gather(
        *(get(httpx.AsyncHTTPTransport(), f"{tea.url}/tea", headers) for _ in range(10))
    )
    assert sorted(answer.status_code for answer in told) == [200] + [402] * 9
    assert (tea.calls, posted(market)) == (["tea"], before + 1500)


async def test_a_handler_that_fails_costs_nothing(market: Any, tea: Any):
    before = market.balance()
    answer = await get(x402(market, httpx.AsyncHTTPTransport()), f"{tea.url}/broken")
    assert answer.status_code == 500
    assert market.balance()["received"] == before["received"]


async def test_a_forged_payment_is_refused_by_the_shop_not_an_error_of_it(market: Any, tea: Any):
    before, wire = posted(market), Wire()
    await get(x402(market, wire), f"{tea.url}/tea")
    payload = json.loads(base64.b64decode(wire.sent["payment-signature"]))
    for member, value in (("signature", "A" * 86), ("signature", "A"), ("nonce", "x")):
        forged = payload | {"payload": payload["payload"] | {member: value}}
        fields = {"payment-signature": base64.b64encode(json.dumps(forged).encode()).decode()}
        answer = await get(httpx.AsyncHTTPTransport(), f"{tea.url}/tea", fields)
        assert answer.status_code == 402, (member, answer.text)
    assert (tea.calls, posted(market)) == (["tea"], before + 1500)


@pytest.fixture(scope="module")
def proxied(market: Any, tmp_path_factory: Any) -> Iterator[str]:
    """`farthing proxy` before a plain web server, at a price."""
    site = tmp_path_factory.mktemp("site")
    (site / "page").write_text("a page")
    prices = site / "prices.toml"
    prices.write_text(
        f'[seller]\npayee = "{market.shop}"\n\n[[offer]]\npath = "/page"\nprice = "0.0015 USD"\n'
    )
    with (
        market.hub.service(site) as upstream,
        market.hub.proxy(upstream, "--prices", str(prices)) as url,
    ):
        yield url


@pytest.mark.parametrize("language", [x402, mpp])
async def test_stock_clients_pay_the_proxy(market: Any, proxied: str, language: Any):
    before = posted(market)
    wire = Wire()
    answer = await get(language(market, wire), f"{proxied}/page")
    assert (answer.status_code, answer.text) == (200, "a page")
    assert posted(market) == before + 1500
    told = reading.read_receipt(answer.headers.multi_items())
    assert told is not None
    assert receipt_fault(told["receipt"], market.hub.made["root_key"]) is None
    again = await get(httpx.AsyncHTTPTransport(), f"{proxied}/page", wire.sent)
    assert (again.status_code, again.text) == (200, "a page")
    assert posted(market) == before + 1500


async def test_a_revoked_device_pays_nobody(market: Any, tea: Any, proxied: str):
    mandate = market.made("/v1/mandates", asset="USD")["id"]
    code = market.made("/v1/devices/invitations", account=market.purse, mandate=mandate)["code"]
    signer = new_signer()
    device = market.made("/v1/devices/enrol", **enrolment(code, signer))["device"]
    lost = SimpleNamespace(signer=signer, device=device)
    assert (await get(x402(lost, httpx.AsyncHTTPTransport()), f"{tea.url}/tea")).is_success
    market.made(f"/v1/devices/{device}/revoke")
    before = posted(market)
    for language, url in ((x402, f"{tea.url}/tea"), (x402, f"{proxied}/page"),
                          (mpp, f"{proxied}/page")):  # fmt: skip
        answer = await get(language(lost, httpx.AsyncHTTPTransport()), url)
        assert answer.status_code == 402
    assert posted(market) == before
