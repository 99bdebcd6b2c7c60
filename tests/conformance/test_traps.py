"""What libraries underneath take for the same, and what nobody may take for it here."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from farthing.clock import parse_time
from farthing.codec import from_base64, from_base64url, to_base64, to_base64url
from farthing.errors import Malformed
from farthing.money import parse_units
from tests.web.api.town import open_town

from .hall import Place, open_hall

NUMBERS = ["", "+5", "-5", " 5", "5 ", "1_000", "05", "5.0", "1e3", "\u0665", "\uff15", "9" * 20]
TIMES = [
    "2026-11-22", "2026-11-22T21:00:00", "2026-11-22T21:00:00+00:00", "2026-11-22 21:00:00Z",
    "2026-W01-1T00:00:00Z", "2026-11-22t21:00:00z", "\uff12026-11-22T21:00:00Z",
]  # fmt: skip
DEEP = b'{"a":' * 5000 + b"1" + b"}" * 5000
NO_JSON = [b'{"a":"\xff"}', b'{"a":"\\u0000"}', b'{"a":1,"a":2}', b"\xef\xbb\xbf{}"]
BROKEN = [DEEP, b"[" * 100_000, *NO_JSON]


def refuses(read: Callable[[str], Any], texts: list[str]) -> None:
    """Demand that every one of these texts is refused."""
    for text in texts:
        with pytest.raises(Malformed):
            print(repr(text), read(text))


@pytest.mark.rule("trap.base64", on="hub middleware proxy")
def test_base64_has_one_spelling():
    """Junk, another alphabet and stray bits at the end are refused."""
    assert from_base64url("_-8") == from_base64("/+8=") == b"\xff\xef"
    refuses(from_base64url, ["/+8", "_-8=", "_-9", "_-8\n", " _-8", "_\n-8", "_-8é", "_-8!", "A"])
    refuses(
        from_base64, ["_-8=", "/+8", "/+9=", "/+8=\n", " /+8=", "/\n+8=", "/+8=é", "/+8==", "A"]
    )


@pytest.mark.rule("trap.digits", on="hub middleware proxy")
def test_numbers_have_one_spelling():
    """Signs, spaces, underscores, leading zeros and the digits of other scripts are refused."""
    assert parse_units("1000") == 1000
    refuses(parse_units, NUMBERS)


@pytest.mark.rule("trap.times", on="hub middleware proxy")
def test_times_have_one_spelling():
    """Times without a zone, in another zone or without a time of day are refused."""
    assert parse_time("1970-01-01T00:01:00Z") == 60
    refuses(parse_time, TIMES)


@pytest.mark.rule("trap.deep-json", on="hub middleware proxy")
async def test_deep_and_broken_json_is_refused(place: Place):
    """What nests deep, is no UTF-8, holds NUL or a name twice is malformed; it fails nowhere."""
    async with open_hall(place) as hall:
        for sent in (DEEP[:8000], *NO_JSON):
            mpp = {"authorization": f"Payment {to_base64url(sent)}"}
            answer = await hall.ask(headers=mpp)
            assert (answer.status_code, answer.json()["code"]) == (402, "malformed-credential")
            answer = await hall.ask(headers={"payment-signature": to_base64(sent)})
            assert (answer.status_code, answer.json()["code"]) == (400, "malformed-credential")
        for sent in BROKEN:
            for path in ("/v1/payments", "/verify", "/v1/devices/enrol"):
                answer = await hall.town.ask("POST", path, content=sent)
                assert answer.status_code == 400, (path, sent[:20], answer.text)


@pytest.mark.rule("trap.unknown-members", on="hub")
async def test_a_member_too_many_is_refused(tmp_path: Path):
    """A member that nobody knows is refused, in the body and inside of it; nothing is done."""
    async with open_town(tmp_path) as town:
        before = await town.dump()
        wanted = {"asset": "USD", "owner": town.owners["buyer"]}
        payment = town.payment()
        budget = {"name": "day", "per": "day", "limit": "1", "hidden": True}
        for path, body, who in (
            ("/v1/mandates", wanted | {"lagest": "5"}, "operator"),
            ("/v1/mandates", wanted | {"budgets": [budget]}, "operator"),
            ("/v1/payments", payment | {"amount": "1"}, "nobody"),
            ("/v1/payments", payment | {"order": payment["order"] | {"tip": "1"}}, "nobody"),
        ):
            answer = await town.ask("POST", path, body, who=who)
            assert answer.status_code == 400, (path, answer.text)
        assert await town.dump() == before
