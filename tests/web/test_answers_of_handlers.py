"""What a handler says about caching and payment, and what of it a buyer gets to see."""

import asyncio

import pytest

from farthing.web.caching import private

from .shop import Counter, Shop, selling


def paid_through(status: int, headers: list[tuple[bytes, bytes]]):
    async def story():
        shop, handler = Shop(), Counter(status, b"goods", headers)
        async with selling(shop, handler) as client:
            return await shop.pay(client, "GET", "/paid"), shop

    return asyncio.run(story())


SHARED = [
    (b"cache-control", b"public, s-maxage=60, max-age=5"),
    (b"cdn-cache-control", b"max-age=60"),
    (b"cloudflare-cdn-cache-control", b"max-age=60"),
    (b"netlify-cdn-cache-control", b"max-age=60"),
    (b"surrogate-control", b"max-age=60"),
    (b"edge-control", b"max-age=60"),
    (b"x-accel-expires", b"60"),
]


@pytest.mark.parametrize("status", [200, 206, 302, 404, 410, 500])
def test_no_answer_under_a_payment_is_kept_by_a_shared_cache(status):
    answer, _ = paid_through(status, SHARED)
    assert answer.status_code == status
    assert answer.headers["cache-control"] == "private, max-age=5"
    assert not {name.decode() for name, _ in SHARED[1:]} & set(answer.headers)


def test_a_word_about_shared_caches_hides_in_no_other_spelling():
    for told in (b"PUBLIC", b"Public ,max-age=5", b"max-age=5,S-MaxAge = 9", b"private=x"):
        [(_, kept)] = private([(b"cache-control", told)])
        assert kept in (b"private", b"private, max-age=5")


def test_a_handler_does_not_speak_of_payment():
    answer, shop = paid_through(
        200,
        [
            (b"payment-receipt", b"forged"),
            (b"payment-response", b"forged"),
            (b"payment-required", b"forged"),
            (b"www-authenticate", b'Payment id="forged"'),
            (b"www-authenticate", b'Basic realm="x"'),
        ],
    )
    assert answer.headers.get_list("www-authenticate") == ['Basic realm="x"']
    assert answer.headers["payment-receipt"] != "forged"
    assert "forged" not in str(answer.headers) and "payment-required" not in answer.headers
    assert shop.spent == 1500


def test_a_handler_that_asks_for_money_of_its_own_is_a_refusal():
    for challenge in (b'Payment id="x"', b'Basic realm="x", payment id="y"'):
        answer, shop = paid_through(402, [(b"www-authenticate", challenge)])
        assert answer.status_code == 403 and "www-authenticate" not in answer.headers
        assert shop.spent == 0
