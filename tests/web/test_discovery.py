"""What is sold can be found by machines, and being found costs the seller nothing."""

import json

import httpx
import pytest

from farthing.web.limits import Limits

from .shop import HUB, PAYEE, Shop

SOLD = f"""
[seller]
realm = "shop.example"
payee = "{PAYEE}"

[[offer]]
path = "/weather/{{town}}"
price = "0.0015 USD"
category = "data"
description = "The weather\\n# of `a` [town](http://evil.example)"

[[offer]]
path = "/files/*"
methods = ["GET", "POST"]
price = "1 USD"

[[offer]]
path = "/gone"
price = "1 USD"
valid_until = 2020-01-01T00:00:00Z
"""


class Site:
    """An app that has some pages of its own, and remembers what it was asked."""

    def __init__(self, *pages: str) -> None:
        self.pages, self.asked = pages, []

    async def __call__(self, scope, _receive, send):
        self.asked.append(scope["path"])
        found = scope["path"] in self.pages
        head = {"type": "http.response.start", "status": 200 if found else 404, "headers": []}
        await send(head)
        await send({"type": "http.response.body", "body": b"its own" if found else b"nothing"})


async def asked(path: str, *, method="GET", site=None, prices=SOLD, limits=None, **client):
    shop = Shop(prices, limits)
    wall = shop.paywall.wrap(site or Site())
    transport = httpx.ASGITransport(app=wall, **client)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.request(method, path)


@pytest.fixture
def anyio_backend():
    return "asyncio"


@pytest.mark.rule("discovery.document", "discovery.amount", "discovery.caching", on="middleware")
@pytest.mark.anyio
async def test_an_openapi_document_tells_each_price_as_the_draft_has_it():
    answer = await asked("/openapi.json")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    assert "max-age=300" in answer.headers["cache-control"]
    told = answer.json()
    assert told["openapi"].startswith("3.")
    assert told["info"]["title"] == "shop.example"
    assert told["servers"] == [{"url": "http://shop.example"}]
    assert told["x-service-info"]["categories"] == ["data"]
    assert set(told["paths"]) == {"/weather/{town}", "/files/{rest}"}
    operation = told["paths"]["/weather/{town}"]["get"]
    assert operation["responses"]["402"]["description"] == "Payment Required"
    [offer] = operation["x-payment-info"]["offers"]
    assert (offer["intent"], offer["method"]) == ("charge", "farthing")
    assert (offer["amount"], offer["currency"]) == ("1500", "USD")
    assert [one["name"] for one in operation["parameters"]] == ["town"]
    assert set(told["paths"]["/files/{rest}"]) == {"get", "post"}


@pytest.mark.anyio
async def test_llms_txt_says_what_is_sold_and_a_description_cannot_pose_as_markup():
    text = (await asked("/llms.txt")).text
    assert "- GET /weather/{town}, 0.0015 USD: The weather of a town (http://evil.example)" in text
    assert [line for line in text.splitlines() if line.startswith("# ")] == ["# shop.example"]
    assert "/gone" not in text


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/openapi.json", "/llms.txt"])
async def test_a_page_of_the_sellers_own_wins(path: str):
    assert (await asked(path, site=Site(path))).text == "its own"


@pytest.mark.anyio
@pytest.mark.parametrize("path", ["/openapi.json", "/llms.txt"])
async def test_a_priced_document_costs_its_price_and_the_app_is_not_run(path: str):
    site = Site(path)
    priced = SOLD + f'\n[[offer]]\npath = "{path}"\nprice = "1 USD"\n'
    assert (await asked(path, site=site, prices=priced)).status_code == 402
    assert site.asked == []


@pytest.mark.anyio
async def test_under_a_priced_prefix_the_app_is_not_run_for_it():
    site = Site("/openapi.json")
    prices = SOLD.replace("[seller]", '[seller]\nprefixes = ["/"]')
    answer = await asked("/openapi.json", site=site, prices=prices)
    assert (answer.status_code, site.asked) == (200, [])
    assert "its own" not in answer.text


@pytest.mark.anyio
async def test_head_has_no_body_and_other_methods_go_to_the_app():
    answer = await asked("/openapi.json", method="HEAD")
    assert (answer.status_code, answer.content) == (200, b"")
    assert int(answer.headers["content-length"]) > 100
    assert (await asked("/openapi.json", method="POST")).text == "nothing"


@pytest.mark.rule("discovery.https", on="middleware")
@pytest.mark.anyio
async def test_it_can_be_switched_off_and_travels_in_private_only():
    assert (await asked("/openapi.json", limits=Limits(discovery=False))).status_code == 404
    far = await asked("/openapi.json", client=("203.0.113.5", 99))
    assert (far.status_code, far.json()["code"]) == (403, "tls-required")


@pytest.mark.anyio
async def test_nothing_of_the_request_or_the_hub_is_told():
    text = json.dumps((await asked("/openapi.json")).json())
    assert "127.0.0.1" not in text
    assert HUB not in text
