"""A device's signed request: made, read, checked; and everything that is not one."""

import base64
from types import SimpleNamespace

import msgspec
import pytest

from farthing import keys
from farthing.errors import TooMuch, Unauthenticated, Unavailable
from farthing.protocols import message_signatures as signatures
from farthing.protocols.message_signatures import SeenNonces, SignedMessage

NOW = 1_800_000_000
DEVICE = "dev_01kajk0000abcdefghjkmnpqrs"
ED = keys.Ed25519Signer(bytes(range(32)))
P256 = keys.P256Signer(bytes(range(1, 33)))

RFC_ED25519 = keys.Ed25519Signer(
    bytes.fromhex("9f8362f87a484a954e6e740c5b4c0e84229139a20aa8ab56ff66586f6a7d29c5")
)
RFC_P256 = keys.P256Signer(
    bytes.fromhex("529b85f3597e90ec5b8dfed3e26352bf4af9b4debb1a29bbae77fa105a5c603b")
)
P256_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551


def get(target="/v1/payments/pay_1", **changes):
    parts = {"method": "GET", "authority": "hub.example", "target": target, "headers": {}}
    return SignedMessage(**(parts | changes))


def post(body=b'{"a":1}', **changes):
    return get("/v1/x?y=1", **({"method": "POST", "body": body} | changes))


def signed(message, signer=ED, now_s=NOW, nonce="n-1"):
    added = signatures.sign_request(signer, DEVICE, message, now_s=now_s, nonce=nonce)
    return msgspec.structs.replace(message, headers={**message.headers, **dict(added)})


def check(message, public=ED.public, now_s=NOW):
    claim = signatures.read_claim(message.headers)
    return signatures.verify_request(claim, message, public, now_s=now_s)


def refused(message, **how):
    with pytest.raises(Unauthenticated) as caught:
        check(message, **how)
    return caught.value.code


def changed(message, **changes):
    return msgspec.structs.replace(message, **changes)


def with_header(message, name, old, new):
    value = message.headers[name]
    assert old in value
    return changed(message, headers={**message.headers, name: value.replace(old, new)})


def test_the_ed25519_example_of_rfc_9421_b_2_6_gives_the_same_signature():
    parameters = (
        '("date" "@method" "@path" "@authority" "content-type" "content-length")'
        ';created=1618884473;keyid="test-key-ed25519"'
    )
    base = signatures.signature_base(
        [
            ("date", "Tue, 20 Apr 2021 02:07:55 GMT"),
            ("@method", "POST"),
            ("@path", "/foo"),
            ("@authority", "example.com"),
            ("content-type", "application/json"),
            ("content-length", "18"),
        ],
        parameters,
    )
    expected = (
        "wqcAqbmYJ2ji2glfAMaRy4gruYYnx2nEFN2HN6jrnDnQCK1u02Gb04v9EDgwUPiu4A0w6vuQv5lIp5WPpBKRCw=="
    )
    assert base64.b64encode(RFC_ED25519.sign(base)).decode() == expected
    assert keys.verify(RFC_ED25519.public, base64.b64decode(expected), base)


def test_the_p256_example_of_rfc_9421_b_2_4_holds_once_its_s_is_made_low():
    base = signatures.signature_base(
        [
            ("@status", "200"),
            ("content-type", "application/json"),
            (
                "content-digest",
                (
                    "sha-512=:mEWXIS7MaLRuGgxOBdODa3xqM1XdEvxoYhvlCFJ41QJgJc4GTsPp29l5oGX69wWdXymyU0rj"
                    "Juahq4l5aGgfLQ==:"
                ),
            ),
            ("content-length", "23"),
        ],
        '("@status" "content-type" "content-digest" "content-length")'
        ';created=1618884473;keyid="test-key-ecc-p256"',
    )
    raw = base64.b64decode(
        "wNmSUAhwb5LxtOtOpNa6W5xj067m5hFrj0XQ4fvpaCLx0NKocgPquLgyahnzDnDAUy5eCdlYUEkLIj+32oiasw=="
    )
    low = (P256_ORDER - int.from_bytes(raw[32:], "big")).to_bytes(32, "big")
    assert not keys.verify(RFC_P256.public, raw, base)
    assert keys.verify(RFC_P256.public, raw[:32] + low, base)


@pytest.mark.parametrize("signer", [ED, P256], ids=["ed25519", "p256"])
@pytest.mark.parametrize("message", [get(), get("/?"), get("/x?a=%20b&c"), post()])
def test_a_signed_request_is_recognised(signer, message):
    claim = check(signed(message, signer), signer.public)
    assert (claim.key_id, claim.nonce, claim.created) == (DEVICE, "n-1", NOW)


def test_the_body_is_covered_by_its_digest():
    assert "content-digest" in check(signed(post())).covered
    assert "content-digest" not in check(signed(get())).covered


@pytest.mark.parametrize(
    "change",
    [
        {"method": "DELETE"},
        {"authority": "evil.example"},
        {"target": "/v1/x?y=2"},
        {"target": "/v1/z?y=1"},
        {"target": "/v1/x"},
    ],
    ids=lambda change: "-".join(change.values()),
)
def test_a_signature_does_not_fit_any_other_request(change):
    assert refused(changed(signed(post()), **change)) == "signature-invalid"


@pytest.mark.rule("trap.body-beside-signature", on="hub")
def test_another_body_is_refused():
    assert refused(changed(signed(post()), body=b'{"a":2}')) == "content-digest-mismatch"


@pytest.mark.rule("rfc9421.components", on="hub")
def test_a_body_smuggled_into_a_signed_get_is_refused():
    assert refused(changed(signed(get()), body=b"{}")) == "signature-incomplete"


def test_a_swapped_digest_header_breaks_the_signature():
    message = signed(post())
    digest = signatures.content_digest(b"other")
    forged = changed(message, body=b"other", headers={**message.headers, "content-digest": digest})
    assert refused(forged) == "signature-invalid"


def test_another_key_is_refused():
    assert refused(signed(get()), public=RFC_ED25519.public) == "signature-invalid"
    assert refused(signed(get()), public=P256.public) == "signature-invalid"


@pytest.mark.rule("rfc9421.algorithm", on="hub")
def test_the_algorithm_follows_the_enrolled_key_and_not_the_message():
    message = with_header(signed(get()), "signature-input", '"ed25519"', '"ecdsa-p256-sha256"')
    assert refused(message) == "signature-invalid"
    mislabelled = SimpleNamespace(public=P256.public, sign=ED.sign)
    assert refused(signed(get(), mislabelled)) == "signature-invalid"


@pytest.mark.rule("rfc9421.time", on="hub")
@pytest.mark.parametrize(("later", "good"), [(-61, False), (-60, True), (60, True), (61, False)])
def test_a_signature_lives_for_a_minute_on_either_side(later, good):
    message = signed(get())
    if good:
        check(message, now_s=NOW + later)
    else:
        assert refused(message, now_s=NOW + later) == "signature-expired"


@pytest.mark.rule("rfc9421.time", on="hub")
def test_a_signature_that_promises_itself_a_day_is_refused():
    message = with_header(signed(get()), "signature-input", f"{NOW + 60}", f"{NOW + 86400}")
    assert refused(message) == "signature-expired"


@pytest.mark.rule("rfc9421.components", on="hub")
@pytest.mark.parametrize("name", ["@method", "@authority", "@path", "@query"])
def test_every_part_must_be_covered(name):
    for listed in (f'"{name}" ', f' "{name}"'):
        message = signed(get())
        if listed in message.headers["signature-input"]:
            break
    assert refused(with_header(message, "signature-input", listed, "")) == "signature-incomplete"


@pytest.mark.parametrize("name", ["created", "expires", "nonce", "keyid", "alg"])
def test_every_parameter_must_be_there(name):
    message = signed(get())
    text = message.headers["signature-input"]
    start = text.index(f";{name}=")
    end = text.index(";", start + 1)
    short = changed(
        message, headers={**message.headers, "signature-input": text[:start] + text[end:]}
    )
    assert refused(short) == "signature-malformed"


def test_a_request_without_our_tag_carries_no_signature_for_us():
    message = with_header(signed(get()), "signature-input", 'tag="farthing"', 'tag="web-bot-auth"')
    assert refused(message) == "signature-missing"
    assert refused(get()) == "signature-missing"


def test_other_signatures_may_stand_beside_ours():
    message = signed(get())
    both = {
        "signature-input": 'proxy=("@method");created=1;keyid="k", '
        + message.headers["signature-input"],
        "signature": f"proxy=:AAAA:,\t{message.headers['signature']}",
    }
    assert check(changed(message, headers=both)).key_id == DEVICE


@pytest.mark.parametrize(
    ("header", "old", "new"),
    [
        ("signature-input", ";created", "; created"),
        ("signature-input", '"@path"', '"@path";sf'),
        ("signature-input", '"@path"', '"@PATH"'),
        ("signature-input", '"@path"', '"@path" "@path"'),
        ("signature-input", ";nonce", ";created=1;nonce"),
        ("signature-input", ";created=1", ";created=-1"),
        ("signature-input", ";created=", ';created="'),
        ("signature-input", "farthing=(", "farthing=(("),
        ("signature-input", 'tag="farthing"', 'tag="farthing",'),
        ("signature", "=:", "=;"),
        ("signature", "==:", "=:"),
        ("signature", "farthing=", "other="),
    ],
)
def test_what_cannot_be_read_is_refused_and_never_guessed_at(header, old, new):
    code = refused(with_header(signed(get()), header, old, new))
    assert code in ("signature-malformed", "signature-invalid")


def test_a_label_that_stands_twice_is_refused():
    message = signed(get())
    twice = {name: f"{value}, {value}" for name, value in message.headers.items()}
    assert refused(changed(message, headers=twice)) == "signature-malformed"


def test_a_huge_header_is_refused_unread():
    message = signed(get())
    huge = {**message.headers, "signature": "a=:" + "A" * 9000 + ":"}
    assert refused(changed(message, headers=huge)) == "signature-malformed"


def test_a_covered_header_that_was_taken_out_is_noticed():
    message = signed(post())
    headers = {k: v for k, v in message.headers.items() if k != "content-digest"}
    assert refused(changed(message, headers=headers)) == "signature-incomplete"


@pytest.mark.rule("rfc9421.nonce", on="hub")
def test_a_nonce_is_good_once_for_each_device():
    seen = SeenNonces()
    claim = check(signed(get()))
    seen.take(claim, NOW)
    with pytest.raises(Unauthenticated) as caught:
        seen.take(claim, NOW + 30)
    assert caught.value.code == "signature-replayed"
    seen.take(msgspec.structs.replace(claim, key_id="dev_other"), NOW)


def test_remembered_nonces_are_bounded_and_forgotten_once_they_cannot_matter():
    seen = SeenNonces(entries_max=3)
    for nonce in ("a", "b"):
        seen.take(check(signed(get(), nonce=nonce)), NOW)
    third = check(signed(get(), nonce="c"))
    with pytest.raises(Unavailable):
        seen.take(third, NOW)
    seen.take(third, NOW + 61)


def test_one_device_never_takes_the_room_that_others_need_for_their_nonces():
    seen = SeenNonces(entries_max=100)
    greedy = [check(signed(get(), nonce=f"n{i}")) for i in range(50)]
    for claim in greedy:
        seen.take(claim, NOW)
    one_more = check(signed(get(), nonce="one more"))
    with pytest.raises(TooMuch):
        seen.take(one_more, NOW)
    for number in range(40):
        seen.take(msgspec.structs.replace(one_more, key_id=f"dev_{number}"), NOW)
    with pytest.raises(Unauthenticated):
        seen.take(greedy[0], NOW)
