"""What the router does for every endpoint: authority, failures, half requests, HEAD."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
import structlog

from farthing.clock import NS
from farthing.core.owners import Scope
from farthing.protocols.message_signatures import SignedMessage, sign_request
from farthing.web.api.endpoint import Call, Endpoint, Reply
from farthing.web.api.router import Router
from farthing.web.app import HubApp, PrivateOnly
from farthing.web.trust import Trust

from .test_bad_payments import problem
from .town import LOCAL, Town, config_in, open_town


async def ask_signed(town: Town, authority: str, host: str) -> int:
    """Ask as the meter, signing for one authority while calling by another name."""
    meter = town.machines["meter"]
    message = SignedMessage(method="GET", authority=authority, target="/v1/payments", headers={})
    fields = sign_request(
        meter.signer, meter.id, message, now_s=town.clock() // NS, nonce=town.nonce()
    )
    answer = await town.http.get("/v1/payments", headers=dict(fields) | {"host": host})
    return answer.status_code


@pytest.mark.parametrize(
    "url", ["https://Hub.Example", "https://hub.example:443", "https://hub.example/"]
)
async def test_a_signature_is_for_the_authority_that_is_configured(tmp_path: Path, url: str):
    async with open_town(tmp_path, config=config_in(tmp_path, public_url=url)) as town:
        assert await ask_signed(town, "hub.example", "hub.example") == 200
        assert await ask_signed(town, "hub.example", "127.0.0.1:8402") == 200
        assert await ask_signed(town, "evil.example", "evil.example") == 401
        assert await ask_signed(town, "hub.example:8402", "hub.example:8402") == 401


async def test_without_a_configured_url_a_signature_is_for_the_host_called(tmp_path: Path):
    async with open_town(tmp_path) as town:
        assert await ask_signed(town, "hub.test", "hub.test") == 200
        assert await ask_signed(town, "hub.test", "other.test") == 401
        assert await ask_signed(town, "hub.test", "[1]") == 400  # Which is no address.


def odd_endpoints(raises: Exception) -> list[Endpoint]:
    """A table with one endpoint that fails."""

    async def fail(call: Call) -> Reply:
        assert call.headers["authorization"]
        raise raises

    return [Endpoint("GET", "/fail", "fail", "Fail", fail, scopes=(Scope.READ,))]


async def run(app: Any, scope: dict[str, Any], messages: list[dict[str, Any]]) -> list[Any]:
    """Drive an ASGI app by hand."""
    sent: list[Any] = []

    async def receive() -> dict[str, Any]:
        return messages.pop(0)

    async def send(message: Any) -> None:
        sent.append(message)

    await app(scope, receive, send)
    return sent


def scope_of(path: str, key: str, method: str = "GET") -> dict[str, Any]:
    """Write the scope of a request."""
    headers = [(b"host", b"hub.test"), (b"authorization", f"Bearer {key}".encode())]
    return {
        "type": "http", "method": method, "path": path, "raw_path": path.encode(),
        "query_string": b"", "headers": headers, "client": ("127.0.0.1", 1),
    }  # fmt: skip


@pytest.mark.rule("asvs.16.5.1", "x402.http-internal", on="hub")
async def test_a_bug_of_ours_is_a_problem_without_details_and_without_secrets(tmp_path: Path):
    async with open_town(tmp_path) as town:
        key = town.keys["buyer.read"]
        for fault in (RuntimeError("the vault's code is 1234"), KeyError("1234")):
            router = Router(town.hub.desk, odd_endpoints(fault))
            with structlog.testing.capture_logs() as logged:
                sent = await run(router, scope_of("/fail", key), [{"type": "http.request"}])
            assert sent[0]["status"] == 500
            assert b"internal-error" in sent[1]["body"]
            assert b"1234" not in sent[1]["body"]
            assert [line["event"] for line in logged] == ["request.failed"]
            assert key not in str(logged)


async def test_a_request_that_breaks_off_changes_nothing(tmp_path: Path):
    async with open_town(tmp_path) as town:
        before = await town.dump()
        scope = scope_of("/v1/accounts", town.keys["buyer.owner"], "POST")
        half = {"type": "http.request", "body": b'{"asset": "USD"}', "more_body": True}
        sent = await run(HubApp(town.hub.desk), scope, [half, {"type": "http.disconnect"}])
        assert (sent[0]["status"], b"body-truncated" in sent[1]["body"]) == (400, True)
        assert await town.dump() == before


@pytest.mark.rule("owasp-api.4", on="hub")
async def test_a_body_in_many_pieces_is_one_and_bounded(tmp_path: Path):
    async with open_town(tmp_path) as town:

        async def pieces(count: int) -> Any:
            for _ in range(count):
                yield b" " * 1024
                await asyncio.sleep(0)
            yield b'{"asset": "USD"}'

        for count, status in ((10, 201), (300, 413)):
            request = town.http.build_request(
                "POST",
                "/v1/accounts",
                content=pieces(count),
                headers={"authorization": f"Bearer {town.keys['buyer.owner']}"},
            )
            assert (await town.http.send(request)).status_code == status


def overheard(app: Any, sent: list[bytes]) -> Any:
    """Note every piece of a body that an app sends."""

    async def listening(scope: Any, receive: Any, send: Any) -> None:
        async def noting(message: Any) -> None:
            sent.append(message.get("body", b""))
            await send(message)

        await app(scope, receive, noting)

    return listening


@pytest.mark.rule("rfc9110.head", on="hub")
async def test_head_is_get_without_its_body(tmp_path: Path):
    sent: list[bytes] = []  # The client of these tests shows no body after HEAD, whatever is sent.
    async with open_town(tmp_path) as town:
        wire: Any = town.http._transport
        wire.app = overheard(wire.app, sent)
        for path in ("/healthz", "/.well-known/farthing", "/v1/payments", "/v1/payments/pay_x"):
            got = await town.ask("GET", path, who="buyer.read")
            sent.clear()
            head = await town.ask("HEAD", path, who="buyer.read")
            assert (head.status_code, b"".join(sent)) == (got.status_code, b"")
            assert head.headers == got.headers
        answer = await town.ask("HEAD", "/v1/credits", who="operator")
        assert answer.status_code == 405


@pytest.mark.rule("asvs.3.4.4", "asvs.14.2.2", on="hub")
async def test_answers_are_not_kept_by_caches_and_not_sniffed(tmp_path: Path):
    async with open_town(tmp_path) as town:
        for path, kept in (("/v1/accounts", "no-store"), ("/openapi.json", "public, max-age=300")):
            answer = await town.ask("GET", path, who="buyer.read")
            assert answer.headers["cache-control"] == kept
            assert answer.headers["x-content-type-options"] == "nosniff"
        refused = await town.ask("GET", "/v1/accounts")
        assert refused.headers["cache-control"] == "no-store"
        assert problem(refused) == (401, "key-missing")


@pytest.mark.parametrize(
    ("client", "fields", "path", "status"),
    [
        ("10.0.0.7", {"x-forwarded-proto": "https"}, "/v1/accounts", 200),
        ("10.0.0.7", {"x-forwarded-proto": "http"}, "/v1/accounts", 403),
        ("10.0.0.7", {}, "/v1/accounts", 403),
        ("10.0.0.7", {}, "/healthz", 200),
        ("192.0.2.1", {"x-forwarded-proto": "https"}, "/v1/accounts", 403),
        ("192.0.2.1", {}, "/readyz", 200),
        ("127.0.0.1", {}, "/v1/accounts", 200),
        ("127.0.0.1", {"x-forwarded-for": "192.0.2.1"}, "/v1/accounts", 403),
    ],
)
async def test_behind_a_trusted_proxy_only_what_came_over_tls_is_answered(
    tmp_path: Path, client: str, fields: dict[str, str], path: str, status: int
):
    async with open_town(tmp_path) as town:
        app = PrivateOnly(HubApp(town.hub.desk), Trust(["10.0.0.0/8"]))
        scope = scope_of(path, town.keys["buyer.read"]) | {"client": (client, 1)}
        scope["headers"] += [(k.encode(), v.encode()) for k, v in fields.items()]
        sent = await run(app, scope, [{"type": "http.request"}])
        assert sent[0]["status"] == status


async def test_what_is_under_way_while_the_hub_lets_go_is_told_to_come_again(tmp_path: Path):
    async with open_town(tmp_path) as town:
        for threads in town.hub.threads:
            await asyncio.to_thread(threads.close)
        for path in ("/v1/accounts", "/v1/payments", "/v1/owners"):
            answer = await town.ask("GET", path, who=LOCAL)
            assert (answer.status_code, answer.json()["code"]) == (503, "books-closed")
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.headers["retry-after"] == "1"


async def test_a_socket_from_no_origin_of_ours_is_refused_whatever_is_called_one(tmp_path: Path):
    async with open_town(tmp_path) as town:
        for origin in (b"https://evil.example", b"null", b"http://[", b"hub.test", b"//"):
            told: list[Any] = []

            async def connect() -> Any:
                return {"type": "websocket.connect"}

            async def tell(message: Any, told: list[Any] = told) -> None:
                told.append(message)

            scope: Any = {
                "type": "websocket",
                "path": "/v1/vouchers",
                "raw_path": b"/v1/vouchers",
                "query_string": b"",
                "headers": [(b"host", b"hub.test"), (b"origin", origin)],
                "client": ("192.0.2.1", 1),
                "extensions": {"websocket.http.response": {}},
            }
            await HubApp(town.hub.desk)(scope, connect, tell)
            assert told[0]["status"] == 403, origin
            assert b'"foreign-origin"' in told[1]["body"]
