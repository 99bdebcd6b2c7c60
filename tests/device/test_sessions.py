"""A device's sessions: the counter on disk first, and the same order after a crash."""

import contextlib
import multiprocessing
from pathlib import Path

import httpx
import msgspec
import pytest

from farthing.codec import read_json, to_base64url
from farthing.core.tariffs import flat_rate
from farthing.core.vouchers import read_voucher
from farthing.device.opened import opened_session
from farthing.device.purse import Membership, Purse
from farthing.device.sessions import DeviceSessions
from farthing.errors import (
    Conflict,
    Forbidden,
    Malformed,
    Missing,
    OutcomeUnknown,
    PaymentRefused,
    Unavailable,
)
from farthing.keys import Ed25519Signer
from farthing.session_files import Kept, SessionFiles
from tests.web.api.town import Town, open_town

TARIFF = flat_rate("USD", "reading", 3, 10)
SIGNER = Ed25519Signer(bytes(range(32)))
SESSION = "ses_" + "0" * 26
KEPT = Kept(
    session=SESSION,
    payee="acc_" + "0" * 26,
    asset="USD",
    tariff=to_base64url(TARIFF.digest()),
    deposit=100,
    ends=2_000_000_000,
)


class Silent(httpx.AsyncBaseTransport):
    """Passes a request on and loses the answer, as often as it is told to."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner, self.losing = inner, 0

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.inner.handle_async_request(request)
        if self.losing:
            self.losing -= 1
            raise httpx.ReadError("lost", request=request)
        return answer


def device_of(town: Town, folder: Path, machine: str = "meter") -> tuple[DeviceSessions, Silent]:
    known, hub = town.machines[machine], town.hub.ctx.identity
    member = Membership(
        device=known.id, hub=hub.hub, hub_url="http://127.0.0.1", root_key=hub.root_public
    )
    wire = Silent(town.http._transport)
    http = httpx.AsyncClient(transport=wire)
    return DeviceSessions(Purse(member, known.signer), SessionFiles(folder), http), wire


async def test_a_device_opens_promises_tops_up_and_its_payee_is_paid(tmp_path: Path):
    async with open_town(tmp_path / "hub") as town:
        device, _ = device_of(town, tmp_path / "purse")
        kept = await device.open(town.accounts["shop"], TARIFF, 500, lifetime_seconds=600)
        assert (kept.deposit, kept.opening) == (500, "")
        for units in (3, 6, 480):
            assert (await device.draw(kept.session, units))["promised"] == str(units)
        with pytest.raises(PaymentRefused):
            device.promise(kept.session, 501)
        assert (await device.top_up(kept.session, 100)).deposit == 600
        offline = device.promise(kept.session, 590)
        body = {"voucher": to_base64url(offline), "late": True}
        path = f"/v1/sessions/{kept.session}"
        await town.made("POST", f"{path}/vouchers", body, who="seller.seller")
        closed = await town.made("POST", f"{path}/close", who="seller.seller")
        assert (closed["captured"], await town.available("shop")) == ("590", 590)


async def test_an_answer_that_is_lost_costs_no_second_deposit(tmp_path: Path):
    async with open_town(tmp_path / "hub") as town:
        device, wire = device_of(town, tmp_path / "purse")
        wire.losing = 1
        before = await town.available("purse")
        with pytest.raises(Unavailable):
            await device.open(town.accounts["shop"], TARIFF, 500, lifetime_seconds=600)
        again, _ = device_of(town, tmp_path / "purse")
        [kept] = await again.resume()
        assert await town.available("purse") == before - 500
        assert again.files.all() == [kept]
        assert await again.resume() == []


async def test_a_deposit_that_is_refused_leaves_nothing_behind(tmp_path: Path):
    async with open_town(tmp_path / "hub") as town:
        device, _ = device_of(town, tmp_path / "purse")
        with pytest.raises(Forbidden) as raised:
            await device.open(town.accounts["shop"], TARIFF, 100_001, lifetime_seconds=600)
        assert raised.value.code == "mandate-largest"
        assert device.files.all() == []


async def test_a_session_that_its_owner_must_approve_is_opened_later(tmp_path: Path):
    async with open_town(tmp_path / "hub") as town:
        await town.enrol("asking", "purse", await town.mandate(ask_above="10"))
        device, _ = device_of(town, tmp_path / "purse", "asking")
        with pytest.raises(OutcomeUnknown):
            await device.open(town.accounts["shop"], TARIFF, 500, lifetime_seconds=600)
        with pytest.raises(OutcomeUnknown):
            await device.resume()
        [waiting] = (await town.made("GET", "/v1/payments?state=awaiting", who="buyer.owner"))[
            "items"
        ]
        await town.made("POST", f"/v1/payments/{waiting['id']}/approve", who="buyer.owner")
        [kept] = await device.resume()
        assert (await device.draw(kept.session, 7))["promised"] == "7"


async def asked_twice(town: Town, folder: Path) -> tuple[DeviceSessions, Kept, Kept]:
    """Ask twice for the same while the owner is asked, and let the owner approve the one ask."""
    await town.enrol("asking", "purse", await town.mandate(ask_above="10"))
    device, _ = device_of(town, folder, "asking")
    for _ in range(2):
        with pytest.raises(OutcomeUnknown):
            await device.open(town.accounts["shop"], TARIFF, 500, lifetime_seconds=600)
    [waiting] = (await town.made("GET", "/v1/payments?state=awaiting", who="buyer.owner"))["items"]
    await town.made("POST", f"/v1/payments/{waiting['id']}/approve", who="buyer.owner")
    first, second = sorted(
        device.files.all(), key=lambda kept: kept.session[4:] != waiting["id"][4:]
    )
    return device, first, second


async def test_an_equal_order_that_was_asked_again_is_the_session_that_was_approved(tmp_path: Path):
    async with open_town(tmp_path / "hub") as town:
        before = await town.available("purse")
        device, first, second = await asked_twice(town, tmp_path / "purse")
        assert [kept.session for kept in await device.resume()] == [first.session]
        assert [kept.session for kept in device.files.all()] == [first.session]
        assert await town.available("purse") == before - 500
        assert (await device.draw(first.session, 7))["promised"] == "7"
        # The second order comes once more, as from a device that died; what was promised stays.
        device.promise(first.session, 9)
        device.files.keep(second)
        [again] = await device.resume()
        assert (again.session, again.promised, again.sequence) == (first.session, 9, 2)
        assert (await device.draw(first.session, 10))["promised"] == "10"


async def test_a_device_that_lost_its_file_goes_on_from_what_the_hub_has(tmp_path: Path):
    async with open_town(tmp_path / "hub") as town:
        device, first, second = await asked_twice(town, tmp_path / "purse")
        await device.resume()
        await device.draw(first.session, 7)
        device.files.forget(first.session)
        device.files.keep(second)
        [again] = await device.resume()
        assert (again.session, again.promised, again.sequence) == (first.session, 7, 1)
        assert (await device.draw(first.session, 8))["promised"] == "8"


LIES = {
    "its own receipt": lambda told, other: told["session"].update(id=other["session"]["id"]),
    "a receipt of another deposit": lambda told, other: told.update(other),
    "a changed receipt": lambda told, other: (
        told["session"].update(id=other["session"]["id"]),
        told["payment"]["receipt"]["statement"].update(payment=other["payment"]["id"]),
    ),
    "no receipt": lambda told, other: (
        told["session"].update(id=other["session"]["id"]),
        told["payment"].update(receipt=None),
    ),
    "no payment": lambda told, other: told.update(other, payment=7),
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_session_that_the_hub_does_not_prove_to_be_ours_is_not_begun(
    tmp_path: Path, lie: str
):
    async with open_town(tmp_path / "hub") as town:
        device, wire = device_of(town, tmp_path / "purse")
        answers = []
        for deposit in (400, 500):
            wire.losing = 1
            with pytest.raises(Unavailable):
                await device.open(town.accounts["shop"], TARIFF, deposit, lifetime_seconds=600)
            [kept] = [kept for kept in device.files.all() if kept.deposit == deposit]
            answers.append(await town.made("POST", "/v1/sessions", read_json(kept.opening)))
        other, told = answers
        assert opened_session(device._purse, kept, told).session == kept.session
        LIES[lie](told, other)
        with pytest.raises(OutcomeUnknown) as raised:
            opened_session(device._purse, kept, told)
        assert raised.value.code == "another-session"


async def test_an_answer_that_cannot_be_read_begins_nothing(tmp_path: Path):
    async with open_town(tmp_path / "hub") as town:
        device, _ = device_of(town, tmp_path / "purse")
        told = await town.made("POST", "/v1/sessions", town.opening(10))
        kept = msgspec.structs.replace(KEPT, session=told["session"]["id"])
        for wrong in ({"id": ""}, {"sequence": "many"}, {"ends_at": "soon"}, {"promised": -1}):
            with pytest.raises(OutcomeUnknown) as raised:
                opened_session(device._purse, kept, told | {"session": told["session"] | wrong})
            assert raised.value.code == "malformed-answer"


def test_what_was_promised_is_on_disk_before_it_is_signed(tmp_path: Path):
    files = SessionFiles(tmp_path)
    files.keep(KEPT)

    class Dies:
        public = SIGNER.public

        def sign(self, _message: bytes) -> bytes:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        files.promise(SESSION, 40, Dies())
    assert SessionFiles(tmp_path).read(SESSION).promised == 40
    with pytest.raises(Conflict):
        files.promise(SESSION, 40, SIGNER)
    assert read_voucher(files.promised(SESSION, SIGNER)).claims.units == 40
    assert read_voucher(files.promise(SESSION, 41, SIGNER)).claims.sequence == 2


def test_nothing_less_is_promised_and_nothing_beyond_the_deposit(tmp_path: Path):
    files = SessionFiles(tmp_path)
    files.keep(KEPT)
    files.promise(SESSION, 50, SIGNER)
    for units, error in ((50, Conflict), (49, Conflict), (0, Conflict), (101, PaymentRefused)):
        with pytest.raises(error):
            files.promise(SESSION, units, SIGNER)
    files.add(SESSION, 5)
    assert read_voucher(files.promise(SESSION, 105, SIGNER)).claims.units == 105


def _promise(path: Path, count: int) -> None:
    files = SessionFiles(path)
    for _ in range(count):
        with contextlib.suppress(Conflict):
            files.promise(SESSION, files.read(SESSION).promised + 1, SIGNER)


def test_two_processes_never_sign_the_same_number_twice(tmp_path: Path):
    files = SessionFiles(tmp_path)
    files.keep(KEPT)
    context = multiprocessing.get_context("fork")
    both = [context.Process(target=_promise, args=(tmp_path, 20)) for _ in range(2)]
    for process in both:
        process.start()
    for process in both:
        process.join()
        assert process.exitcode == 0
    kept = files.read(SESSION)
    assert kept.promised == kept.sequence
    assert 20 <= kept.promised <= 40


@pytest.mark.parametrize("name", ["../x", "ses_", "pay_" + "0" * 26, "ses_" + "0" * 25 + "/"])
def test_no_name_leads_out_of_the_folder(tmp_path: Path, name: str):
    with pytest.raises(Malformed):
        SessionFiles(tmp_path).read(name)


def test_a_damaged_file_is_named(tmp_path: Path):
    files = SessionFiles(tmp_path)
    with pytest.raises(Missing):
        files.read(SESSION)
    for text in ("", "{", "[]", '{"session": 1}', "[" * 100_000):
        (tmp_path / f"{SESSION}.json").write_text(text)
        with pytest.raises(Malformed) as raised:
            files.read(SESSION)
        assert raised.value.code == "malformed-session-file"


@pytest.mark.parametrize("name", ["deposit", "ends", "promised", "sequence"])
def test_no_count_of_a_session_is_below_nothing(tmp_path: Path, name: str):
    files = SessionFiles(tmp_path)
    files.keep(KEPT)
    for wrong in (-1, 2**63):
        with pytest.raises(Malformed) as raised:
            files.keep(msgspec.structs.replace(KEPT, **{name: wrong}))
        assert raised.value.code == "malformed-amount"
    assert files.read(SESSION) == KEPT
    raw = msgspec.json.encode(msgspec.structs.replace(KEPT, **{name: -1}))
    (tmp_path / f"{SESSION}.json").write_bytes(raw)
    with pytest.raises(Malformed) as raised:
        files.read(SESSION)
    assert raised.value.code == "malformed-session-file"


def test_nothing_negative_is_added_or_promised(tmp_path: Path):
    files = SessionFiles(tmp_path)
    files.keep(KEPT)
    for wrong in (
        lambda: files.add(SESSION, -1),
        lambda: files.promise(SESSION, -1, SIGNER),
        lambda: files.number(SESSION, -1, SIGNER),
    ):
        with pytest.raises(Malformed) as raised:
            wrong()
        assert raised.value.code == "malformed-amount"
    assert files.read(SESSION) == KEPT
