"""What a payer meets at a priced route, against a real server."""

import asyncio

import pytest

from farthing.web.limits import Limits

from .shop import PAYEE, PRICES, Counter, Shop, selling


@pytest.mark.parametrize("language", ["mpp", "x402"])
def test_a_priced_page_is_served_once_it_is_paid(language):
    async def story():
        shop, handler = Shop(), Counter(headers=[(b"cache-control", b"public, max-age=60")])
        async with selling(shop, handler) as client:
            asked = await client.get("/paid")
            assert asked.status_code == 402
            assert asked.headers["cache-control"] == "no-store"
            assert asked.headers["content-type"] == "application/problem+json"
            assert asked.json()["code"] == "payment-required"
            assert asked.json()["price"] == "0.0015 USD"
            assert "www-authenticate" in asked.headers and "payment-required" in asked.headers
            assert handler.runs == 0 and shop.hub.calls == []
            paid = await client.get("/paid", headers=shop.sign(asked, language))
        assert (paid.status_code, paid.content) == (200, b"goods")
        receipt = "payment-receipt" if language == "mpp" else "payment-response"
        assert receipt in paid.headers
        assert paid.headers["cache-control"] == "private, max-age=60"
        assert (shop.spent, shop.earned, handler.runs) == (1500, 1500, 1)

    asyncio.run(story())


def test_the_handler_learns_who_paid_and_never_sees_the_credential():
    async def story():
        shop, handler = Shop(), Counter()
        async with selling(shop, handler) as client:
            lies = {"Farthing-Payer": "dev_me", "Farthing_Amount": "9 USD", "X-Original-URL": "/x"}
            await shop.pay(client, "GET", "/paid", headers=lies | {"X-Mine": "1"})
        seen = handler.seen
        assert seen["farthing-payer"] == shop.device
        assert seen["farthing-payment-id"] in shop.hub.payments
        assert seen["farthing-amount"] == "0.0015 USD"
        assert seen["x-mine"] == "1"
        assert not {"authorization", "farthing_amount", "x-original-url"} & set(seen)

    asyncio.run(story())


def test_other_authorization_schemes_pass_beside_a_payment():
    async def story():
        shop, handler = Shop(), Counter()
        async with selling(shop, handler) as client:
            asked = await client.get("/paid", headers={"Authorization": "Bearer seller"})
            both = [
                ("Authorization", "Bearer seller"),
                ("Authorization", shop.sign(asked)["authorization"]),
            ]
            paid = await client.get("/paid", headers=both)
            assert paid.status_code == 200
        assert handler.seen["authorization"] == "Bearer seller"

    asyncio.run(story())


@pytest.mark.parametrize("status", [404, 500])
def test_nobody_pays_for_an_error(status):
    async def story():
        shop = Shop()
        handler = Counter(status=status, headers=[(b"payment-receipt", b"forged")])
        async with selling(shop, handler) as client:
            paid = await shop.pay(client, "GET", "/paid")
        assert (paid.status_code, paid.content) == (status, b"goods")
        assert "payment-receipt" not in paid.headers
        assert (shop.spent, shop.states) == (0, ["voided"])

    asyncio.run(story())


def test_nobody_pays_for_a_handler_that_raises():
    async def broken(scope, receive, send):
        raise RuntimeError("the secret is 42")

    async def story():
        shop = Shop()
        async with selling(shop, broken) as client:
            paid = await shop.pay(client, "GET", "/paid")
        assert paid.status_code == 500 and paid.json()["code"] == "handler-failed"
        assert "42" not in paid.text
        assert (shop.spent, shop.states) == (0, ["voided"])

    asyncio.run(story())


def test_a_handler_that_is_too_late_is_stopped_and_nothing_is_taken():
    async def story():
        shop, handler = Shop(limits=Limits(answer_seconds=0.1)), Counter(seconds=5)
        async with selling(shop, handler) as client:
            paid = await shop.pay(client, "GET", "/paid")
        assert paid.status_code == 504 and paid.json()["code"] == "answer-too-late"
        assert (shop.spent, shop.states) == (0, ["voided"])

    asyncio.run(story())


def test_a_payment_that_cannot_be_captured_serves_nothing():
    async def story():
        shop, handler = Shop(), Counter()
        shop.hub.fail("capture", 3)
        async with selling(shop, handler) as client:
            paid = await shop.pay(client, "GET", "/paid")
        assert paid.status_code == 503 and paid.json()["code"] == "capture-failed"
        assert b"goods" not in paid.content and "retry-after" in paid.headers
        assert (shop.spent, shop.states) == (0, ["voided"])

    asyncio.run(story())


def test_a_lost_reply_to_a_capture_is_asked_again():
    async def story():
        shop, handler = Shop(), Counter()
        shop.hub.lose_replies("capture", 2)
        async with selling(shop, handler) as client:
            paid = await shop.pay(client, "GET", "/paid")
        assert paid.status_code == 200 and shop.spent == 1500

    asyncio.run(story())


def test_a_capture_that_was_made_but_never_heard_of_is_given_back():
    async def story():
        shop, handler = Shop(), Counter()
        shop.hub.lose_replies("capture", 3)
        async with selling(shop, handler) as client:
            paid = await shop.pay(client, "GET", "/paid")
        assert paid.status_code == 503 and b"goods" not in paid.content
        assert (shop.spent, shop.earned, shop.states) == (0, 0, ["refunded"])

    asyncio.run(story())


@pytest.mark.rule("asvs.16.5.3", "farthing.unknown-outcome", on="middleware")
@pytest.mark.parametrize(("fault", "status"), [("fail", 503), ("lose_replies", 504)])
def test_a_hub_that_is_away_or_unheard_never_leads_to_another_challenge(fault, status):
    async def story():
        shop, handler = Shop(), Counter()
        getattr(shop.hub, fault)("authorise")
        async with selling(shop, handler) as client:
            paid = await shop.pay(client, "GET", "/paid")
        assert paid.status_code == status and "retry-after" in paid.headers
        assert "www-authenticate" not in paid.headers and "payment-required" not in paid.headers
        assert handler.runs == 0

    asyncio.run(story())


def test_a_refusal_carries_its_reason_and_a_fresh_challenge():
    async def story():
        shop, handler = Shop(), Counter()
        shop.hub.balances[shop.device] = 1
        async with selling(shop, handler) as client:
            paid = await shop.pay(client, "GET", "/paid", "x402")
        assert paid.status_code == 402 and paid.json()["code"] == "insufficient-funds"
        assert "www-authenticate" in paid.headers
        assert "payment-required" in paid.headers and "payment-response" in paid.headers
        assert handler.runs == 0

    asyncio.run(story())


def test_a_signature_by_another_key_is_a_failed_verification():
    async def story():
        from farthing import keys

        shop, handler = Shop(), Counter()
        shop.signer = keys.new_signer()
        async with selling(shop, handler) as client:
            paid = await shop.pay(client, "GET", "/paid")
        assert paid.status_code == 402 and paid.json()["code"] == "verification-failed"
        assert paid.json()["type"] == "https://paymentauth.org/problems/verification-failed"
        assert "www-authenticate" in paid.headers and handler.runs == 0

    asyncio.run(story())


def test_credentials_that_cannot_be_read_are_refused_as_each_language_says():
    async def story():
        shop, handler = Shop(), Counter()
        async with selling(shop, handler) as client:
            mpp = await client.get("/paid", headers={"Authorization": "Payment !!!"})
            x402 = await client.get("/paid", headers={"Payment-Signature": "!!!"})
            both = await client.get(
                "/paid", headers={"Authorization": "Payment e30", "Payment-Signature": "e30="}
            )
            two = await client.get(
                "/paid", headers=[("Authorization", "Payment a"), ("Authorization", "payment b")]
            )
        assert (mpp.status_code, mpp.json()["code"]) == (402, "malformed-credential")
        assert "www-authenticate" in mpp.headers
        assert (x402.status_code, x402.json()["code"]) == (400, "malformed-credential")
        assert (both.status_code, both.json()["code"]) == (400, "several-credentials")
        assert (two.status_code, two.json()["code"]) == (400, "several-credentials")
        assert handler.runs == 0

    asyncio.run(story())


def test_a_payment_the_owner_is_asked_about_waits_without_a_challenge_and_then_serves():
    async def story():
        shop, handler = Shop(), Counter()
        shop.hub.ask_above = 1000
        async with selling(shop, handler) as client:
            credential = shop.sign(await client.get("/paid"))
            waiting = await client.get("/paid", headers=credential)
            [payment] = shop.hub.payments
            assert waiting.status_code == 403 and waiting.json()["code"] == "awaiting-owner"
            assert waiting.headers["location"] == f"/v1/payments/{payment}"
            assert "retry-after" in waiting.headers and "www-authenticate" not in waiting.headers
            shop.hub.approve(payment)
            served = await client.get("/paid", headers=credential)
        assert (served.status_code, handler.runs, shop.spent) == (200, 1, 1500)

    asyncio.run(story())


def test_head_costs_what_get_costs():
    async def story():
        shop, handler = Shop(), Counter()
        async with selling(shop, handler) as client:
            asked = await client.head("/paid")
            assert asked.status_code == 402 and asked.content == b""
            got = await client.get("/paid", headers=shop.sign(asked))
            assert got.status_code == 402, "a HEAD's payment does not pay a GET"
            paid = await shop.pay(client, "HEAD", "/paid")
        assert paid.status_code == 200 and paid.content == b"" and shop.spent == 1500

    asyncio.run(story())


def test_a_body_is_bound_to_its_price():
    async def story():
        shop, handler = Shop(), Counter()
        async with selling(shop, handler) as client:
            asked = await client.post("/paid", content=b"one")
            assert shop.ask(asked).body_digest.startswith("sha-256=:")
            other = await client.post("/paid", content=b"two", headers=shop.sign(asked))
            assert other.status_code == 402 and other.json()["code"] == "verification-failed"
            paid = await client.post("/paid", content=b"one", headers=shop.sign(asked))
        assert paid.status_code == 200 and handler.received == b"one"

    asyncio.run(story())


@pytest.mark.rule("owasp-api.4", on="middleware")
def test_a_body_over_the_limit_is_refused_unless_the_offer_does_not_bind_it():
    big = b"x" * (2 * 1024 * 1024)

    async def story():
        shop = Shop()
        async with selling(shop, Counter()) as client:
            refused = await client.post("/paid", content=big)

            async def parts():
                for start in range(0, len(big), 65536):
                    yield big[start : start + 65536]

            chunked = await client.post("/paid", content=parts())
        assert (refused.status_code, refused.json()["code"]) == (413, "body-too-large")
        assert chunked.status_code == 413
        shop, handler = Shop(PRICES + "bind_body = false\n"), Counter()
        async with selling(shop, handler) as client:
            paid = await client.post(
                "/paid", headers=shop.sign(await client.post("/paid")), content=big
            )
        assert paid.status_code == 200 and handler.received == big

    asyncio.run(story())


def test_a_body_that_differs_from_its_own_digest_field_is_refused():
    async def story():
        shop = Shop()
        async with selling(shop, Counter()) as client:
            wrong = {"Content-Digest": "sha-256=:" + "A" * 43 + "=:"}
            answer = await client.post("/paid", content=b"one", headers=wrong)
        assert (answer.status_code, answer.json()["code"]) == (400, "digest-mismatch")

    asyncio.run(story())


def test_charging_in_one_step_gives_the_money_back_when_the_handler_fails():
    async def story():
        for status, spent in ((200, 1500), (500, 0)):
            shop, handler = Shop(PRICES + 'mode = "charge"\n'), Counter(status=status)
            async with selling(shop, handler) as client:
                credential = shop.sign(await client.get("/paid"))
                paid = await client.get("/paid", headers=credential)
                again = await client.get("/paid", headers=credential)
            assert paid.status_code == status and shop.spent == spent
            assert ("payment-receipt" in paid.headers) == (status == 200)
            assert "capture" not in shop.hub.calls
            if status == 500:
                assert again.status_code == 402 and "www-authenticate" in again.headers

    asyncio.run(story())


def test_a_named_device_proves_itself_and_pays_nothing():
    async def story():
        shop, handler = Shop(PRICES + 'free_for = ["DEVICE"]\n'), Counter()
        async with selling(shop, handler) as client:
            credential = shop.sign(await client.get("/paid"))
            served = await client.get("/paid", headers=credential)
            again = await client.get("/paid", headers=credential)
        assert served.status_code == again.status_code == 200
        assert "payment-receipt" not in served.headers
        assert handler.seen["farthing-amount"] == "0 USD"
        assert (shop.spent, handler.runs, shop.states) == (0, 1, ["voided"])

    asyncio.run(story())


def test_unpriced_paths_under_a_prefix_fail_closed_and_others_are_free():
    async def story():
        shop, handler = Shop(), Counter()
        async with selling(shop, handler) as client:
            assert (await client.get("/free")).status_code == 200
            for path in ("/paid/", "/paid/more", "/PAID", "/Paid/x"):
                answer = await client.get(path)
                assert (answer.status_code, answer.json()["code"]) == (404, "unpriced-path")
            wrong = await client.delete("/paid")
            assert (wrong.status_code, wrong.json()["code"]) == (405, "unpriced-method")
            assert wrong.headers["allow"] == "GET, HEAD, POST"
        assert handler.runs == 1

    asyncio.run(story())


def test_a_cors_preflight_is_free_and_gives_nothing_away():
    async def story():
        shop, handler = Shop(), Counter(headers=[(b"access-control-allow-origin", b"*")])
        async with selling(shop, handler) as client:
            plain = await client.options("/paid")
            asks = {"Origin": "https://a.example", "Access-Control-Request-Method": "GET"}
            preflight = await client.options("/paid", headers=asks)
        assert plain.status_code == 405
        assert preflight.status_code == 200 and preflight.content == b""
        assert preflight.headers["access-control-allow-origin"] == "*"

    asyncio.run(story())


def test_prices_are_told_over_tls_only_except_on_this_very_machine():
    async def story():
        handler = Counter()
        for trusted, headers, status in (
            ([], {"X-Forwarded-Proto": "https"}, 403),
            ([], {"X-Forwarded-For": "203.0.113.9"}, 403),
            (["127.0.0.0/8"], {"X-Forwarded-Proto": "http"}, 403),
            (["127.0.0.0/8"], {"X-Forwarded-Proto": "https"}, 402),
            (["10.0.0.0/8"], {"X-Forwarded-Proto": "https"}, 403),
            ([], {}, 402),
        ):
            shop = Shop(trusted_proxies=trusted)
            async with selling(shop, handler, proxy_headers=False) as client:
                answer = await client.get("/paid", headers=headers)
            assert answer.status_code == status, (trusted, headers)
            if status == 403:
                assert answer.json()["code"] == "tls-required"
                assert "www-authenticate" not in answer.headers
        assert handler.runs == 0

    asyncio.run(story())


def test_the_payee_of_an_offer_is_who_is_paid():
    async def story():
        other = PAYEE[:-1] + "1"
        shop = Shop(PRICES + f'payee = "{other}"\n')
        async with selling(shop, Counter()) as client:
            assert (await shop.pay(client, "GET", "/paid")).status_code == 200
        assert shop.hub.balances[other] == 1500 and shop.earned == 0

    asyncio.run(story())
