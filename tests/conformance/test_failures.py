"""What fails, whom it tells what, and where nothing leads to."""

import io
import json
import logging
from pathlib import Path

import pytest
import structlog

from farthing.logs import configure_logs
from tests.web.api.town import open_town
from tests.web.shop import Counter, serving

from .hall import PROXY, Place, open_hall
from .test_secrets import Broken
from .test_wire import GONE, told


@pytest.mark.rule("x402.http-internal")
async def test_a_fault_of_the_seller_is_500_and_free(place: Place):
    """A handler or service that fails is 500, and nothing is taken."""
    async with open_hall(place, Broken()) as hall:
        for language in ("mpp", "x402"):
            answer = await hall.pay(language=language)
            assert answer.status_code == 500
            assert "payment-receipt" not in answer.headers
        assert await hall.earned() == 0
        assert {payment["state"] for payment in await hall.payments()} == {"voided"}


@pytest.mark.rule("owasp-api.7", "asvs.13.2.4", on="proxy")
async def test_a_request_chooses_no_other_service(tmp_path: Path):
    """No target, host, field or redirect makes the proxy ask anything but its own service."""
    elsewhere = Counter(body=b"a secret of the inside")
    async with serving(elsewhere) as other, open_hall(Place(tmp_path, PROXY)) as hall:
        host = other.removeprefix("http://")
        asks = [
            b"GET %b/free HTTP/1.1\r\nHost: a\r\n" % other.encode(),
            b"GET /free HTTP/1.1\r\nHost: %b\r\n" % host.encode(),
            b"GET /free HTTP/1.1\r\nHost: a\r\nX-Forwarded-Host: %b\r\n" % host.encode(),
            b"GET //%b/free HTTP/1.1\r\nHost: a\r\n" % host.encode(),
            b"GET @%b/free HTTP/1.1\r\nHost: a\r\n" % host.encode(),
            b"CONNECT %b HTTP/1.1\r\nHost: a\r\n" % host.encode(),
        ]
        for ask in asks:
            await told(hall.url, ask + GONE + b"\r\n")
        hall.stall.status, hall.stall.headers = 302, [(b"location", f"{other}/free".encode())]
        answer = await hall.ask(path="/free")
        assert (answer.status_code, answer.headers["location"]) == (302, f"{other}/free")
        assert elsewhere.runs == 0
        assert hall.stall.runs >= 3
        await told(hall.url, asks[1] + GONE + b"\r\n")
        assert hall.stall.seen["host"].startswith("127.0.0.1:") and hall.stall.seen["host"] != host


@pytest.mark.rule("asvs.16.3.1", on="hub")
async def test_who_is_turned_away_is_logged(tmp_path: Path):
    """Each refusal of access is one event, with its code, what was asked, and from where."""
    async with open_town(tmp_path) as town:
        with structlog.testing.capture_logs() as logs:
            await town.ask("GET", "/v1/payments")
            await town.ask("GET", "/v1/payments", headers={"authorization": "Bearer fk_wrong"})
            await town.ask("POST", "/v1/mandates", {}, who="buyer.read")
    denied = [log for log in logs if log["event"] == "request.denied"]
    assert [(log["code"], log["path"]) for log in denied] == [
        ("key-missing", "/v1/payments"),
        ("bad-key", "/v1/payments"),
        ("scope-missing", "/v1/mandates"),
    ]
    assert {log["address"] for log in denied} == {"127.0.0.1"}


@pytest.mark.rule("asvs.16.4.1", on="hub middleware proxy")
@pytest.mark.parametrize("form", ["json", "text"])
def test_a_log_line_stays_one(monkeypatch: pytest.MonkeyPatch, form: str):
    """A line's end in what is logged begins no line of the log, in either of its forms."""
    heard = io.StringIO()
    monkeypatch.setattr("sys.stderr", heard)
    root = logging.getLogger()
    before = list(root.handlers), root.level
    configure_logs(form, "info")
    try:
        structlog.get_logger().info("request.denied", path="/a\r\nFORGED", name="b\x1b[2J\nFORGED")
        logging.getLogger("farthing.proxy").warning("upstream failed: %s", "c\nFORGED\x1b[2J")
    finally:
        structlog.reset_defaults()
        root.handlers[:], root.level = before
    lines = heard.getvalue().splitlines()
    assert len(lines) == 2
    assert not [line for line in lines if "\x1b[2J" in line]
    if form == "json":
        assert all(json.loads(line) for line in lines)
