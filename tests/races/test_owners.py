"""What owners decide while payments are on their way: revoked at once, answered once, used once."""

import asyncio
import time
from collections import Counter
from typing import Any

import pytest

from farthing.codec import to_base64url
from farthing.core.devices import rotation_bytes
from farthing.keys import Signer, new_signer
from farthing.protocols.message_signatures import SignedMessage, sign_request
from tests.web.api.town import body_of, enrolment

from .market import PRICE, Buyer, Market
from .wire import Ask, Told, at_once

REVOKED = {"devices": "device-revoked", "mandates": "mandate-revoked"}


def amid(market: Market, bodies: list[Any], decisive: Ask) -> tuple[list[Told], Told]:
    """Post all bodies as payments at one moment, with one other request in their middle."""
    asks = market.asks("/v1/payments", bodies)
    half = len(asks) // 2
    told = asyncio.run(at_once([*asks[:half], decisive, *asks[half:]]))
    return [*told[:half], *told[half + 1 :]], told[half]


def events_of(market: Market, buyer: Buyer) -> list[tuple[str, str]]:
    """List what happened to a device's payments, and its owner's decision, in the book's order."""
    found, after = [], 0
    while items := market.shown(f"/v1/events?after={after}&limit=500")["items"]:
        found += items
        after = items[-1]["id"]
    ours = {buyer.device, buyer.mandate}
    return [
        (event["kind"], event["subject"])
        for event in found
        if event["subject"] in ours or event["body"].get("device") == buyer.device
    ]


@pytest.mark.rule("farthing.revocation", on="hub")
@pytest.mark.parametrize("noun", ["devices", "mandates"])
def test_nothing_new_is_taken_after_a_revocation_but_holds_that_stood_are_captured(
    market: Market, noun: str
):
    buyer = market.buyer()
    held = [market.hold(buyer) for _ in range(5)]
    ident = buyer.device if noun == "devices" else buyer.mandate
    [revoke] = market.asks(f"/v1/{noun}/{ident}/revoke", [None], **market.bearer)
    told, revoked = amid(market, [body_of(market.order(buyer)) for _ in range(200)], revoke)
    assert revoked.status == 200 and revoked.json["revoked_at"]
    assert {answer.code for answer in told if answer.status != 200} <= {REVOKED[noun]}
    late = market.post("/v1/payments", [body_of(market.order(buyer)) for _ in range(30)])
    assert {(answer.status, answer.code) for answer in late} == {(422, REVOKED[noun])}
    taken = sum(answer.status == 200 for answer in told)
    assert market.balance(buyer.account)["spent"] == taken * PRICE
    for payment in held:
        path = f"/v1/payments/{payment}/capture"
        captured = market.post(path, [None] * 4, **market.as_seller)
        assert {answer.status for answer in captured} == {200}
    assert market.spent(buyer) == (taken + len(held)) * PRICE
    happened = events_of(market, buyer)
    after = happened[happened.index((f"{noun[:-1]}.revoked", ident)) :]
    assert {payment for kind, payment in after if kind == "payment.captured"} == set(held)


def test_a_revoked_key_opens_nothing_once_its_revocation_was_answered(market: Market):
    made = market.made("/v1/keys", scopes=["owner"])
    bearer = {"authorization": f"Bearer {made['secret']}"}
    asks = market.asks("/v1/accounts", [{"asset": "USD"}] * 100, **bearer)
    [revoke] = market.asks(f"/v1/keys/{made['id']}/revoke", [None], **market.bearer)
    told = asyncio.run(at_once([*asks[:50], revoke, *asks[50:]]))
    assert told.pop(50).status == 200
    assert {answer.status for answer in told} <= {201, 401}
    late = market.post("/v1/accounts", [{"asset": "USD"}] * 20, **bearer)
    assert {(answer.status, answer.code) for answer in late} == {(401, "bad-key")}


def test_a_frozen_account_pays_nobody_once_the_freeze_was_answered(market: Market):
    buyer = market.buyer()
    [freeze] = market.asks(f"/v1/accounts/{buyer.account}/freeze", [None], **market.bearer)
    told, frozen = amid(market, [body_of(market.order(buyer)) for _ in range(100)], freeze)
    assert frozen.status == 200
    taken = sum(answer.status == 200 for answer in told)
    late = market.post("/v1/payments", [body_of(market.order(buyer)) for _ in range(20)])
    assert {(answer.status, answer.code) for answer in late} == {(422, "account-frozen")}
    assert market.spent(buyer) == taken * PRICE
    market.made(f"/v1/accounts/{buyer.account}/unfreeze")
    assert market.paid(buyer)


@pytest.mark.rule("owasp-api.6", on="hub")
def test_an_owner_who_says_yes_and_no_at_once_is_heard_once(market: Market):
    buyer, taken = market.buyer(ask_above="1"), 0
    for _ in range(5):
        body = body_of(market.order(buyer))
        [asked] = market.post("/v1/payments", [body])
        assert (asked.status, asked.json["state"]) == (202, "awaiting")
        path = f"/v1/payments/{asked.json['id']}"
        asks = [
            ask
            for _ in range(20)
            for verb in ("approve", "deny")
            for ask in market.asks(f"{path}/{verb}", [None], **market.bearer)
        ]
        told = asyncio.run(at_once(asks))
        yes, no = (Counter(answer.status for answer in side) for side in (told[::2], told[1::2]))
        assert bool(yes[200]) != bool(no[200])
        assert yes[200] + no[200] == yes[409] + no[409] == 20
        state = market.shown(path)["state"]
        assert state == ("captured" if yes[200] else "refused")
        taken += yes[200] > 0
        again = market.post("/v1/payments", [body] * 20)
        assert {answer.status for answer in again} == {200 if yes[200] else 422}
    assert market.spent(buyer) == taken * PRICE


@pytest.mark.rule("asvs.6.5.1", "owasp-api.6", on="hub")
def test_an_invitation_used_by_fifty_devices_at_once_enrols_one(market: Market):
    buyer = market.buyer()
    code = market.code(buyer.account, buyer.mandate)
    signers = [new_signer() for _ in range(50)]
    told = market.post("/v1/devices/enrol", [enrolment(code, signer) for signer in signers])
    assert Counter(answer.status for answer in told) == {201: 1, 403: 49}
    assert {answer.code for answer in told if answer.status == 403} == {"code-used"}
    mine = enrolment(market.code(buyer.account, buyer.mandate), new_signer())
    told = market.post("/v1/devices/enrol", [mine] * 50)
    assert {answer.status for answer in told} == {201}
    assert len({answer.json["device"] for answer in told}) == 1
    ours = [d for d in market.shown("/v1/devices?limit=500")["items"]
            if d["account"] == buyer.account]  # fmt: skip
    assert len(ours) == 3  # The buyer's own, and one for each code.


def rotation(buyer: Buyer, new: Signer) -> dict[str, str]:
    """Write the body that puts a new key in the place of the device's first."""
    message = rotation_bytes(buyer.device, new.public)
    return {
        "public_key": new.public,
        "signature_old": to_base64url(buyer.signer.sign(message)),
        "signature_new": to_base64url(new.sign(message)),
    }


def test_of_fifty_rotations_at_once_one_names_the_next_key(market: Market):
    buyer = market.buyer()
    path = f"/v1/devices/{buyer.device}/rotate"
    told = market.post(path, [rotation(buyer, new_signer()) for _ in range(50)])
    assert Counter(answer.status for answer in told) == {200: 1, 403: 49}
    assert {a.code for a in told if a.status == 403} <= {"not-the-newest-key", "bad-signature"}
    keys = market.shown(f"/v1/devices/{buyer.device}")["keys"]
    [made] = [answer for answer in told if answer.status == 200]
    assert [key["public_key"] for key in keys] == [
        made.json["keys"][0]["public_key"],
        buyer.signer.public,
    ]


def test_one_rotation_sent_fifty_times_at_once_is_one(market: Market):
    buyer = market.buyer()
    body = rotation(buyer, new_signer())
    told = market.post(f"/v1/devices/{buyer.device}/rotate", [body] * 50)
    assert {answer.status for answer in told} == {200}
    assert len(market.shown(f"/v1/devices/{buyer.device}")["keys"]) == 2


def test_a_signed_request_repeated_to_every_hub_at_once_is_good_once(market: Market):
    buyer = market.buyer()
    authority = market.hubs[0].url.removeprefix("http://")
    message = SignedMessage(method="GET", authority=authority, target="/v1/payments", headers={})
    for number in range(5):
        fields = sign_request(
            buyer.signer, buyer.device, message, now_s=int(time.time()), nonce=f"nonce {number}"
        )
        headers = {"host": authority, **dict(fields)}
        asks = [Ask(hub.url, "GET", "/v1/payments", None, headers) for hub in market.hubs] * 20
        told = asyncio.run(at_once(asks))
        assert Counter(answer.status for answer in told) == {200: 1, 401: len(asks) - 1}
        assert {a.code for a in told if a.status == 401} == {"signature-replayed"}
