"""What is listed leads nowhere but where it says."""

import pytest

from farthing.core.listings import (
    is_route_template,
    listing_origin,
    listing_path,
    listing_url,
)
from farthing.errors import Malformed


@pytest.mark.parametrize(
    "text", ["https://shop.example", "https://a.b-c.example:8443", "https://xn--bcher-kva.example"]
)
def test_an_origin_is_https_and_a_public_name(text: str):
    assert listing_origin(text) == text


@pytest.mark.parametrize(
    "text",
    [
        "http://shop.example", "https://shop.example/", "https://shop.example/a", "//shop.example",
        "https://shop.example?x", "https://me@shop.example", "https://me:pw@shop.example",
        "https://localhost", "https://a.localhost", "https://x.localdomain", "https://shop",
        "https://127.0.0.1", "https://10.1.2.3:8000", "https://[::1]", "https://0x7f.1",
        "https://2130706433", "https://shop.example:0", "https://shop.example:99999",
        "https://Shop.example", "https://bücher.example", "https://shop..example",
        "https://-a.example", "https://shop.example\n", " https://shop.example", "shop.example",
        "javascript:alert(1)", "https://" + "a" * 64 + ".example",
        "https://" + "a." * 120 + "example",
        "https://shop.example#x", "https://shop.example\\@evil.example", "https://a.0x",
    ],
)  # fmt: skip
def test_whatever_else_an_origin_could_be_is_refused(text: str):
    with pytest.raises(Malformed) as told:
        listing_origin(text)
    assert told.value.code == "malformed-listing"


@pytest.mark.parametrize(
    ("text", "good"),
    [
        ("/users/:userId", True), ("/weather/:country/:city", True), ("/a-b_c.d~e/%20", True),
        ("", False), ("users/:id", False), ("http://evil.example", False), ("/", False),
        ("/users/../admin", False), ("/users/%2e%2e/admin", False), ("/a/%252e%252e/b", False),
        ("/a/%25252e%25252e", False), ("/x://evil.example", False), ("/x%3a%2f%2fevil", False),
        ("/a b", False), ("/a?b", False), ("/a#b", False), ("/a\\b", False), ("/é", False),
        ("/a\n", False), ("/" + "%25" * 7 + "2e", True), ("/%" + "25" * 6 + "2e%2e", False),
    ],
)  # fmt: skip
def test_a_route_template_stays_within_its_origin(text: str, good: bool):
    assert is_route_template(text) is good


def test_patterns_become_templates():
    assert listing_path("/sensors/{name}/now") == "/sensors/:name/now"
    assert listing_path("/files/*") == "/files/:rest"
    assert listing_url("https://shop.example", "/a/{b}") == "https://shop.example/a/:b"
    assert listing_url("https://shop.example", "/") == "https://shop.example/"
    for pattern in ("/a/!x", "/a/%2e%2e/b", "/a//b", "/a(b)"):
        with pytest.raises(Malformed):
            listing_url("https://shop.example", pattern)
