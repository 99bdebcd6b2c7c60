"""MPP as a seller speaks it: what is asked, what is believed, and what each fault is called."""

import json
from typing import Any

import mpp as stock
import pytest

from farthing import ids, keys
from farthing.clock import write_time
from farthing.codec import canonical_json, from_base64url, read_json, to_base64url
from farthing.core.orders import SignedOrder, payment_id
from farthing.errors import BadConfig, InvariantBroken, Malformed
from farthing.protocols import client, fields
from farthing.protocols.base import BadCredential, Terms
from farthing.protocols.mpp import Mpp, challenge_id, check_realm

from .stand_in import DEVICE, HUB, NOW, PAYEE, SECRET, SIGNER, digest_of, receipt, terms

OTHER_SECRET = bytes(32)


def ask(language: Mpp, asked: Terms) -> client.Ask:
    [found] = client.asks(language.challenge(asked, NOW, None))
    return found


def sign(found: client.Ask) -> SignedOrder:
    order = found.order(DEVICE, NOW, lambda: "unused")
    return SignedOrder(order, SIGNER.sign(order.signed_bytes()))


def credential(language: Mpp, asked: Terms) -> dict[str, str]:
    found = ask(language, asked)
    return dict(found.credential(sign(found)))


def opened(headers: dict[str, str]) -> dict[str, Any]:
    return read_json(from_base64url(headers["authorization"].removeprefix("Payment ")))


def closed(message: Any) -> dict[str, str]:
    return {"authorization": "Payment " + to_base64url(canonical_json(message))}


def refused(headers: dict[str, str], asked: Terms, language: Mpp | None = None) -> BadCredential:
    with pytest.raises(BadCredential) as caught:
        (language or Mpp([SECRET])).read(headers, asked, NOW)
    return caught.value


def test_what_is_asked_is_signed_and_read_back_to_the_unit():
    language = Mpp([SECRET])
    found = ask(language, terms())
    signed = sign(found)
    read = language.read(dict(found.credential(signed)), terms(), NOW)
    assert read == signed
    assert read.order.hub == HUB
    assert read.order.payee == PAYEE
    assert read.order.amount == 1500
    assert read.order.challenge == found.challenge
    assert read.order.nonce == found.nonce
    assert read.order.expires == NOW // 1_000_000_000 + 300
    assert read.order.resource == "GET /weather?city=Oslo"
    assert keys.verify(SIGNER.public, read.signature, read.order.signed_bytes())


def test_the_challenge_is_what_the_stock_package_reads_and_would_have_bound():
    [(name, value)] = Mpp([SECRET]).challenge(terms(), NOW, None)
    read = stock.Challenge.from_www_authenticate(value)
    assert name == "www-authenticate"
    assert read.realm == "shop.example"
    assert read.expires == write_time(NOW // 1_000_000_000 + 300)
    assert read.request == {
        "amount": "1500",
        "currency": "USD",
        "description": "The weather in Oslo",
        "methodDetails": {"hub": HUB, "resource": "GET /weather?city=Oslo"},
        "recipient": PAYEE,
    }
    assert set(read.opaque) == {"nonce"}
    assert read.verify(SECRET.decode("latin-1"), "shop.example")


def test_every_challenge_has_its_own_nonce_and_the_nonce_tells_the_time():
    first, second = ask(Mpp([SECRET]), terms()), ask(Mpp([SECRET]), terms())
    assert first.nonce != second.nonce
    assert first.challenge != second.challenge
    assert ids.time_ms(ids.decode(first.nonce)) == NOW // 1_000_000


def test_the_same_random_bits_give_the_same_challenge():
    one, other = (Mpp([SECRET], random_bits=lambda _: 7) for _ in range(2))
    assert one.challenge(terms(), NOW, None) == other.challenge(terms(), NOW, None)


def test_a_challenge_of_the_previous_secret_is_believed_and_one_of_a_dropped_secret_is_not():
    headers = credential(Mpp([SECRET]), terms())
    assert Mpp([OTHER_SECRET, SECRET]).read(headers, terms(), NOW)
    assert refused(headers, terms(), Mpp([OTHER_SECRET])).code == "invalid-challenge"


@pytest.mark.parametrize("secrets", [[], [b"short"], [SECRET, b"short"]])
def test_a_short_or_missing_secret_is_refused_at_start(secrets: list[bytes]):
    with pytest.raises(BadConfig):
        Mpp(secrets)


@pytest.mark.parametrize("realm", ["", "a|b", "a\nb", "caf\u00e9", " a", "x" * 256])
def test_a_realm_that_could_shift_a_slot_is_refused(realm: str):
    with pytest.raises(BadConfig):
        check_realm(realm)
    with pytest.raises(BadConfig):
        Mpp([SECRET]).challenge(terms(realm=realm), NOW, None)


@pytest.mark.parametrize("slot", ["id", "realm", "request", "expires", "opaque"])
def test_any_changed_parameter_is_another_challenge(slot: str):
    message = opened(credential(Mpp([SECRET]), terms()))
    value = message["challenge"][slot]
    message["challenge"][slot] = ("B" if value[0] == "A" else "A") + value[1:]
    fault = refused(closed(message), terms())
    assert (fault.code, fault.answer_status) == ("invalid-challenge", 402)


@pytest.mark.parametrize("slot", ["expires", "opaque"])
def test_a_dropped_parameter_is_another_challenge(slot: str):
    message = opened(credential(Mpp([SECRET]), terms()))
    del message["challenge"][slot]
    assert refused(closed(message), terms()).code == "invalid-challenge"


def test_slots_cannot_be_shifted_by_a_bar():
    message = opened(credential(Mpp([SECRET]), terms()))
    challenge = message["challenge"]
    challenge["expires"] = challenge["expires"] + "|"
    challenge["id"] = challenge_id(SECRET, challenge)
    assert refused(closed(message), terms()).code == "invalid-challenge"


def test_a_bound_challenge_of_another_shape_is_not_paid():
    challenge = {
        "realm": "shop.example",
        "method": "farthing",
        "intent": "charge",
        "request": to_base64url(b'{"amount":"1"}'),
    }
    challenge["id"] = challenge_id(SECRET, challenge)
    message = {"challenge": challenge, "payload": {"device": DEVICE, "signature": "A" * 86}}
    assert refused(closed(message), terms()).code == "invalid-challenge"


@pytest.mark.parametrize(
    "changed",
    [
        {"realm": "other.example"},
        {"hub": "another"},
        {"resource": "GET /weather?city=Bergen"},
        {"resource": "POST /weather?city=Oslo"},
        {"payee": "acc_01kaw1f2800000000000000001"},
        {"asset": "EUR"},
    ],
)
def test_a_challenge_for_other_terms_is_refused(changed: dict[str, str]):
    fault = refused(credential(Mpp([SECRET]), terms(**changed)), terms())
    assert (fault.code, fault.answer_status) == ("invalid-challenge", 402)
    assert (fault.stale is not None) == (set(changed) <= {"payee", "asset"})


def test_the_challenged_price_is_honoured_after_the_price_list_changed():
    headers = credential(Mpp([SECRET]), terms(amount=1500))
    assert Mpp([SECRET]).read(headers, terms(amount=2000), NOW).order.amount == 1500


def test_an_expired_challenge_is_still_read_because_it_may_already_be_paid():
    language = Mpp([SECRET])
    headers = credential(language, terms())
    late = NOW + 3600 * 1_000_000_000
    assert language.read(headers, terms(), late).order.expires < late // 1_000_000_000


def test_another_body_than_the_one_asked_for_is_refused():
    asked = terms(body_digest=digest_of(b"one"))
    headers = credential(Mpp([SECRET]), asked)
    assert Mpp([SECRET]).read(headers, asked, NOW)
    for body in (b"two", b""):
        fault = refused(headers, terms(body_digest=digest_of(body)))
        assert fault.code == "verification-failed"
    bodiless = credential(Mpp([SECRET]), terms())
    assert refused(bodiless, asked).code == "verification-failed"


def test_a_digest_of_another_form_is_not_written():
    with pytest.raises(Malformed):
        Mpp([SECRET]).challenge(terms(body_digest="md5=:x:"), NOW, None)


def test_the_payments_id_follows_from_the_challenge_alone():
    found = ask(Mpp([SECRET]), terms())
    other = found.order("dev_01kaw1f2810000000000000001", NOW, str)
    assert payment_id(sign(found).order) == payment_id(other)


@pytest.mark.parametrize(
    "value",
    [
        "Payment",
        "Payment ",
        "Payment !!!",
        "Payment e30=",
        "Payment e30",
        "Payment bnVsbA",
        "Payment W10",
        'Payment "e30"',
        'Payment e30, x="y"',
        'Payment "open',
        "payment " + to_base64url(b'{"challenge":{},"payload":{}}'),
        "Payment " + to_base64url(b'{"challenge":[],"payload":{}}'),
        "Payment " + to_base64url(b'{"challenge":{}}'),
        "Payment " + to_base64url(b'{"challenge":{},"challenge":{},"payload":{}}'),
        "Payment " + "A" * 20_000,
        "Payment " + to_base64url(b"[" * 5000),
        "Payment " + to_base64url(b"\xff"),
    ],
)
def test_what_cannot_be_read_is_a_402_malformed_credential(value: str):
    fault = refused({"authorization": value}, terms())
    assert (fault.code, fault.answer_status) == ("malformed-credential", 402)
    assert Mpp([SECRET]).carries({"authorization": value})


@pytest.mark.parametrize(
    "payload",
    [
        {},
        {"device": DEVICE},
        {"device": DEVICE, "signature": "A" * 86, "amount": "1"},
        {"device": DEVICE, "signature": 1},
        {"device": None, "signature": "A" * 86},
        {"device": "dev_x", "signature": "A" * 86},
        {"device": PAYEE, "signature": "A" * 86},
        {"device": DEVICE, "signature": "A" * 85},
        {"device": DEVICE, "signature": "A" * 88},
        {"device": DEVICE, "signature": "A" * 85 + "B"},
        {"device": DEVICE, "signature": "=" * 86},
    ],
)
def test_our_own_payload_is_strict(payload: dict[str, Any]):
    message = opened(credential(Mpp([SECRET]), terms()))
    message["payload"] = payload
    assert refused(closed(message), terms()).code == "malformed-credential"


@pytest.mark.parametrize("name", ["id", "realm", "method", "intent", "request", "expires"])
@pytest.mark.parametrize("value", [1, None, [], {}, True])
def test_challenge_parameters_are_text(name: str, value: Any):
    message = opened(credential(Mpp([SECRET]), terms()))
    message["challenge"][name] = value
    assert refused(closed(message), terms()).code == "malformed-credential"


def test_unknown_members_of_the_envelope_are_ignored():
    message = opened(credential(Mpp([SECRET]), terms()))
    message |= {"source": "did:key:z6Mk", "later": {"a": [1]}}
    message["challenge"]["description"] = "shown to people"
    assert Mpp([SECRET]).read(closed(message), terms(), NOW)


@pytest.mark.parametrize("changed", [{"method": "tempo"}, {"intent": "session"}])
def test_another_method_is_named_as_such(changed: dict[str, str]):
    message = opened(credential(Mpp([SECRET]), terms()))
    message["challenge"] |= changed
    fault = refused(closed(message), terms())
    assert (fault.code, fault.answer_status) == ("method-unsupported", 400)


def test_several_payment_credentials_are_a_400():
    value = credential(Mpp([SECRET]), terms())["authorization"]
    fault = refused({"authorization": f"{value}, {value}"}, terms())
    assert (fault.code, fault.answer_status) == ("several-credentials", 400)


def test_a_payment_credential_stands_beside_another_scheme():
    value = credential(Mpp([SECRET]), terms())["authorization"]
    for both in (f"Bearer abc==, {value}", f"{value}, Bearer abc", f'Digest a="b,c", d=e, {value}'):
        assert Mpp([SECRET]).read({"authorization": both}, terms(), NOW)
        assert "Payment" not in fields.without(both, "payment")
    assert fields.without(f'Digest a="b,c", d=e, {value}', "payment") == 'Digest a="b,c", d=e'
    assert fields.without(value, "payment") == ""


@pytest.mark.parametrize("value", ["", "Bearer abc", "Basic cGF5bWVudA==", 'Bearer x="Payment y"'])
def test_other_authorization_is_not_taken_for_a_payment(value: str):
    assert not Mpp([SECRET]).carries({"authorization": value})


def test_faults_name_the_drafts_problem_types_and_show_no_credential():
    headers = credential(Mpp([SECRET]), terms())
    fault = refused(headers, terms(realm="other"))
    problem = fault.problem()
    assert problem["type"] == "https://paymentauth.org/problems/invalid-challenge"
    assert problem["status"] == 402
    message = opened(headers)
    written = json.dumps(problem)
    assert message["payload"]["signature"] not in written
    assert message["challenge"]["id"] not in written


def test_an_ask_that_has_expired_is_not_signed():
    found = ask(Mpp([SECRET]), terms())
    with pytest.raises(Malformed) as caught:
        found.order(DEVICE, NOW + 300 * 1_000_000_000, str)
    assert caught.value.code == "challenge-expired"


def test_the_receipt_is_what_the_stock_package_and_our_client_read():
    headers = Mpp([SECRET]).receipt(receipt())
    read = stock.Receipt.from_payment_receipt(dict(headers)["payment-receipt"])
    assert (read.status, read.method) == ("success", "farthing")
    assert read.reference == receipt()["statement"]["payment"]
    assert client.read_receipt(headers) == {
        "language": "mpp",
        "payment": read.reference,
        "receipt": receipt(),
    }


@pytest.mark.parametrize("broken", [{}, {"statement": {}}, {"statement": receipt()["statement"]}])
def test_what_is_no_receipt_of_the_hub_is_not_sent(broken: dict[str, Any]):
    with pytest.raises(InvariantBroken):
        Mpp([SECRET]).receipt(broken)
