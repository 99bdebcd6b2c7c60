"""An app's own OpenAPI document is told with its prices, and nothing of it is lost."""

import gzip
import json

import httpx
import pytest
from fastapi import APIRouter, FastAPI
from jsonschema import Draft202012Validator
from starlette.responses import JSONResponse, Response

from farthing.core.prices import PriceList
from farthing.errors import BadConfig
from farthing.web.limits import Limits
from farthing.web.own_document import DOCUMENT_BYTES_MAX
from farthing.web.proxy import ReverseProxy

from .shop import Shop, serving

PRICES = """
[seller]
realm = "shop.example"

[[offer]]
path = "/weather/{town}"
price = "0.0015 USD"
category = "data"

[[offer]]
path = "/weather/oslo"
price = "0.002 USD"

[[offer]]
path = "/files/*"
methods = ["GET", "POST"]
price = "1 USD"

[[offer]]
path = "/reports/yearly"
price = "2 USD"
description = "A report"

[[offer]]
path = "/gift"
price = "0 USD"
"""

OFFER = {
    "type": "object",
    "required": ["intent", "method", "amount"],
    "properties": {
        "intent": {"enum": ["charge", "session"]},
        "method": {"type": "string"},
        "amount": {"oneOf": [{"type": "null"}, {"type": "string", "pattern": "^(0|[1-9][0-9]*)$"}]},
        "currency": {"type": "string"},
        "description": {"type": "string"},
    },
    "additionalProperties": False,
}


def shop_api(**more) -> FastAPI:
    app = FastAPI(title="Weather", version="7", **more)

    @app.get("/weather/{city}", summary="How it is")
    def weather(city: str, days: int = 1) -> dict:
        return {"city": city, "days": days}

    @app.get("/files/{name}")
    @app.post("/files/{name}")
    def files(name: str) -> str:
        return name

    @app.get("/files/{name}/parts/{part}")
    def parts(name: str, part: int) -> str:
        return f"{name}{part}"

    @app.get("/about")
    @app.get("/gift")
    def about() -> str:
        return "free"

    return app


async def told(
    app, path="/openapi.json", *, prices=PRICES, method="GET", limits=None, headers=None, **wall
):
    wrapped = Shop(prices, limits, **wall).paywall.wrap(app)
    transport = httpx.ASGITransport(app=wrapped)
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        return await http.request(method, path, headers=headers)


def offers(document, method, path):
    return document["paths"][path][method]["x-payment-info"]["offers"]


@pytest.mark.rule("discovery.operations", on="middleware")
async def test_every_priced_operation_has_its_price_and_a_402_and_the_rest_is_as_it_was():
    app = shop_api()
    answer = await told(app)
    document, own = answer.json(), app.openapi()
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["cache-control"] == "max-age=300"
    assert int(answer.headers["content-length"]) == len(answer.content)
    [one] = offers(document, "post", "/files/{name}")
    assert (one["intent"], one["method"], one["amount"], one["currency"]) == (
        "charge", "farthing", "1000000", "USD",
    )  # fmt: skip
    assert offers(document, "get", "/files/{name}/parts/{part}")[0]["amount"] == "1000000"
    [depends] = offers(document, "get", "/weather/{city}")
    assert depends["amount"] is None
    assert depends["description"].startswith("0.0015 USD to 0.002 USD")
    for path in ("/about", "/gift"):
        assert document["paths"][path] == own["paths"][path]
    assert document["x-service-info"] == {
        "categories": ["data"], "docs": {"llms": "http://shop.example/llms.txt"},
    }  # fmt: skip
    for item in document["paths"].values():
        for operation in item.values():
            info = operation.pop("x-payment-info", None)
            assert (info is None) == (operation["responses"].pop("402", None) is None)
            for offer in (info or {"offers": []})["offers"]:
                Draft202012Validator(OFFER).validate(offer)
    added = document["paths"].pop("/reports/yearly")["get"]
    assert added["summary"] == "A report"
    document.pop("x-service-info")
    assert document == json.loads(json.dumps(own))


async def test_what_stands_in_the_app_already_stays_beside_ours():
    app = shop_api()
    document = app.openapi()
    theirs = {"intent": "charge", "method": "stripe", "amount": "5", "currency": "usd"}
    stale = {"intent": "charge", "method": "farthing", "amount": "1"}
    document["paths"]["/files/{name}"]["get"]["x-payment-info"] = theirs
    document["paths"]["/files/{name}"]["post"]["x-payment-info"] = {"offers": [stale, theirs]}
    document["paths"]["/files/{name}"]["get"]["responses"]["402"] = {"description": "Pay!"}
    document["x-service-info"] = {"categories": ["own"], "docs": {"homepage": "https://a.example"}}
    found = (await told(app)).json()
    for method in ("get", "post"):
        ours, others = offers(found, method, "/files/{name}")
        assert (ours["amount"], others) == ("1000000", theirs)
    assert found["paths"]["/files/{name}"]["get"]["responses"]["402"] == {"description": "Pay!"}
    assert found["x-service-info"]["categories"] == ["own"]
    assert set(found["x-service-info"]["docs"]) == {"homepage", "llms"}


async def test_prices_beside_endpoints_are_told_with_or_without_a_document_of_the_apps():
    shop = Shop("[seller]\nrealm = 'shop.example'")
    for more in ({}, {"openapi_url": None}):
        app, router, inner = FastAPI(**more), APIRouter(prefix="/v1"), FastAPI()

        @app.get("/a/{ident}")
        @shop.paywall.price("0.5 USD")
        def a(ident: int) -> int:
            return ident

        @router.get("/b")
        @shop.paywall.price("0.25 USD")
        def b() -> int:
            return 1

        @inner.get("/c")
        @shop.paywall.price("0.75 USD")
        def c() -> int:
            return 1

        app.include_router(router, prefix="/api")
        app.mount("/inner", inner)
        transport = httpx.ASGITransport(app=shop.paywall.wrap(app))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
            document = (await http.get("/openapi.json")).json()
            text = (await http.get("/llms.txt")).text
        for path, amount in (("/a/{ident}", 500000), ("/api/v1/b", 250000), ("/inner/c", 750000)):
            assert offers(document, "get", path)[0]["amount"] == str(amount)
            assert f"- GET {path}, " in text


async def test_the_document_may_lie_elsewhere_and_under_a_root():
    app = shop_api(openapi_url="/schema/openapi.json")
    for path in ("/openapi.json", "/schema/openapi.json"):
        answer = await told(app, path, openapi="/schema/openapi.json")
        assert offers(answer.json(), "post", "/files/{name}")[0]["amount"] == "1000000"
        assert answer.json()["info"]["title"] == "Weather"
    assert "Weather" not in (await told(app)).text  # Nobody said where it is: ours is given.
    with pytest.raises(BadConfig):
        Shop(PRICES, openapi="http://elsewhere/openapi.json")

    async def rooted(scope, receive, send):
        path = "/api" + scope["path"]
        await wall({**scope, "root_path": "/api", "path": path, "raw_path": path.encode()},
                   receive, send)  # fmt: skip

    wall = Shop(PRICES).paywall.wrap(shop_api())
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(rooted), base_url="http://l"
    ) as http:
        document = (await http.get("http://127.0.0.1/openapi.json")).json()
    assert document["servers"] == [{"url": "/api"}]
    assert offers(document, "post", "/files/{name}")[0]["amount"] == "1000000"


async def test_a_document_that_is_sold_or_closed_is_not_given_away():
    place, app = "/schema/openapi.json", shop_api(openapi_url="/schema/openapi.json")
    priced = PRICES + f'\n[[offer]]\npath = "{place}"\nprice = "1 USD"\n'
    assert (await told(app, place, prices=priced, openapi=place)).status_code == 402
    closed = PRICES.replace("[seller]", '[seller]\nprefixes = ["/schema"]')
    for prices in (priced, closed):
        answer = await told(app, prices=prices, openapi=place)
        assert (answer.status_code, "Weather" in answer.text) == (200, False)
    opened = closed + f'\n[[offer]]\npath = "{place}"\nprice = "0 USD"\n'
    assert "Weather" in (await told(app, prices=opened, openapi=place)).text


async def test_a_priced_endpoint_of_that_name_costs_its_price():
    shop = Shop("[seller]\nrealm = 'shop.example'")
    app = FastAPI(openapi_url=None)

    @app.get("/openapi.json")
    @shop.paywall.price("1 USD")
    def openapi() -> dict:
        return {"openapi": "3.1.0", "paths": {}}

    transport = httpx.ASGITransport(app=shop.paywall.wrap(app))
    async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http:
        assert (await http.get("/openapi.json")).status_code == 402


class Document:
    """An app whose document is what a test says, and what it was asked with."""

    def __init__(self, response: Response) -> None:
        self.response, self.seen, self.method = response, {}, ""

    async def __call__(self, scope, receive, send):
        self.seen = {name.decode(): value.decode() for name, value in scope["headers"]}
        self.method = scope["method"]
        await self.response(scope, receive, send)


def big(size: int) -> bytes:
    return json.dumps({"openapi": "3.1.0", "paths": {}, "x": "y" * size}).encode()


@pytest.mark.parametrize(
    "response",
    [
        Response(b"not json", media_type="application/json"),
        Response(b"[1, 2]", media_type="application/json"),
        Response(b'{"openapi": "3.1.0"}', media_type="application/json"),
        Response(b'{"swagger": "2.0", "paths": {}}', media_type="application/json"),
        Response(b'{"openapi": "3.1.0", "paths": {}, "x": NaN}', media_type="application/json"),
        Response(b'{"openapi": "3.1.0", "paths": {}, "x": 1e999}', media_type="application/json"),
        Response(b'{"openapi":"3.1.0","paths":{},"x":"\\ud800"}', media_type="application/json"),
        Response(b"[" * 100_000, media_type="application/json"),
        Response(b"9" * 5_000, media_type="application/json"),
        Response(b"\xff\xfe", media_type="application/json"),
        Response(big(DOCUMENT_BYTES_MAX), media_type="application/json"),
        Response(b"openapi: 3.1.0", media_type="application/yaml"),
        Response(b"", media_type="application/json"),
        Response(gzip.compress(big(9), mtime=0), media_type="application/json",
                 headers={"content-encoding": "gzip", "etag": '"1"'}),
        JSONResponse({"openapi": "3.1.0", "paths": {}}, 401, {"www-authenticate": "Bearer"}),
        JSONResponse({"openapi": "3.1.0", "paths": {}}, 500),
    ],
    ids=lambda r: f"{r.status_code}-{r.body[:24]!r}",
)  # fmt: skip
async def test_what_is_no_readable_document_passes_as_it_is(response: Response):
    app = Document(response)
    shop = Shop(PRICES)
    transport = httpx.ASGITransport(app=shop.paywall.wrap(app))
    async with (
        httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as http,
        http.stream("GET", "/openapi.json") as answer,
    ):
        raw = b"".join([part async for part in answer.aiter_raw()])
    assert (answer.status_code, raw) == (response.status_code, response.body)
    for name, value in response.headers.items():
        assert answer.headers[name] == value


@pytest.mark.parametrize(
    "paths",
    [
        {"/files/{name}": None},
        {"/files/{name}": {"get": None, "parameters": []}},
        {"/files/{name}": {"get": {"responses": []}}},
        {"/files/{name}": {"get": {"x-payment-info": "odd"}}},
        {"/files/{name}": {"get": {"x-payment-info": {"offers": ["odd", None, {}]}}}},
        {"x-odd": 1, "odd": {"get": {}}},
    ],
    ids=str,
)
async def test_odd_parts_of_a_document_stay_and_harm_nothing(paths):
    document = {"openapi": "3.0.3", "paths": paths, "servers": ["odd"], "x-service-info": "odd"}
    found = (await told(Document(JSONResponse(document)))).json()
    assert (found["openapi"], found["servers"], found["x-service-info"]) == (
        "3.0.3",
        ["odd"],
        "odd",
    )
    assert set(paths) <= set(found["paths"])


async def test_the_app_is_asked_for_the_whole_of_it_and_head_has_no_body():
    fields = {"etag": '"1"', "last-modified": "x", "cache-control": "private", "x-own": "1"}
    app = Document(JSONResponse(shop_api().openapi(), headers=fields))
    asked = {"if-none-match": '"1"', "range": "bytes=0-9", "accept-encoding": "gzip"}
    whole = await told(app, headers=asked)
    assert app.seen["accept-encoding"] == "identity"
    assert not {"if-none-match", "range"} & set(app.seen)
    assert not {"etag", "last-modified"} & set(whole.headers)
    assert (whole.headers["cache-control"], whole.headers["x-own"]) == ("private", "1")
    head = await told(app, method="HEAD")
    assert (head.content, app.method) == (b"", "GET")
    assert head.headers == whole.headers


async def test_new_prices_are_told_at_once_and_switching_it_off_leaves_the_document_alone():
    app, shop = shop_api(), Shop(PRICES)

    class Changing:
        now = shop.prices

        def current(self):
            return self.now

    changing = Changing()
    wall = shop.paywall.wrap(app)
    wall._desk.prices = changing
    async with httpx.AsyncClient(
        transport=httpx.ASGITransport(wall), base_url="http://127.0.0.1"
    ) as http:
        for _ in range(2):
            assert "/reports/yearly" in (await http.get("/openapi.json")).json()["paths"]
        changing.now = PriceList()
        assert "x-payment-info" not in (await http.get("/openapi.json")).text
    left = await told(app, limits=Limits(discovery=False))
    assert left.json() == json.loads(json.dumps(app.openapi()))


@pytest.mark.rule("discovery.document", "discovery.operations", on="proxy")
async def test_behind_the_proxy_it_is_the_same():
    async with serving(shop_api()) as behind:
        front = ReverseProxy(behind)
        answer = await told(front)
        await front.aclose()
    assert offers(answer.json(), "post", "/files/{name}")[0]["amount"] == "1000000"
    assert answer.json()["info"]["title"] == "Weather"
