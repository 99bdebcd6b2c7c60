"""Prices beside the endpoints of real Starlette and FastAPI apps."""

import asyncio

import pytest
from fastapi import APIRouter, FastAPI
from fastapi.responses import StreamingResponse as FastStreaming
from starlette.applications import Starlette
from starlette.middleware.base import BaseHTTPMiddleware
from starlette.responses import PlainTextResponse, StreamingResponse
from starlette.routing import Mount, Route

from farthing.errors import BadConfig, InvariantBroken
from farthing.money import MalformedPrice
from farthing.web.paywall import Paywall

from .shop import PAYEE, Shop, selling, serving


def no_prices() -> Shop:
    return Shop(prices="")


def test_a_starlette_route_has_its_price_beside_it():
    shop = no_prices()

    @shop.paywall.price("0.002 USD", description="An item")
    async def item(request):
        return PlainTextResponse(f"item {request.path_params['id']}")

    @shop.paywall.price("0.003 USD", methods=frozenset({"POST"}))
    async def inner(request):
        return PlainTextResponse(await request.body())

    async def free(request):
        return PlainTextResponse("free")

    routes = [
        Route("/items/special", free),
        Route("/items/{id:int}", item),
        Mount("/deep", routes=[Route("/in/{rest:path}", inner, methods=["POST"])]),
    ]

    async def story():
        async with selling(shop, Starlette(routes=routes)) as client:
            assert (await client.get("/items/special")).text == "free"
            paid = await shop.pay(client, "GET", "/items/7")
            assert paid.text == "item 7" and "payment-receipt" in paid.headers
            assert shop.spent == 2000
            assert (await shop.pay(client, "POST", "/deep/in/a/b", content=b"hi")).text == "hi"
            assert shop.spent == 5000
            assert (await client.get("/items/none")).status_code == 404
            assert (await client.put("/items/7")).status_code == 405
            assert (await client.head("/items/7")).status_code == 402

    asyncio.run(story())


def test_it_works_as_one_of_starlettes_own_middlewares_and_around_others():
    shop = no_prices()

    @shop.paywall.price("0.002 USD")
    def page(request):
        return PlainTextResponse("page")

    async def passing(request, call_next):
        return await call_next(request)

    app = Starlette(routes=[Route("/page", page)])
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)
    app.add_middleware(shop.paywall.wrap)
    app.add_middleware(BaseHTTPMiddleware, dispatch=passing)

    async def story():
        import httpx

        async with serving(app) as url, httpx.AsyncClient(base_url=url, trust_env=False) as client:
            assert (await shop.pay(client, "GET", "/page")).text == "page"

    asyncio.run(story())
    assert (shop.spent, shop.earned) == (2000, 2000)


def test_fastapi_endpoints_keep_their_parameters_in_either_order_of_decorators():
    shop = no_prices()
    app, router = FastAPI(), APIRouter(prefix="/sub")

    @app.get("/add/{a}")
    @shop.paywall.price("0.001 USD")
    async def add(a: int, b: int = 1) -> dict[str, int]:
        return {"sum": a + b}

    @shop.paywall.price("0.001 USD")
    @app.get("/late")
    def late() -> str:
        return "late"

    @router.post("/routed")
    @shop.paywall.price("0.001 USD", payee=PAYEE)
    def routed(body: dict[str, int]) -> int:
        return body["n"]

    @app.get("/stream")
    @shop.paywall.price("0.001 USD")
    async def stream():
        return FastStreaming(iter([b"a", b"b"]))

    app.include_router(router, prefix="/api")

    async def story():
        async with selling(shop, app) as client:
            assert (await shop.pay(client, "GET", "/add/2?b=5")).json() == {"sum": 7}
            assert (await shop.pay(client, "GET", "/late")).json() == "late"
            assert (await shop.pay(client, "POST", "/api/sub/routed", json={"n": 4})).json() == 4
            assert (await shop.pay(client, "GET", "/stream")).text == "ab"
            assert shop.spent == 4000
            wrong = await shop.pay(client, "GET", "/add/x")
            assert wrong.status_code == 422 and shop.spent == 4000
            operations = (await client.get("/openapi.json")).json()["paths"]
        assert {"a", "b"} == {each["name"] for each in operations["/add/{a}"]["get"]["parameters"]}

    asyncio.run(story())


def test_a_priced_endpoint_does_not_run_without_its_paywall():
    shop = no_prices()

    @shop.paywall.price("0.002 USD")
    async def page(request):
        return PlainTextResponse("page")

    with pytest.raises(InvariantBroken):
        asyncio.run(page(None))


def test_a_starlette_stream_to_a_client_that_left_is_kept_for_its_retry():
    shop = no_prices()

    @shop.paywall.price("0.002 USD")
    async def page(request):
        async def parts():
            for i in range(4):
                await asyncio.sleep(0.1)
                yield f"{i}"

        return StreamingResponse(parts())

    async def story():
        from .shop import raw

        async with selling(shop, Starlette(routes=[Route("/page", page)])) as client:
            credential = shop.sign(await client.get("/page"))
            asked = f"GET /page HTTP/1.1\r\nHost: a\r\nAuthorization: {credential['authorization']}"
            await raw(str(client.base_url).rstrip("/"), f"{asked}\r\n\r\n".encode(), 0.15)
            again = await client.get("/page", headers=credential)
        assert (again.status_code, again.text, shop.spent) == (200, "0123", 2000)

    asyncio.run(story())


def test_prices_that_cannot_be_meant_are_refused_when_they_are_written():
    shop = no_prices()
    with pytest.raises(MalformedPrice):
        shop.paywall.price("0.1")(print)
    with pytest.raises(BadConfig):
        shop.paywall.price("0.1 USD")(Starlette)
    with pytest.raises(BadConfig):
        Paywall(hub=shop.hub, hub_id="h", languages=[], assets={})
