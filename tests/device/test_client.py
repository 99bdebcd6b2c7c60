"""A client that pays: once, within its limits, with the same bytes until it knows."""

import asyncio
import contextlib
from typing import Any

import httpx
import pytest

from farthing.device import (
    AlreadyPaid,
    AwaitingOwner,
    Client,
    PayingTransport,
    Purse,
    WillNotPay,
    paid,
    unproven,
)
from farthing.errors import BadConfig, Malformed, OutcomeUnknown, PaymentRefused, TooLarge
from farthing.money import Amount, Asset

from .world import PAYEE, SHOP, Clock, Wire, World, a_purse, credential, patience

URL = f"{SHOP}/weather?city=Oslo"


class Scene:
    """A world, a wire, a purse and a clock, and clients on them."""

    def __init__(self, folder: Any = None, **terms: Any) -> None:
        self.clock = Clock()
        self.world = World(self.clock, **terms)
        self.wire = Wire(self.world)
        self.purse: Purse = a_purse(self.world, folder)

    def client(self, *, rules: Any = None, **options: Any) -> Client:
        options.setdefault("patience", patience(self.clock, **(rules or {})))
        options.setdefault("transport", self.wire)
        return Client(self.purse, **options)

    def ask(
        self, url: str = URL, method: str = "GET", *, client: Any = None, **options: Any
    ) -> Any:
        async def run() -> httpx.Response:
            async with self.client(**(client or {})) as http:
                return await http.request(method, url, **options)

        return asyncio.run(run())

    def fails(self, kind: Any, *args: Any, **options: Any) -> Any:
        with pytest.raises(kind) as caught:
            self.ask(*args, **options)
        return caught.value

    @property
    def open_entries(self) -> int:
        return len(self.purse.journal.unresolved())


@pytest.fixture(params=["memory", "folder"])
def scene(request: Any, tmp_path: Any) -> Scene:
    return Scene(tmp_path / "journal" if request.param == "folder" else None)


@pytest.mark.parametrize("prefer", ["mpp", "x402"])
def test_a_priced_page_is_paid_for_and_read(scene: Scene, prefer: str):
    response = scene.ask(client={"prefer": prefer})
    assert (response.status_code, response.text) == (200, "sunny")
    made = paid(response)
    assert made is not None
    assert (str(made.amount), made.payee, made.language) == ("0.0015 USD", PAYEE, prefer)
    assert made.receipt_fault == ""
    assert made.receipt["statement"]["payment"] == made.payment
    assert list(scene.world.taken) == [made.payment]
    assert scene.open_entries == 0


def test_what_is_free_is_not_paid_for(scene: Scene):
    response = scene.ask(f"{SHOP}/moved", headers={"x-where": "/elsewhere"})
    assert response.status_code == 302
    assert paid(response) is None


def test_head_is_paid_like_get(scene: Scene):
    assert paid(scene.ask(method="HEAD")) is not None


def test_a_402_for_other_money_only_is_handed_back(scene: Scene):
    scene.world.languages = []
    assert scene.ask().status_code == 402


def test_two_equal_requests_that_succeed_are_two_payments(scene: Scene):
    scene.ask()
    scene.ask()
    assert scene.world.served == 2


def test_two_equal_requests_at_once_are_two_payments(scene: Scene):
    async def run() -> Any:
        async with scene.client() as http:
            return await asyncio.gather(*(http.get(URL) for _ in range(8)))

    responses = asyncio.run(run())
    assert len({paid(response).payment for response in responses}) == 8
    assert scene.world.served == 8


@pytest.mark.parametrize(
    ("terms", "code"),
    [
        ({"amount": 50_001}, "above-limit"),
        ({"amount": 2**63 - 1}, "above-limit"),
        ({"hub": "z" * 32}, "another-hub"),
        ({"payee": "acc_somebody"}, "payee-not-allowed"),
        ({"asset": "JPY"}, "asset-not-allowed"),
        ({"asset": "EUR"}, "asset-not-allowed"),
        ({"resource": "GET /other"}, "another-resource"),
        ({"resource": "POST /weather?city=Oslo"}, "another-resource"),
        ({"resource": "GET /weather"}, "another-resource"),
        ({"lifetime_seconds": 5 * 3600}, "challenge-too-long"),
        ({"body_digest": "sha-256=:" + "A" * 43 + "=:"}, "another-body"),
    ],
)
def test_nothing_is_signed_that_was_not_allowed(terms: Any, code: str):
    scene = Scene(**terms)
    limits = {"cap": "0.05 USD", "payees": [PAYEE]}
    scene.world.languages = scene.world.languages[:1]
    assert scene.fails(WillNotPay, client=limits).code == code
    assert scene.wire.credentials() == []
    assert scene.open_entries == 0


def test_a_price_at_the_limit_is_paid_and_one_unit_more_is_not():
    assert paid(Scene(amount=50_000).ask(client={"cap": "0.05 USD"})) is not None
    fault = Scene(amount=50_001).fails(WillNotPay, client={"cap": "0.05 USD"})
    assert "0.050001 USD" in fault.detail
    assert "--max" in fault.detail


def test_without_a_word_the_limit_is_five_cents_in_each_asset():
    assert paid(Scene(amount=50_000, asset="EUR").ask()) is not None
    assert Scene(amount=50_001).fails(WillNotPay).code == "above-limit"


def test_the_purse_has_a_limit_of_its_own():
    scene = Scene(amount=2_000)
    scene.purse = a_purse(scene.world, max="0.001 USD")
    assert scene.fails(WillNotPay).code == "above-limit"
    assert paid(scene.ask(client={"cap": Amount(2_000, Asset("USD", 6))})) is not None


def test_limits_may_be_told_for_several_assets():
    scene = Scene(amount=70_000, asset="EUR")
    assert paid(scene.ask(client={"cap": ["0.01 USD", "0.07 EUR"]})) is not None


def test_an_unknown_language_is_refused_when_the_client_is_made(scene: Scene):
    with pytest.raises(BadConfig):
        scene.client(prefer="cheque")


def test_exactly_the_price_that_was_checked_is_signed_whatever_the_body_says(scene: Scene):
    made = paid(scene.ask())
    assert scene.world.taken[made.payment].signed.order.amount == made.amount.units == 1500


def test_a_price_raised_after_signing_takes_no_more_than_was_signed(scene: Scene):
    # The shop doubles its price between its 402 and the payment.
    scene.wire.troubles = ["request-lost"]

    async def raise_price(seconds: float) -> None:
        scene.world.terms["amount"] = 3000
        await scene.clock.sleep(seconds)

    rules = patience(scene.clock)
    rules = type(rules)(clock=scene.clock, sleep=raise_price, spread=lambda: 1.0)
    with contextlib.suppress(PaymentRefused):
        scene.ask(client={"patience": rules})
    assert scene.world.total() in (0, 1500)
    assert len(set(scene.wire.credentials())) == 1


def test_a_lost_reply_is_asked_for_again_with_the_same_bytes(scene: Scene):
    scene.wire.troubles = ["reply-lost", "reply-lost", "request-lost"]
    response = scene.ask()
    assert response.text == "sunny"
    first, *others = scene.wire.credentials()
    assert others == [first] * 3
    assert scene.world.total() == 1500
    assert scene.open_entries == 0


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_busy_shop_is_asked_again_when_it_says(scene: Scene, status: int):
    scene.wire.troubles = [status]
    assert paid(scene.ask()) is not None
    assert scene.clock.slept == [2.0]
    assert len(set(scene.wire.credentials())) == 1


def test_waits_grow_and_end(scene: Scene):
    scene.wire.troubles = ["request-lost"] * 99
    fault = scene.fails(OutcomeUnknown, client={"rules": {"attempts": 4}})
    assert scene.clock.slept[:3] == [0.25, 0.5, 1.0]
    assert len(scene.wire.credentials()) == 4
    assert fault.code == "outcome-unknown"


def test_a_shop_that_says_come_back_tomorrow_is_not_waited_for(scene: Scene):
    scene.wire.troubles = [503] * 9
    response = scene.ask(client={"rules": {"total_seconds": 1.0}})
    assert (response.status_code, paid(response)) == (503, None)
    assert scene.clock.slept == []
    # The hub has not seen the payment; the credential stays good, so it is kept for next time.
    assert scene.open_entries == 1


def test_when_no_answer_can_be_had_the_hub_is_asked_and_the_error_says_what_it_knows(scene: Scene):
    scene.wire.troubles = ["reply-lost"] * 99
    fault = scene.fails(OutcomeUnknown)
    [payment] = scene.world.taken
    assert fault.code == "answer-lost"
    assert (fault.more["payment"], fault.more["state"]) == (payment, "captured")
    assert scene.world.looked_up == [payment]


def test_the_next_same_request_fetches_what_was_paid_without_paying_again(scene: Scene):
    scene.wire.troubles = ["reply-lost"] * 5
    scene.fails(OutcomeUnknown)
    assert scene.open_entries == 1
    response = scene.ask()
    assert response.text == "sunny"
    assert scene.world.total() == 1500
    assert len(set(scene.wire.credentials())) == 1
    assert scene.open_entries == 0


def test_another_request_does_not_use_the_open_credential(scene: Scene):
    scene.wire.troubles = ["reply-lost"] * 5
    scene.fails(OutcomeUnknown)
    scene.ask(f"{SHOP}/weather?city=Bergen")
    assert len(set(scene.wire.credentials())) == 2


def test_with_shop_and_hub_away_the_outcome_is_unknown_and_named(scene: Scene):
    scene.wire.troubles = ["reply-lost"] * 99
    scene.wire.hub_away = True
    fault = scene.fails(OutcomeUnknown)
    assert fault.code == "outcome-unknown"
    assert fault.more["payment"] in scene.world.taken
    assert scene.open_entries == 1


def test_a_payment_the_hub_has_refused_is_not_called_unknown(scene: Scene):
    scene.world.refuses = "mandate-budget"
    scene.wire.troubles = ["reply-lost"] * 99
    fault = scene.fails(PaymentRefused)
    assert fault.code == "mandate-budget"
    assert scene.open_entries == 0


def test_an_answer_that_breaks_off_is_fetched_again_and_not_paid_again(scene: Scene):
    scene.wire.troubles = ["cut"]
    fault = scene.fails(OutcomeUnknown)
    assert fault.code == "answer-lost"
    assert scene.ask().text == "sunny"
    assert scene.world.total() == 1500


def test_a_refused_payment_tells_why_and_is_not_tried_again(scene: Scene):
    scene.world.refuses = "insufficient-funds"
    fault = scene.fails(PaymentRefused)
    assert (fault.code, fault.detail) == ("insufficient-funds", "because insufficient-funds")
    assert len(scene.wire.credentials()) == 1
    assert scene.open_entries == 0


def test_a_plain_error_after_paying_costs_nothing_and_is_handed_back(scene: Scene):
    scene.world.status = 404
    response = scene.ask()
    assert (response.status_code, paid(response)) == (404, None)
    assert response.json()["code"] == "handler-failed"
    assert scene.open_entries == 0


def test_after_a_failing_shop_the_hub_says_whether_it_cost_anything(scene: Scene):
    scene.world.status = 500
    response = scene.ask()
    assert (response.status_code, paid(response)) == (500, None)
    assert len(scene.world.looked_up) == 1
    assert scene.open_entries == 0


def test_a_failing_shop_and_a_hub_away_leave_the_outcome_unknown(scene: Scene):
    scene.world.status = 500
    scene.wire.hub_away = True
    scene.fails(OutcomeUnknown)
    assert scene.open_entries == 1


def test_a_shop_that_takes_money_and_fails_is_found_out(scene: Scene):
    scene.wire.troubles = ["reply-lost", 500]
    fault = scene.fails(OutcomeUnknown)
    assert fault.code == "answer-lost"


def test_paid_earlier_and_the_answer_gone_gives_the_receipt(scene: Scene):
    scene.wire.troubles = ["reply-lost"] * 5
    scene.fails(OutcomeUnknown)
    scene.world.forgets_answers = True
    fault = scene.fails(AlreadyPaid)
    assert fault.paid.receipt_fault == ""
    assert fault.paid.payment in scene.world.taken
    assert scene.open_entries == 0


def test_while_the_owner_is_asked_the_same_request_can_be_sent_again_later(scene: Scene):
    scene.world.owner_asked = True
    fault = scene.fails(AwaitingOwner)
    assert (fault.payment, fault.retry_after_seconds) == (next(iter(scene.world.taken)), 5.0)
    scene.fails(AwaitingOwner)
    scene.world.owner_asked = False
    assert paid(scene.ask()).payment == fault.payment
    assert len(set(scene.wire.credentials())) == 1
    assert scene.world.total() == 1500


def test_the_owner_can_be_waited_for(scene: Scene):
    scene.world.owner_asked = True

    async def answer_later(seconds: float) -> None:
        await scene.clock.sleep(seconds)
        scene.world.owner_asked = len(scene.clock.slept) < 3

    rules = patience(scene.clock, owner_seconds=60)
    rules = type(rules)(clock=scene.clock, sleep=answer_later, owner_seconds=60)
    assert paid(scene.ask(client={"patience": rules})) is not None
    assert scene.clock.slept == [5.0] * 3


def test_an_owner_who_never_answers_is_waited_for_as_long_as_told(scene: Scene):
    scene.world.owner_asked = True
    scene.fails(AwaitingOwner, client={"rules": {"owner_seconds": 12}})
    assert scene.clock.slept == [5.0, 5.0]


def test_an_owner_who_says_no_is_not_asked_again_at_once(scene: Scene):
    scene.world.owner_asked = True
    scene.fails(AwaitingOwner)
    scene.world.owner_asked, scene.world.refuses = False, "denied"
    assert scene.fails(PaymentRefused).code == "denied"
    assert len(scene.world.taken) == 1


def test_an_old_credential_that_never_arrived_and_has_expired_gives_way_to_a_new_one(scene: Scene):
    scene.wire.troubles = ["request-lost"] * 5
    scene.fails(OutcomeUnknown)
    scene.clock.now_ns += 4000 * 10**9
    assert paid(scene.ask()) is not None
    assert len(set(scene.wire.credentials())) == 2
    assert scene.world.total() == 1500


def test_an_old_credential_is_not_given_up_while_the_hub_cannot_be_asked(scene: Scene):
    scene.wire.troubles = ["request-lost"] * 5
    scene.fails(OutcomeUnknown)
    scene.clock.now_ns += 4000 * 10**9
    scene.wire.hub_away = True
    scene.fails(OutcomeUnknown)
    assert len(set(scene.wire.credentials())) == 1


def test_open_payments_can_be_looked_up_and_forgotten_once_they_are_over(scene: Scene):
    async def reconcile() -> Any:
        async with scene.client() as http:
            return await http.paying.reconcile()

    scene.wire.troubles = ["request-lost"] * 5
    scene.fails(OutcomeUnknown)
    assert [standing.state for standing in asyncio.run(reconcile())] == ["unknown-there"]
    assert scene.open_entries == 1
    scene.clock.now_ns += 4000 * 10**9
    asyncio.run(reconcile())
    assert scene.open_entries == 0


def test_a_credential_never_goes_to_another_origin(scene: Scene):
    # A redirect first, then the payment where it leads; and a redirect back without it.
    scene.ask(
        f"{SHOP}/moved",
        headers={"x-where": "https://other.example/weather?city=Oslo"},
        client={"follow_redirects": True},
    )
    paying = [request for request in scene.wire.sent if credential(request)]
    assert {request.url.host for request in paying} == {"other.example"}


def test_a_paid_redirect_is_followed_without_the_credential(scene: Scene):
    scene.world.status = 302

    class Leading(httpx.AsyncBaseTransport):
        async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
            response = await scene.wire.handle_async_request(request)
            if response.status_code == 302:
                response.headers["location"] = "https://evil.example/moved"
            return response

    async def run() -> None:
        async with scene.client(transport=Leading(), follow_redirects=True) as http:
            with pytest.raises(httpx.TooManyRedirects):
                await http.get(URL, headers={"x-where": "/moved"})

    asyncio.run(run())
    seen = {request.url.host: credential(request) for request in scene.wire.sent[2:]}
    assert seen["evil.example"] == ""


def test_plain_http_to_another_machine_gets_no_credential(scene: Scene):
    plain = "http://shop.example/weather?city=Oslo"
    assert scene.fails(Malformed, plain).code == "not-private"
    assert scene.wire.credentials() == []
    assert paid(scene.ask(plain, client={"plain_http": True})) is not None


def test_a_request_with_its_own_authorization_pays_in_the_other_language(scene: Scene):
    response = scene.ask(headers={"authorization": "Bearer mine"})
    assert paid(response).language == "x402"
    assert scene.wire.sent[-1].headers["authorization"] == "Bearer mine"
    scene.world.languages = scene.world.languages[:1]
    fault = scene.fails(WillNotPay, headers={"authorization": "Bearer mine"})
    assert fault.code == "authorization-in-use"


def test_a_posted_body_is_sent_again_with_the_payment(scene: Scene):
    response = scene.ask(method="POST", json={"city": "Oslo"})
    taken = scene.world.taken[paid(response).payment]
    assert taken.request[2] == b'{"city":"Oslo"}'


def test_a_streamed_body_is_kept_for_the_second_sending(scene: Scene):
    async def parts() -> Any:
        yield b"a" * 1000
        yield b"b" * 1000

    response = scene.ask(method="POST", content=parts())
    assert len(scene.world.taken[paid(response).payment].request[2]) == 2000
    assert "transfer-encoding" not in scene.wire.sent[-1].headers


def test_a_stream_that_is_too_long_to_keep_is_refused_before_it_is_sent(scene: Scene):
    async def parts() -> Any:
        for _ in range(5):
            yield b"a" * 1000

    fault = scene.fails(TooLarge, method="POST", content=parts(), client={"body_bytes_max": 4000})
    assert "pass it as bytes" in fault.detail
    assert scene.wire.sent == []


def test_a_file_form_is_sent_again_with_the_payment(scene: Scene):
    response = scene.ask(method="POST", files={"file": ("a.txt", b"hello")})
    assert b"hello" in scene.world.taken[paid(response).payment].request[2]


def test_a_missing_receipt_is_asked_of_the_hub(scene: Scene):
    scene.world.gives_receipts = False
    made = paid(scene.ask())
    assert (made.receipt_fault, made.receipt["statement"]["payment"]) == ("", made.payment)
    assert scene.world.looked_up == [made.payment]
    assert scene.open_entries == 0


@pytest.mark.parametrize(
    ("spoiled", "why"),
    [
        ({"payment": "pay_another"}, "it is about another payment"),
        ({"order": "another"}, "it is about another payment"),
        ({"device": "dev_another"}, "it is about another payment"),
        ({"state": "held"}, "it is not about money that was taken"),
        ({"state": "voided"}, "it is not about money that was taken"),
    ],
)
def test_a_receipt_that_proves_something_else_is_not_called_paid(scene: Scene, spoiled, why):
    honest = scene.world.receipt
    scene.world.receipt = lambda taken: honest(taken, **spoiled)
    response = scene.ask()
    assert (response.text, paid(response)) == ("sunny", None)
    assert (unproven(response).why, unproven(response).state) == (why, "captured")
    assert scene.open_entries == 1


def test_a_receipt_that_does_not_verify_is_not_called_paid(scene: Scene):
    honest = scene.world.receipt
    scene.world.receipt = lambda taken: _with_other_rows(honest(taken))
    response = scene.ask()
    assert paid(response) is None
    assert unproven(response).why == "the statement is not under the head's root"


def test_the_transport_works_under_anybodys_client(scene: Scene):
    async def run() -> httpx.Response:
        paying = PayingTransport(
            scene.purse, inner=scene.wire, patience=patience(scene.clock), cap="0.01 USD"
        )
        async with httpx.AsyncClient(transport=paying, base_url=SHOP) as http:
            return await http.get("/weather")

    response = asyncio.run(run())
    assert str(response.extensions["farthing_paid"]).startswith(
        f"paid 0.0015 USD to {PAYEE} · pay_"
    )


def test_an_answer_that_is_left_unread_is_settled_when_it_is_closed(scene: Scene):
    async def run() -> None:
        async with scene.client() as http, http.stream("GET", URL) as response:
            assert paid(response) is not None
            assert scene.open_entries == 1

    asyncio.run(run())
    assert scene.open_entries == 0


def test_a_client_that_is_cancelled_while_it_waits_leaves_its_credential_for_the_next(scene: Scene):
    async def stuck(_: float) -> None:
        await asyncio.sleep(3600)

    async def run() -> None:
        rules = type(patience(scene.clock))(clock=scene.clock, sleep=stuck)
        async with scene.client(patience=rules) as http:
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(http.get(URL), 0.2)

    scene.wire.troubles = ["reply-lost"]
    asyncio.run(run())
    assert scene.open_entries == 1
    assert scene.ask().text == "sunny"
    assert scene.world.total() == 1500


def _with_other_rows(receipt: dict[str, Any]) -> dict[str, Any]:
    return receipt | {"proof": receipt["proof"] | {"rows": "AAAA"}}
