"""Our client pays x402 `batch-settlement`: one deposit, a voucher with each request."""

import asyncio
import base64
import json
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from farthing.codec import from_base64url
from farthing.core.vouchers import read_voucher
from farthing.device import AtMost, AwaitingOwner, Client, Patience, Promised, WillNotPay, promised
from farthing.device.at_most import AT_MOST
from farthing.device.giving_up import ANEW, GivenUp
from farthing.errors import BadConfig, OutcomeUnknown, PaymentRefused
from farthing.session_files import SessionFiles
from tests.web.api.town import FUNDS
from tests.web.metered_shop import PRICES, metered_shop
from tests.web.shop import Counter

from .stock_seller import PRICE, SHOP, Killed, Seller, stock_seller

TEA = SHOP + "/tea"
BATCH = "batch-settlement"
DEPOSIT = "0.01 USD"


def payload(sent: str) -> Any:
    return json.loads(base64.b64decode(sent))["payload"]


def kinds(seller: Seller) -> list[str]:
    return [payload(sent)["type"] for sent in seller.wire.sent]


def numbers(seller: Seller) -> list[tuple[int, int]]:
    """List sequence and units of every voucher that was sent."""
    read = [read_voucher(from_base64url(payload(s)["voucher"])).claims for s in seller.wire.sent]
    return [(claims.sequence, claims.units) for claims in read]


async def bought(http: httpx.AsyncClient, **extensions: Any) -> Promised:
    answer = await http.get(TEA, extensions=extensions)
    assert (answer.status_code, answer.json()) == (200, "tea"), answer.text
    made = promised(answer)
    assert made is not None
    return made


async def test_one_deposit_pays_for_many_requests_and_the_rest_comes_back(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client(deposit=DEPOSIT) as http:
        seller.uses += [PRICE, 500, PRICE]
        for charged in (PRICE, 2000, 3500):
            made = await bought(http)
            assert made.charged is not None and made.charged.units == charged
        assert kinds(seller) == ["deposit", "voucher", "voucher"]
        assert str(made) == (
            f"promised at most 0.0015 USD to {made.payee} · {made.session}: 0.0035 USD in all, "
            "of 0.01 USD held; charged so far: 0.0035 USD"
        )
        assert await seller.town.available("purse") == FUNDS - 10_000
        assert await seller.close() == 3500
        assert await seller.town.available("purse") == FUNDS - 3500
        assert http.paying.purse.journal.unresolved() == []


async def test_what_it_costs_at_most_and_what_is_held_is_told_before_anything_is_signed(
    tmp_path: Path,
):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client(deposit=DEPOSIT) as http:
        told: list[AtMost] = []

        def tell(most: AtMost) -> None:
            told.append(most)
            assert len(seller.wire.sent) == len(told) - 1

        for _ in range(2):
            await bought(http, **{AT_MOST: tell})
        assert [str(most).split(" to ")[0] for most in told] == ["costs at most 0.0015 USD"] * 2
        assert [most.held.units if most.held else None for most in told] == [10_000, None]


async def test_who_is_told_can_still_say_no_and_nothing_is_signed(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client(deposit=DEPOSIT) as http:

        def no(_most: AtMost) -> None:
            raise WillNotPay("above-limit", "not today")

        with pytest.raises(WillNotPay):
            await http.get(TEA, extensions={AT_MOST: no})
        assert (seller.wire.sent, http.paying.purse.journal.unresolved()) == ([], [])
        assert SessionFiles(tmp_path / "meter" / "batch-sessions").all() == []


@pytest.mark.parametrize(
    ("options", "code"),
    [
        ({"cap": "0.001499 USD"}, "above-limit"),
        ({"payees": ["acc_" + "0" * 26]}, "payee-not-allowed"),
        ({"deposit": "0.001499 USD"}, "above-limit"),
        ({"deposit": "1 EUR"}, "asset-not-allowed"),
    ],
)
async def test_limits_hold_and_nothing_is_signed(
    tmp_path: Path, options: dict[str, Any], code: str
):
    told = {"deposit": DEPOSIT} | options
    async with stock_seller(tmp_path, BATCH) as seller, seller.client(**told) as http:
        with pytest.raises(WillNotPay) as raised:
            await http.get(TEA)
        assert (raised.value.code, seller.wire.sent) == (code, [])


async def test_without_a_deposit_nothing_is_held_and_what_is_asked_is_given_back(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client() as http:
        answer = await http.get(TEA)
        assert (answer.status_code, promised(answer), seller.wire.sent) == (402, None, [])


async def test_what_can_be_paid_at_once_is_not_paid_from_a_deposit(tmp_path: Path):
    async with (
        stock_seller(tmp_path, BATCH, "exact") as seller,
        seller.client(deposit=DEPOSIT) as http,
    ):
        assert promised(await http.get(TEA)) is None
        assert await seller.sessions() == []


async def test_a_deposit_that_is_used_up_is_held_once_more(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client(deposit="0.003 USD") as http:
        for _ in range(5):
            await bought(http)
        assert kinds(seller) == ["deposit", "voucher", "deposit", "voucher", "deposit"]
        [session] = await seller.sessions()
        assert (session["deposit"], session["promised"]) == ("9000", "7500")


async def test_a_session_that_was_closed_is_followed_by_another(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client(deposit=DEPOSIT) as http:
        first = await bought(http)
        await seller.close()
        assert (await bought(http)).session != first.session
        assert kinds(seller) == ["deposit", "voucher", "deposit"]


async def test_another_program_goes_on_with_the_session_that_is_on_disk(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller:
        for _ in range(3):
            async with seller.client(deposit=DEPOSIT) as http:
                made = await bought(http)
        assert made.promised.units == 3 * PRICE
        assert len(await seller.sessions()) == 1


@pytest.mark.parametrize("trouble", ["request-lost", 503])
async def test_the_same_voucher_is_sent_again_after_silence(tmp_path: Path, trouble: Any):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client(deposit=DEPOSIT) as http:
        seller.wire.troubles += [trouble]
        await bought(http)
        assert numbers(seller) == [(1, PRICE), (1, PRICE)]
        assert await seller.close() == PRICE


async def test_a_request_that_was_never_heard_goes_on_later_with_the_same_voucher(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller:
        async with seller.client(deposit=DEPOSIT) as http:
            seller.wire.troubles += ["request-lost", "request-lost"]
            with pytest.raises(OutcomeUnknown, match="promises nothing more"):
                await http.get(TEA)
        async with seller.client(deposit=DEPOSIT) as http:
            assert (await bought(http)).promised.units == PRICE
        assert await seller.close() == PRICE


async def test_an_answer_that_is_lost_is_not_promised_for_twice(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client(deposit=DEPOSIT) as http:
        seller.wire.troubles += ["reply-lost"]
        for _ in range(2):
            with pytest.raises(OutcomeUnknown) as raised:
                await http.get(TEA)
            assert raised.value.code == "answer-lost"
            assert "0.0015 USD" in raised.value.detail and "--anew" in raised.value.detail
        assert set(numbers(seller)) == {(1, PRICE)}
        given: list[GivenUp] = []
        await bought(http, **{ANEW: given.append})
        assert [one.lost for one in given] == [True]
        assert "may have charged" in str(given[0])
        assert await seller.close() == 2 * PRICE


async def test_a_deposit_whose_answer_was_lost_is_found_held_and_topped_up(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client(deposit="0.0015 USD") as http:
        seller.wire.troubles += ["reply-lost"]
        with pytest.raises(OutcomeUnknown):
            await http.get(TEA)
        made = await bought(http, **{ANEW: lambda _: None})
        assert (made.held.units, made.promised.units) == (2 * PRICE, 2 * PRICE)
        assert len(await seller.sessions()) == 1


async def test_what_the_owner_forbids_is_told_and_nothing_is_held(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client(deposit="0.2 USD") as http:
        with pytest.raises(PaymentRefused) as raised:
            await http.get(TEA)
        assert (raised.value.code, await seller.sessions()) == ("mandate-largest", [])
        assert SessionFiles(tmp_path / "meter" / "batch-sessions").all() == []
        assert await seller.town.available("purse") == FUNDS


async def test_the_owner_is_asked_and_the_same_request_goes_on_later(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller:
        await seller.town.enrol("asking", "purse", await seller.town.mandate(ask_above="10"))
        async with seller.client("asking", deposit=DEPOSIT) as http:
            with pytest.raises(AwaitingOwner):
                await http.get(TEA)
            path = "/v1/payments?state=awaiting"
            [one] = (await seller.town.made("GET", path, who="buyer.owner"))["items"]
            approve = f"/v1/payments/{one['id']}/approve"
            await seller.town.made("POST", approve, who="buyer.owner")
            assert (await bought(http)).promised.units == PRICE
        assert len(await seller.sessions()) == 1


async def test_an_ended_session_takes_no_more_and_frees_what_was_not_charged(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client(deposit=DEPOSIT) as http:
        made = await bought(http)
        assert await http.end_sessions("ses_" + "0" * 26) == []
        assert await http.end_sessions() == [made.session]
        assert await http.end_sessions() == []
        [session] = await seller.sessions()
        assert session["ended_by"] == "payer"
        assert await seller.close() == PRICE
        assert await seller.town.available("purse") == FUNDS - PRICE


async def test_a_deposit_that_nobody_heard_of_is_cancelled_when_it_is_ended(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client(deposit=DEPOSIT) as http:
        seller.wire.troubles += ["request-lost", "request-lost"]
        with pytest.raises(OutcomeUnknown):
            await http.get(TEA)
        assert len(await http.end_sessions()) == 1
        await bought(http)  # The same voucher first, whose deposit nobody can have held any more.
        assert [payload(sent)["type"] for sent in seller.wire.sent] == ["deposit"] * 4
        assert await seller.town.available("purse") == FUNDS - 10_000


async def test_a_deposit_needs_a_folder(tmp_path: Path):
    async with stock_seller(tmp_path, BATCH) as seller, seller.client() as http:
        purse = http.paying.purse
        nowhere = type(purse)(purse.membership, purse.signer)
        with pytest.raises(BadConfig, match="files="):
            Client(nowhere, deposit=DEPOSIT)


async def test_many_at_once_take_numbers_of_their_own(tmp_path: Path):
    patient = Patience(attempts=6, first_wait_seconds=0.01)
    async with (
        stock_seller(tmp_path, BATCH) as seller,
        seller.client(deposit="0.02 USD", patience=patient) as http,
    ):
        await bought(http)
        answers = await asyncio.gather(*(http.get(TEA) for _ in range(5)), return_exceptions=True)
        served = [each for each in answers if isinstance(each, httpx.Response)]
        assert all(each.status_code == 200 for each in served) and served
        refused = [each for each in answers if not isinstance(each, httpx.Response)]
        assert all(isinstance(each, PaymentRefused) for each in refused), refused
        sequences = [sequence for sequence, _ in numbers(seller)]
        assert len(set(sequences)) == len(sequences)
        assert await seller.close() == PRICE * (1 + len(served))


async def test_our_own_paywall_that_meters_is_paid_by_the_request(tmp_path: Path):
    prices = PRICES + 'opening = "0.00005 USD"\n'
    async with metered_shop(tmp_path, Counter(), prices) as (shop, url):
        plain = shop.client()
        async with plain as http:
            assert (await http.get(url + "/readings")).status_code == 402
        purse, ways = plain.paying.purse, shop.ways
        async with Client(purse, transport=ways, plain_http=True, deposit="0.0005 USD") as http:
            for n in range(1, 5):
                answer = await http.get(url + "/readings")
                assert (answer.status_code, answer.content) == (200, b"goods"), answer.text
                made = promised(answer)
                assert made is not None and made.charged is not None
                assert made.charged.units == 50 + -(-3 * n // 2)
            assert (made.held.units, made.promised.units < 75) == (500, True)
        await shop.metering.close(made.session)
        assert (await shop.session(made.session))["captured"] == "56"


async def test_what_streams_is_left_to_a_session_of_its_own(tmp_path: Path):
    prices = PRICES.replace('per = "request"', 'per = "second"')
    async with metered_shop(tmp_path, Counter(), prices) as (shop, url):
        purse = shop.client().paying.purse
        async with Client(purse, transport=shop.ways, plain_http=True, deposit="0.01 USD") as http:
            assert (await http.get(url + "/readings")).status_code == 402


async def test_a_lost_answer_of_a_paywall_that_meters_is_not_counted_twice(tmp_path: Path):
    handler = Counter()
    async with metered_shop(tmp_path, handler) as (shop, url):
        purse = shop.client().paying.purse
        wire = LosingOne(shop.ways)
        async with Client(purse, transport=wire, plain_http=True, deposit="0.0005 USD") as http:
            for _ in range(2):
                with pytest.raises(OutcomeUnknown) as raised:
                    await http.get(url + "/readings")
                assert raised.value.code == "answer-lost"
            assert handler.runs == 1
            answer = await http.get(url + "/readings", extensions={ANEW: lambda _: None})
            assert (answer.status_code, handler.runs) == (200, 2)


class LosingOne(httpx.AsyncBaseTransport):
    """Loses the answer to the first paying request."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self.inner, self.losing = inner, True

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        answer = await self.inner.handle_async_request(request)
        if self.losing and "payment-signature" in request.headers:
            self.losing = False
            await answer.aclose()
            raise httpx.ReadError("lost", request=request)
        return answer


@pytest.mark.parametrize("deposit", ["0.0015 USD", DEPOSIT])
@pytest.mark.parametrize("when", ["signed", "written down"])
async def test_killed_between_signing_and_sending_it_goes_on_by_the_next_number(
    tmp_path: Path, deposit: str, when: str
):
    async with stock_seller(tmp_path, BATCH) as seller:
        http = seller.client(deposit=deposit)
        if when == "signed":
            http.paying.purse.journal.write = killed  # pyright: ignore[reportAttributeAccessIssue]
        else:
            seller.wire.troubles += ["killed"]
        with pytest.raises(Killed):
            await http.get(TEA)
        [kept] = SessionFiles(tmp_path / "meter" / "batch-sessions").all()
        assert (kept.sequence, kept.promised) == (1, PRICE)
        http = seller.client(deposit=deposit)
        for _ in range(2):
            await bought(http)
        sequences = [sequence for sequence, _ in numbers(seller)]
        assert sequences[0] == (2 if when == "signed" else 1)
        assert await seller.close() == 2 * PRICE


def killed(_entry: Any) -> Any:
    raise Killed


STORY = st.lists(
    st.sampled_from(
        ["buy", "buy", "request-lost", "reply-lost", "killed", "restart", "close", "anew", "less"]
    ),
    min_size=1,
    max_size=12,
)


@settings(max_examples=12, deadline=None)
@given(STORY)
def test_no_voucher_ever_promises_less_or_by_a_number_that_was_signed_before(
    tmp_path_factory: pytest.TempPathFactory, story: list[str]
):
    asyncio.run(_told(tmp_path_factory.mktemp("story"), story))


async def _told(folder: Path, story: list[str]) -> None:
    async with stock_seller(folder, BATCH) as seller:
        http, sent = seller.client(deposit="0.003 USD"), list[str]()
        for step in story:
            if step == "restart":
                sent += seller.wire.sent
                http = seller.client(deposit="0.003 USD")
            elif step == "close":
                await seller.close()
            else:
                await _one(seller, http, step)
        sent += seller.wire.sent
        _check_order(sent)
        assert await seller.close() <= PRICE * len(seller.served)


async def _one(seller: Seller, http: httpx.AsyncClient, step: str) -> None:
    if step.endswith("lost") or step == "killed":
        seller.wire.troubles += [step, step]
    if step == "less":
        seller.uses += [100]
    extensions: dict[str, Any] = {ANEW: lambda _: None} if step == "anew" else {}
    try:
        await http.get(TEA, extensions=extensions)
    except (OutcomeUnknown, Killed):
        pass
    finally:
        seller.wire.troubles.clear()
        seller.uses.clear()


def _check_order(sent: list[str]) -> None:
    """A number stands for one voucher for good, and promises no less than a lower one."""
    by_session: dict[str, dict[int, bytes]] = {}
    for one in sent:
        raw = from_base64url(payload(one)["voucher"])
        voucher = read_voucher(raw)
        known = by_session.setdefault(voucher.claims.alias.hex(), {})
        assert known.setdefault(voucher.claims.sequence, raw) == raw
    for known in by_session.values():
        units = [read_voucher(known[sequence]).claims.units for sequence in sorted(known)]
        assert units == sorted(units)
