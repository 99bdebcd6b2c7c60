"""Credentials, receipts, keys and codes stay out of logs, errors and upstreams."""

import io
import json
import logging
from collections.abc import Iterator
from pathlib import Path

import pytest
import structlog

from farthing.clock import NS, parse_time
from farthing.codec import from_base64url, to_base64url
from farthing.logs import configure_logs
from farthing.opening import key_ring
from tests.web.api.town import open_town

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


@pytest.mark.rule("asvs.16.2.5", "mpp.not-logged", "mpp.secret", on="hub middleware proxy")
async def test_logs_hold_no_secrets(place: Place, listener: Listener):
    """No credential, receipt, key or code in any log or error."""
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
    assert "paywall.handler_failed" in text or place.surface == PROXY
    found = [secret[:12] for secret in secrets if secret and secret in text]
    assert found == []


@pytest.mark.rule("mpp.not-passed-on")
async def test_the_upstream_is_told_no_credential(place: Place):
    """A handler and an upstream never see the payment itself."""
    async with open_hall(place) as hall:
        for language in ("mpp", "x402"):
            await hall.pay(language=language)
            seen = json.dumps(hall.stall.seen)
            assert "Payment " not in seen and "payment-signature" not in seen


@pytest.mark.rule("mpp.not-logged")
async def test_errors_do_not_echo(place: Place):
    """An error names what is wrong and echoes none of it."""
    async with open_hall(place) as hall:
        message = mpp_message(hall.credential(await hall.ask()))
        message["payload"]["device"] = "a-thing-nobody-should-see"
        answer = await hall.ask(headers=mpp_field(message))
        assert "nobody-should-see" not in answer.text
        payload = opened(hall.credential(await hall.ask(), "x402")["payment-signature"])
        payload["payload"]["nonce"] = "a-thing-nobody-should-see"
        answer = await hall.ask(headers=x402_field(payload))
        assert "nobody-should-see" not in answer.text


@pytest.mark.rule("mpp.not-passed-on")
@pytest.mark.parametrize("joined", ["Bearer theirs, Payment {}", "Payment {}, Bearer theirs"])
async def test_a_credential_beside_another_is_taken_out_too(place: Place, joined: str):
    """Of several schemes in one field the payment alone is taken out."""
    async with open_hall(place) as hall:
        paying = hall.credential(await hall.ask())["authorization"].removeprefix("Payment ")
        answer = await hall.ask(headers={"authorization": joined.format(paying)})
        assert (answer.status_code, answer.content) == (200, b"goods")
        assert hall.stall.seen["authorization"] == "Bearer theirs"


@pytest.mark.rule("asvs.6.4.1", "asvs.11.5.1", on="hub")
async def test_codes_and_keys_are_kept_as_hashes(tmp_path: Path):
    """What opens something is long, never the same twice, and stands nowhere in the books."""
    async with open_town(tmp_path) as town:
        wanted = {"account": town.accounts["purse"], "mandate": town.machines["meter"].mandate}
        invited = [
            await town.made(
                "POST", "/v1/devices/invitations", wanted | {"name": str(i)}, who="local"
            )
            for i in range(8)
        ]
        codes = [one["code"] for one in invited]
        assert all(len(code.replace("-", "")) == 16 for code in codes)  # 79 bits of 30 letters.
        assert len({letter for code in codes for letter in code}) > 20
        assert all(parse_time(one["expires"]) > town.clock() // NS for one in invited)
        keys = list(town.keys.values())
        assert len({*codes, *keys}) == len(codes) + len(keys)
        drawn = [from_base64url(key.removeprefix("fk_")) for key in keys]
        assert all(len(set(place)) > 1 for place in zip(*drawn, strict=True))
        assert len(keys) > 3 and {len(raw) for raw in drawn} == {32}
        books = json.dumps(await town.dump(), default=bytes.hex)
        for secret in (*codes, *(code.replace("-", "") for code in codes), *keys):
            assert secret not in books and secret.encode().hex() not in books


@pytest.mark.rule("mpp.secret", on="hub")
async def test_key_files_are_for_their_user_alone(tmp_path: Path):
    """The root key, what signs and what binds challenges can be read by one user alone."""
    async with open_town(tmp_path) as town:
        ring = key_ring(town.hub.desk.config)
        ring.rotate_challenge_secret()
        assert len(ring.files()) == 3
        for file in ring.files():
            assert file.stat().st_mode & 0o077 == 0
