"""A purse on disk, enrolment with a code, and keys that change."""

import asyncio
import subprocess
import sys

import httpx
import pytest

from farthing import keys
from farthing.core.orders import Order
from farthing.device import enrol, open_purse, rotate
from farthing.device.purse import default_path
from farthing.errors import (
    Conflict,
    FarthingError,
    Forbidden,
    InvariantBroken,
    Malformed,
    Unavailable,
)

from .world import CODE, DEVICE, HUB, HUB_URL, ROOT, Clock, Wire, World


@pytest.fixture
def world():
    return World(Clock())


def enrolled(world, path, code=CODE, transport=None, **options):
    transport = transport or Wire(world)
    return asyncio.run(enrol(path, HUB_URL, code, transport=transport, **options))


@pytest.mark.parametrize("algorithm", [keys.ED25519, keys.P256])
def test_a_device_enrols_with_its_code_and_finds_its_purse_again(world, tmp_path, algorithm):
    path = tmp_path / "purse"
    made = enrolled(world, path, algorithm=algorithm, name="kiosk", largest="0.02 USD")
    again = open_purse(path)
    assert again.membership == made.membership
    assert (again.device, again.hub, again.hub_url) == (DEVICE, HUB, HUB_URL)
    assert again.signer.public == world.devices[DEVICE]
    assert again.signer.public.startswith(algorithm)
    assert str(again.price(again.membership.max)) == "0.02 USD"


def test_nobody_else_can_read_key_or_purse(world, tmp_path):
    enrolled(world, tmp_path / "purse")
    for name in ("device.key", "purse.json"):
        assert (tmp_path / "purse" / name).stat().st_mode & 0o777 == 0o600
    (tmp_path / "purse" / "device.key").chmod(0o640)
    with pytest.raises(Malformed) as caught:
        open_purse(tmp_path / "purse")
    assert caught.value.code == "key-file-open-to-others"


def test_a_wrong_code_makes_no_purse(world, tmp_path):
    with pytest.raises(Forbidden) as caught:
        enrolled(world, tmp_path / "purse", code="wrong")
    assert caught.value.code == "no-such-code"
    with pytest.raises(Malformed) as caught:
        open_purse(tmp_path / "purse")
    assert "farthing enrol" in caught.value.detail


def test_a_lost_answer_to_an_enrolment_is_asked_for_again_with_the_same_key(world, tmp_path):
    class LosesOne(httpx.AsyncBaseTransport):
        lost = False

        async def handle_async_request(self, request):
            response = await httpx.ASGITransport(world).handle_async_request(request)
            if not self.lost and request.method == "POST":
                self.lost = True
                raise httpx.ReadError("lost")
            return response

    wire = LosesOne()
    with pytest.raises(Unavailable):
        enrolled(world, tmp_path / "purse", transport=wire)
    assert enrolled(world, tmp_path / "purse", transport=wire).device == DEVICE


def test_a_purse_is_never_enrolled_over(world, tmp_path):
    enrolled(world, tmp_path / "purse")
    with pytest.raises(Conflict):
        enrolled(world, tmp_path / "purse")


def test_a_code_is_not_sent_where_others_can_read_it(world, tmp_path):
    with pytest.raises(Malformed) as caught:
        asyncio.run(enrol(tmp_path, "http://hub.example", CODE, transport=Wire(world)))
    assert caught.value.code == "not-private"


@pytest.mark.parametrize(
    ("option", "code"),
    [
        ({"hub": "z" * 32}, "another-hub"),
        ({"largest": "a lot"}, "malformed-price"),
        ({"largest": "1 XYZ"}, "malformed-price"),
        ({"algorithm": "rsa"}, "unknown-algorithm"),
    ],
)
def test_what_can_be_wrong_is_looked_at_before_the_code_is_used(world, tmp_path, option, code):
    with pytest.raises(Malformed) as caught:
        enrolled(world, tmp_path / "purse", **option)
    assert caught.value.code == code
    assert CODE in world.codes
    assert enrolled(world, tmp_path / "purse", hub=HUB).device == DEVICE


def test_an_address_that_answers_as_two_hubs_is_refused(world, tmp_path):
    other = keys.new_signer().public

    async def twofaced(scope, receive, send):
        if scope["method"] == "POST":
            return await world(scope, receive, send)
        body = b'{"hub":"%s","root_key":"%s"}'
        body %= (keys.fingerprint(other).encode(), other.encode())
        await send({"type": "http.response.start", "status": 200, "headers": []})
        return await send({"type": "http.response.body", "body": body})

    with pytest.raises(Malformed) as caught:
        enrolled(None, tmp_path / "purse", transport=httpx.ASGITransport(twofaced))
    assert caught.value.code == "another-hub"
    assert not (tmp_path / "purse" / "purse.json").exists()


def test_a_hub_whose_id_does_not_follow_from_its_root_key_is_refused(tmp_path):
    async def liar(scope, receive, send):
        body = b'{"device":"dev_1","hub":"%s","root_key":"%s"}' % (
            b"z" * 32,
            ROOT.public.encode(),
        )
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": body})

    with pytest.raises(Malformed) as caught:
        enrolled(None, tmp_path / "purse", transport=httpx.ASGITransport(liar))
    assert caught.value.code == "hub-id-mismatch"


@pytest.mark.parametrize("answer", [b"", b"[]", b"{}", b"nonsense", b'{"device": 5}'])
def test_an_answer_that_is_none_is_a_clear_error(tmp_path, answer):
    async def odd(scope, receive, send):
        await send({"type": "http.response.start", "status": 201, "headers": []})
        await send({"type": "http.response.body", "body": answer})

    with pytest.raises(FarthingError) as caught:
        enrolled(None, tmp_path / "purse", transport=httpx.ASGITransport(odd))
    assert caught.value.code == "malformed-answer"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"device":"dev_1"}', '{"unknown":1}', "[" * 5000, "\xff"]
)
def test_a_damaged_purse_is_a_clear_error(world, tmp_path, text):
    enrolled(world, tmp_path)
    (tmp_path / "purse.json").write_bytes(text.encode("latin-1"))
    with pytest.raises(Malformed) as caught:
        open_purse(tmp_path)
    assert caught.value.code == "malformed-purse"


def test_a_new_key_is_signed_by_the_old_one_and_takes_its_place(world, tmp_path):
    old = enrolled(world, tmp_path).signer.public
    new = asyncio.run(rotate(tmp_path, transport=Wire(world)))
    assert new.signer.public != old
    assert world.devices[DEVICE] == new.signer.public == open_purse(tmp_path).signer.public
    assert (tmp_path / "device.key").stat().st_mode & 0o777 == 0o600
    assert not (tmp_path / "device.next").exists()


def test_a_rotation_that_was_not_heard_is_repeated_with_the_same_new_key(world, tmp_path):
    enrolled(world, tmp_path)
    with pytest.raises(Unavailable):
        asyncio.run(rotate(tmp_path, transport=Wire(world, hub_away=True)))
    waiting = keys.read_key_file(tmp_path / "device.next").public
    assert asyncio.run(rotate(tmp_path, transport=Wire(world))).signer.public == waiting


def test_a_purse_signs_its_own_orders_only(world, tmp_path):
    purse = enrolled(world, tmp_path)
    mine = Order(
        hub=HUB,
        device=DEVICE,
        payee="acc_1",
        asset="USD",
        amount=1,
        nonce="0" * 26,
        expires=1,
    )
    assert keys.verify(purse.signer.public, purse.sign(mine).signature, mine.signed_bytes())
    for other in ({"device": "dev_2"}, {"hub": "z"}):
        with pytest.raises(InvariantBroken):
            purse.sign(Order(**({n: getattr(mine, n) for n in mine.__struct_fields__} | other)))


def test_the_purse_is_where_the_environment_says(monkeypatch, tmp_path):
    monkeypatch.setenv("FARTHING_PURSE", str(tmp_path))
    assert default_path() == tmp_path
    monkeypatch.delenv("FARTHING_PURSE")
    monkeypatch.setenv("FARTHING_HOME", str(tmp_path / "try"))
    assert default_path() == tmp_path / "try" / "purse"
    monkeypatch.delenv("FARTHING_HOME")
    assert default_path().parts[-2:] == (".farthing", "purse")


def test_a_device_imports_nothing_of_the_server():
    code = (
        "import sys, farthing.device, farthing.device.pay_command;"
        "server = {'starlette', 'uvicorn', 'uvloop', 'httptools', 'apsw', 'psycopg', 'structlog'};"
        "own = {'farthing.web', 'farthing.store', 'farthing.books', 'farthing.services'};"
        "found = {n for n in sys.modules if n.split('.')[0] in server"
        " or '.'.join(n.split('.')[:2]) in own};"
        "print(sorted(found))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"
