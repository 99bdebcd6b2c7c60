"""The published vectors hold, and are what the generator writes."""

import hashlib
import json
from typing import Any

import pytest

from farthing import ids, keys
from farthing.clock import parse_time
from farthing.codec import from_base64url
from farthing.core.orders import order_from_members, payment_id
from farthing.core.promises import promised_by, ticked
from farthing.core.sessions import opening_of
from farthing.core.tariffs import owed, read_tariff
from farthing.core.ticks import read_tick
from farthing.core.vouchers import Agreed, read_voucher
from farthing.errors import Malformed
from farthing.protocols import client
from farthing.protocols.base import BadCredential, Terms
from farthing.protocols.mpp import Mpp
from farthing.protocols.x402 import X402
from farthing.protocols.x402_batch import batch_ask, read_payload

from . import make_vectors

FILES = {
    name: json.loads((make_vectors.FOLDER / f"{name}.json").read_text())
    for name in ("orders", "signatures", "mpp", "x402", "sessions", "batch")
}


def named(cases: list[dict[str, Any]]) -> Any:
    return pytest.mark.parametrize("case", cases, ids=[case["name"] for case in cases])


@pytest.mark.parametrize("name", FILES)
def test_the_published_files_are_what_the_generator_writes(name: str):
    assert FILES[name] == json.loads(json.dumps(make_vectors.all_vectors()[name]))


@named(FILES["orders"]["good"])
def test_an_order_signs_to_these_bytes(case: dict[str, Any]):
    order = order_from_members(case["members"])
    assert order.members() == case["members"]
    assert order.signed_bytes().decode() == case["signed_text"]
    assert order.signed_bytes().hex() == case["signed_hex"]
    assert ids.name("pay", payment_id(order)) == case["payment"]
    public = FILES["signatures"]["seeds"]["ed25519"]["public"]
    assert keys.verify(public, from_base64url(case["ed25519_signature"]), order.signed_bytes())


@named(FILES["orders"]["bad"])
def test_this_is_no_order(case: dict[str, Any]):
    with pytest.raises(Malformed):
        order_from_members(case["members"])


@pytest.mark.rule("rfc8032.keys", on="hub")
@named(FILES["signatures"]["keys"])
def test_a_key_is_usable_or_not(case: dict[str, Any]):
    if case["usable"]:
        assert keys.check_public_key(case["public"]) == case["public"]
    else:
        with pytest.raises(Malformed):
            keys.check_public_key(case["public"])


@pytest.mark.rule("asvs.9.1.1", "farthing.one-verdict", "trap.small-order", on="hub")
@named(FILES["signatures"]["signatures"])
def test_there_is_one_verdict_on_a_signature(case: dict[str, Any]):
    message = bytes.fromhex(FILES["signatures"]["message_hex"])
    signature = from_base64url(case["signature"])
    assert keys.verify(case["public"], signature, message) == case["valid"]


def check(case: dict[str, Any], read: Any, public: str) -> None:
    if not case["readable"]:
        with pytest.raises(BadCredential) as caught:
            read()
        assert (caught.value.code, caught.value.answer_status) == (case["code"], case["status"])
        return
    signed = read()
    valid = keys.verify(public, signed.signature, signed.order.signed_bytes())
    assert valid == case["signature_valid"]


@named(FILES["mpp"]["credentials"])
def test_an_mpp_credential_gets_this_verdict(case: dict[str, Any]):
    file = FILES["mpp"]
    language = Mpp([bytes.fromhex(file["secret_hex"])])
    terms = Terms(**(file["terms"] | case["terms"]))
    now_ns = parse_time(file["now"]) * 1_000_000_000
    headers = {"authorization": case["authorization"]}
    check(case, lambda: language.read(headers, terms, now_ns), file["public"])


@named(FILES["x402"]["payloads"])
def test_an_x402_payload_gets_this_verdict(case: dict[str, Any]):
    file = FILES["x402"]
    terms = Terms(**(file["terms"] | case["terms"]))
    now_ns = parse_time(file["now"]) * 1_000_000_000
    headers = {"payment-signature": case["payment_signature"]}
    check(case, lambda: X402().read(headers, terms, now_ns), file["public"])


@pytest.mark.parametrize(
    ("file", "field"), [("mpp", "www-authenticate"), ("x402", "payment-required")]
)
def test_a_payer_makes_the_published_order_of_the_published_402(file: str, field: str):
    content = FILES[file]
    sent = content["challenge"] if file == "mpp" else content["payment_required"]
    [ask] = client.asks([(field, sent)])
    now_ns = parse_time(content["now"]) * 1_000_000_000
    order = ask.order(content["order"]["device"], now_ns, lambda: content["order"]["nonce"])
    assert order.members() == content["order"]


@named(FILES["sessions"]["tariffs"])
def test_a_tariff_is_named_and_costs_this(case: dict[str, Any]):
    tariff = read_tariff(case["members"])
    assert tariff.written().decode() == case["canonical"]
    assert tariff.digest() == from_base64url(case["hash"])
    assert {count: str(owed(tariff, int(count))) for count in case["owed"]} == case["owed"]


def test_an_opening_is_written_like_this():
    case = FILES["sessions"]["opening"]
    opening = opening_of(case["resource"])
    assert opening is not None
    assert opening.resource() == case["resource"]
    assert opening.lifetime_seconds == case["lifetime_seconds"]
    assert opening.grace_seconds == case["grace_seconds"]
    assert opening.purpose == case["purpose"]


@pytest.mark.parametrize("case", FILES["sessions"]["good"], ids=lambda case: case["units"])
def test_a_voucher_signs_to_these_bytes(case: dict[str, Any]):
    said = FILES["sessions"]["agreed"]
    tariff = from_base64url(said["tariff"])
    agreed = Agreed(said["session"], said["payee"], said["asset"], tariff)
    voucher = read_voucher(bytes.fromhex(case["voucher_hex"]))
    assert agreed.signed_along().hex() == said["signed_along_hex"]
    assert voucher.signed_bytes(agreed).hex() == case["signed_hex"]
    assert voucher.claims.alias.hex() == case["alias_hex"]
    assert (str(voucher.claims.units), voucher.claims.expiry) == (case["units"], case["expiry"])
    public = FILES["sessions"]["public"]
    assert keys.verify(public, voucher.signature, bytes.fromhex(case["signed_hex"]))


@pytest.mark.parametrize("case", FILES["sessions"]["ladder"]["ticks"], ids=lambda c: c["promised"])
def test_a_tick_promises_this_by_the_voucher_that_commits_to_its_ladder(case: dict[str, Any]):
    file = FILES["sessions"]["ladder"]
    voucher = read_voucher(bytes.fromhex(file["voucher_hex"]))
    ladder = voucher.claims.ladder
    said = bytes.fromhex(file["anchor_hex"]), int(file["each"]), file["most"]
    assert (ladder, str(voucher.claims.units)) == (said, file["units"])
    public = FILES["sessions"]["public"]
    assert keys.verify(public, voucher.signature, bytes.fromhex(file["signed_hex"]))
    tick = read_tick(bytes.fromhex(case["tick_hex"]))
    promise = ticked(promised_by(voucher.claims, b""), tick)
    assert (tick.ticks, str(promise.units)) == (case["count"], case["promised"])
    value = bytes.fromhex(file["seed_hex"])
    for _ in range(file["most"] - case["count"]):
        value = hashlib.sha256(b"farthing-tick-1\n" + tick.alias + value).digest()[:16]
    assert value == tick.value


@named(FILES["sessions"]["bad"])
def test_this_is_no_voucher(case: dict[str, Any]):
    with pytest.raises(Malformed):
        read_voucher(bytes.fromhex(case["voucher_hex"]))


@named(FILES["batch"]["good"])
def test_a_payload_pays_for_a_request_of_a_session(case: dict[str, Any]):
    file = FILES["batch"]
    ask = batch_ask(file["required"])
    assert ask.tariff.members() == file["tariff"]
    assert ask.tariff.digest() == from_base64url(file["tariff_hash"])
    brought = read_payload({"x402Version": 2, "payload": case["payload"]}, ask)
    assert brought.session == file["session"]
    agreed = Agreed(brought.session, ask.payee, ask.asset, ask.tariff.digest())
    voucher = read_voucher(brought.voucher)
    assert keys.verify(file["public"], voucher.signature, voucher.signed_bytes(agreed))


@named(FILES["batch"]["bad"])
def test_this_pays_for_no_request(case: dict[str, Any]):
    with pytest.raises(Malformed):
        read_payload({"x402Version": 2, "payload": case["payload"]}, batch_ask(case["required"]))
