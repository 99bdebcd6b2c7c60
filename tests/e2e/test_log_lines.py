"""What a real hub and a real proxy write while people pay, err and try keys: nothing but what is
documented, and no secret that was used.
"""

import contextlib
import json
from pathlib import Path
from typing import Any

import httpx
import pytest

from farthing.core.events import Kind
from farthing.device import sync_client
from farthing.errors import FarthingError
from farthing.explained.log_lines import ALWAYS, FACTS, LINES, OF_EVENTS
from tests.e2e.hub_process import HubProcess
from tests.e2e.neighbours import Neighbours, settle

PHRASE = "a passphrase that nobody should read in any log"
EVENTS = {kind.value for kind in Kind}
PROVOKED = {
    *("hub.started", "hub.stopped", "proxy.starting", "proxy.nothing_priced"),
    *("request.denied", "upstream.away"),
}
NOBODY = "acc_00000000000000000000000001"


class Listening(httpx.AsyncHTTPTransport):
    """Notes every header that carries a payment, there and back."""

    def __init__(self, heard: list[str]) -> None:
        super().__init__()
        self._heard = heard

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await super().handle_async_request(request)
        for headers in (request.headers, answer.headers):
            for name in ("authorization", "payment-signature", "payment-receipt"):
                self._heard += headers.get(name, "").removeprefix("Payment ").split()
        return answer


@pytest.fixture
def told(tmp_path: Path) -> tuple[list[str], list[str]]:
    """The lines that were written, and the secrets that were used."""
    hub = HubProcess(
        tmp_path,
        FARTHING_LOG_FORMAT="json",
        FARTHING_LOG_LEVEL="debug",
        FARTHING_PASSPHRASE=PHRASE,
    )
    hub.log = tmp_path / "log"
    site = tmp_path / "site"
    site.mkdir()
    (site / "a").write_text("a")
    with hub:
        people = settle(hub, tmp_path, {"/a": 1000, "/dear": 500_000})
        with contextlib.ExitStack() as service:
            upstream = service.enter_context(hub.service(site))
            with hub.proxy(upstream, "--payee", NOBODY) as url:
                assert httpx.get(f"{url}/a").text == "a"  # Nobody's offers are no prices.
            with hub.proxy(upstream, "--payee", people.shop) as url:
                pay_and_err(people, url, service)
        secrets = [PHRASE, *people.secrets, *keys_of(people)]
    return hub.log.read_text().splitlines(), secrets


def pay_and_err(people: Neighbours, url: str, service: contextlib.ExitStack) -> None:
    heard = Listening(people.secrets)
    with sync_client(people.purse, cap="0.9 USD", transport=heard) as http:
        assert http.get(f"{url}/a?token=a-query-nobody-should-read").text == "a"
        with contextlib.suppress(FarthingError):
            http.get(f"{url}/dear")
        service.close()
        with contextlib.suppress(FarthingError):
            http.get(f"{url}/a")
    people.secrets.append("a-query-nobody-should-read")
    wrong = "fk_a_key_that_is_none_0123456789abcdef"
    for path in ("/v1/accounts", "/v1/payments?secret=wrong-query-0123"):
        headers = {"authorization": f"Bearer {wrong}"}
        assert httpx.get(people.hub.url + path, headers=headers).status_code in (400, 401)
    enrolling = {"code": "wrong-code-0123456789", "public_key": "x", "signature": "A" * 86}
    httpx.post(f"{people.hub.url}/v1/devices/enrol", json=enrolling)
    people.secrets += [wrong, "wrong-query-0123", "wrong-code-0123456789", "A" * 86]


def keys_of(people: Neighbours) -> list[str]:
    """Every word of every key file, sealed or not."""
    folders = (people.hub.home / "hub" / "keys", people.hub.home.parent / "purse")
    files = [file for folder in folders for file in folder.glob("*.key")]
    assert len(files) >= 3
    return [
        word for f in files for word in f.read_bytes().decode("latin-1").split() if len(word) > 30
    ]


def test_nothing_is_written_but_what_is_documented_and_no_secret(told: Any):
    lines, secrets = told
    found = [json.loads(line) for line in lines]
    assert {line["event"] for line in found} >= PROVOKED | {"payment.captured", "payment.refused"}
    assert [fault for line in found for fault in faults(line)] == []
    text = "\n".join(lines)
    assert len(secrets) > 12
    assert [secret for secret in secrets if secret in text or secret[:24] in text] == []


def faults(line: dict[str, Any]) -> list[str]:
    """Say what of a line is not in the tables."""
    name, facts = line["event"], set(line) - set(ALWAYS)
    if name in EVENTS and "subject" in line:
        return [f"{name}: {fact}" for fact in facts - set(OF_EVENTS)]
    if "." not in name or " " in name:
        return [] if facts <= {"logger"} else [f"a library told more: {line}"]
    known = LINES.get(name)
    if known is None:
        return [f"{name} is not documented"]
    named = {fact.rstrip("?") for fact in known.facts} | {"logger"}
    told = [f"{name}: {fact}" for fact in facts - named]
    told += [f"{name}: {fact} has no meaning" for fact in facts - set(FACTS)]
    return told + [f"{name} is {line['level']}"] * (line["level"] != known.level)


def test_a_line_that_is_not_documented_is_found_out():
    line = {"timestamp": "", "level": "info", "event": "hub.stopped"}
    assert faults(line) == []
    assert faults(line | {"event": "hub.fell_over"})
    assert faults(line | {"level": "error"})
    assert faults(line | {"secret": "x"})
    assert faults(line | {"event": "payment.held", "subject": "pay_1", "body": "x"})
