"""Credentials, receipts, keys and codes stay out of logs, errors and upstreams."""

import io
import json
import logging
from collections.abc import Iterator

import pytest
import structlog

from farthing.codec import to_base64url
from farthing.logs import configure_logs

from .hall import PROXY, Counter, Hall, Place, mpp_field, mpp_message, open_hall, opened, x402_field

BUYERS = ("httpx", "httpcore")
"""What the buyer of these tests logs of its own answers is not ours."""


class Listener:
    """Everything that this process logs, in every way, from the lowest level up."""

    def __init__(self) -> None:
        self.text = io.StringIO()

    def all(self) -> str:
        """Give it as one text."""
        return self.text.getvalue()


@pytest.fixture
def listener(monkeypatch: pytest.MonkeyPatch) -> Iterator[Listener]:
    """Log as the hub does, at debug level, into memory."""
    heard, root = Listener(), logging.getLogger()
    before, level = list(root.handlers), root.level
    monkeypatch.setattr("sys.stderr", heard.text)
    configure_logs("json", "debug")
    structlog.configure(cache_logger_on_first_use=False)
    root.setLevel(logging.DEBUG)
    for name in ("asyncio", "farthing.paywall", "farthing.proxy"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    for name in BUYERS:
        logging.getLogger(name).setLevel(logging.WARNING)
    yield heard
    for name in BUYERS:
        logging.getLogger(name).setLevel(logging.NOTSET)
    structlog.reset_defaults()
    root.handlers[:], root.level = before, level


class Broken(Counter):
    """A handler that fails with what it was given on its lips."""

    async def __call__(self, scope, *_channels):
        """Fail, after having looked at everything."""
        raise RuntimeError(f"cannot serve {dict(scope['headers'])}")


async def everything(hall: Hall) -> list[str]:
    """Pay, fail to pay, and ask oddly, in both languages; give every secret that was used."""
    secrets: list[str] = []
    for language, field in (("mpp", "authorization"), ("x402", "payment-signature")):
        asked = await hall.ask()
        paying = hall.credential(asked, language)
        secrets += [paying[field].removeprefix("Payment "), _signature(paying, language)]
        answers = [await hall.ask(headers=paying) for _ in range(2)]
        secrets += [
            answer.headers[name]
            for answer in answers
            for name in ("payment-receipt", "payment-response")
            if name in answer.headers
        ]
        bad = hall.credential(await hall.ask(), language, amount=1)
        secrets += [bad[field].removeprefix("Payment "), _signature(bad, language)]
        answers.append(await hall.ask(headers=bad))
        answers.append(await hall.ask(headers={field: paying[field][:-9]}))
        answers.append(await hall.ask(headers={field: paying[field] + ", " + paying[field]}))
        hall.stall.__class__ = Broken
        answers.append(await hall.pay(language=language))
        hall.stall.__class__ = Counter
        for answer in answers:
            for secret in secrets[:2]:
                assert secret not in answer.text
    return secrets


def _signature(paying: dict[str, str], language: str) -> str:
    if language == "mpp":
        return mpp_message(paying)["payload"]["signature"]
    return opened(paying["payment-signature"])["payload"]["signature"]


async def test_logs_hold_no_secrets(place: Place, listener: Listener):
    """MPP draft, Credential Storage: no credential, receipt, key or code in any log or error."""
    async with open_hall(place) as hall:
        secrets = await everything(hall)
        for who, key in hall.town.keys.items():
            await hall.town.ask("GET", "/v1/payments", who=who)
            await hall.town.ask("GET", "/v1/nothing", who=who)
            secrets.append(key)
        for wrong in ("fk_wrong_key_000000000000000", "Basic d3JvbmcgcGFzc3dvcmQ="):
            await hall.town.ask("GET", "/v1/payments", headers={"authorization": wrong})
            secrets.append(wrong)
        body = hall.town.payment(1)
        await hall.town.ask("POST", "/v1/payments", body | {"signature": "A" * 86})
        await hall.town.ask("POST", "/v1/payments", body)
        secrets += [body["signature"], "A" * 86]
        await hall.town.ask("POST", "/v1/devices/enrol", {"code": "wrong-code-0123456789"})
        secrets.append("wrong-code-0123456789")
        secrets += [to_base64url(secret) for secret in hall.town.hub.challenge_secrets]
        secrets += [secret.hex() for secret in hall.town.hub.challenge_secrets]
        signer = hall.town.machines["meter"].signer
        secrets += [to_base64url(signer.seed), signer.seed.hex()]
    text = listener.all()
    assert "request.denied" in text
    assert "the handler failed" in text or place.surface == PROXY
    found = [secret[:12] for secret in secrets if secret and secret in text]
    assert found == []


async def test_the_upstream_is_told_no_credential(place: Place):
    """MPP draft, Credential Storage: a handler and an upstream never see the payment itself."""
    async with open_hall(place) as hall:
        for language in ("mpp", "x402"):
            await hall.pay(language=language)
            seen = json.dumps(hall.stall.seen)
            assert "Payment " not in seen and "payment-signature" not in seen


async def test_errors_do_not_echo(place: Place):
    """MPP draft, Credential Storage: an error names what is wrong and echoes none of it."""
    async with open_hall(place) as hall:
        message = mpp_message(hall.credential(await hall.ask()))
        message["payload"]["device"] = "a-thing-nobody-should-see"
        answer = await hall.ask(headers=mpp_field(message))
        assert "nobody-should-see" not in answer.text
        payload = opened(hall.credential(await hall.ask(), "x402")["payment-signature"])
        payload["payload"]["nonce"] = "a-thing-nobody-should-see"
        answer = await hall.ask(headers=x402_field(payload))
        assert "nobody-should-see" not in answer.text
