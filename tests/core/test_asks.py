"""An ask's key is in the books of before: it is made of the same text in every version."""

import hashlib
from types import SimpleNamespace

import pytest

from farthing.codec import to_base64url
from farthing.core.asks import ask_key

WISH = SimpleNamespace(device="dev_1", payee="acc_2", asset="USD", amount=700, resource="/tea")


@pytest.mark.parametrize(
    ("serves", "text"),
    [
        (True, b"dev_1\nacc_2\nUSD\n700\n/tea"),
        (False, b"dev_1\nacc_2\nUSD\n700\n/tea\nserves nobody"),
    ],
)
def test_an_ask_is_named_by_what_is_wished_and_whether_something_is_served(serves, text):
    assert ask_key(WISH, serves) == to_base64url(hashlib.sha256(text).digest())
