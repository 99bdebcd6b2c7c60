"""Batches: every order by itself, in order; one bad one harms no other; again is the same."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from farthing.codec import to_base64url
from farthing.core.batches import Batch, BatchLine, read_batch, signed_bytes, write_batch
from farthing.errors import Malformed

from .town import Town, body_of, open_town

MSGPACK = {"content-type": "application/msgpack"}


def batch_of(town: Town, amounts: list[int], machine: str = "meter", **more: Any) -> bytes:
    order = town.order(1, machine=machine).order
    lines = [BatchLine(order.payee, amount, town.nonce(), "") for amount in amounts]
    terms: dict[str, Any] = {
        "hub": order.hub,
        "device": order.device,
        "asset": order.asset,
        "expires": order.expires,
        "lines": lines,
    }
    return write_batch(Batch(**(terms | more)))


def sign(town: Town, raw: bytes, machine: str = "meter") -> bytes:
    return town.machines[machine].signer.sign(signed_bytes(raw))


def packed(town: Town, raw: bytes, machine: str = "meter") -> bytes:
    return msgspec.msgpack.encode(["batch", raw, sign(town, raw, machine)])


async def send(town: Town, content: bytes) -> Any:
    answer = await town.ask("POST", "/v1/payments/batch", content=content, headers=MSGPACK)
    if answer.is_success:
        assert answer.headers["content-type"] == "application/msgpack"
        return msgspec.msgpack.decode(answer.content)["payments"]
    return answer.json()


async def written(town: Town, body: Any) -> Any:
    answer = await town.ask("POST", "/v1/payments/batch", body)
    return answer.json()["payments"] if answer.is_success else answer.json()


async def test_a_batch_under_one_signature_is_paid_and_again_is_the_same(tmp_path: Path):
    async with open_town(tmp_path) as town:
        before = await town.available("shop")
        content = packed(town, batch_of(town, list(range(1, 601))))
        paid = await send(town, content)
        assert [item["state"] for item in paid] == ["captured"] * 600
        assert await town.available("shop") - before == sum(range(1, 601))
        assert await send(town, content) == paid
        assert await town.available("shop") - before == sum(range(1, 601))
        shown = await town.made("GET", f"/v1/payments/{paid[41]['id']}", who="buyer.read")
        assert (shown["amount"], shown["state"]) == ("42", "captured")
        assert shown["receipt"]["statement"]["amount"] == "42"


async def test_json_and_messagepack_carry_the_same_batch(tmp_path: Path):
    async with open_town(tmp_path) as town:
        raw = batch_of(town, [5, 6])
        body = {"batch": to_base64url(raw), "signature": to_base64url(sign(town, raw))}
        assert await written(town, body) == await send(town, packed(town, raw))
        signed = [town.order(amount) for amount in (7, 8)]
        items = [
            [*(value for _, value in sorted(s.order.members().items())), s.signature]
            for s in signed
        ]
        both = await send(town, msgspec.msgpack.encode(["payments", items]))
        assert both == await written(town, {"payments": [body_of(s) for s in signed]})
        assert [item["state"] for item in both] == ["captured"] * 2


async def test_one_bad_order_harms_no_other(tmp_path: Path):
    async with open_town(tmp_path) as town:
        good = [town.payment(10) for _ in range(3)]
        forged = town.payment(10) | {"signature": to_base64url(bytes(64))}
        strange = town.payment(10) | {"more": "x"}
        orders = [good[0], forged, good[1], strange, "nonsense", good[0], good[2]]
        told = await written(town, {"payments": orders})
        assert [item["state"] for item in told] == [
            "captured", None, "captured", None, None, "captured", "captured",
        ]  # fmt: skip
        codes = [item["problem"]["code"] for item in told if item["problem"]]
        assert codes == ["bad-signature", "invalid-body", "invalid-body"]
        assert told[5]["id"] == told[0]["id"]
        assert await town.available("shop") == 30


async def test_orders_of_a_batch_spend_one_balance_one_after_the_other(tmp_path: Path):
    async with open_town(tmp_path) as town:
        told = await send(town, packed(town, batch_of(town, [100_000] * 12)))
        assert [item["state"] for item in told] == ["captured"] * 10 + ["refused"] * 2
        assert {item["problem"]["code"] for item in told[10:]} == {"mandate-budget"}


async def test_every_order_belongs_to_who_signed(tmp_path: Path):
    async with open_town(tmp_path) as town:
        await town.enrol("other", "purse", await town.mandate())
        raw = batch_of(town, [5], device=town.machines["other"].id)
        assert (await send(town, packed(town, raw)))["code"] == "bad-signature"
        assert (await send(town, packed(town, raw, "other")))[0]["state"] == "captured"


async def test_the_same_nonce_pays_once_alone_or_in_a_batch(tmp_path: Path):
    async with open_town(tmp_path) as town:
        signed = town.order(9)
        alone = await town.made("POST", "/v1/payments", body_of(signed))
        line = BatchLine(signed.order.payee, 9, signed.order.nonce, "")
        raw = batch_of(town, [], lines=[line], expires=signed.order.expires)
        [same] = await send(town, packed(town, raw))
        assert same["id"] == alone["id"]
        dearer = [BatchLine(signed.order.payee, 10, signed.order.nonce, "")]
        raw = batch_of(town, [], lines=dearer, expires=signed.order.expires)
        [other] = await send(town, packed(town, raw))
        assert other["problem"]["code"] == "nonce-used"


@pytest.mark.parametrize("count", [0, 1001])
async def test_a_batch_is_neither_empty_nor_endless(tmp_path: Path, count: int):
    async with open_town(tmp_path) as town:
        raw = batch_of(town, [1] * count)
        assert (await send(town, packed(town, raw)))["code"] == "malformed-batch"
        payments = [town.payment(1)] * count
        assert (await written(town, {"payments": payments}))["code"] in (
            "malformed-batch", "invalid-body",
        )  # fmt: skip
        assert await town.available("shop") == 0


@pytest.mark.parametrize(
    "content",
    [
        b"", b"\xc1", b"\x93", b"\x92\xa5batch\xc0",
        msgspec.msgpack.encode(["payments", []]),
        msgspec.msgpack.encode(["payments", [["x"]]]),
        msgspec.msgpack.encode(["batch", b"", bytes(64)]),
        msgspec.msgpack.encode(["batch", b"x", bytes(63)]),
        msgspec.msgpack.encode(["batch", b"x", bytes(64), 1]),
        msgspec.msgpack.encode({"payments": []}),
        b"\x91" * 100_000,
    ],
)  # fmt: skip
async def test_what_is_no_batch_is_refused_and_changes_nothing(tmp_path: Path, content: bytes):
    async with open_town(tmp_path) as town:
        before = await town.dump()
        assert (await send(town, content))["code"] in ("malformed-batch", "bad-signature")
        assert await town.dump() == before


@pytest.mark.parametrize(
    "body",
    [
        b"{}", b"[]", b'{"payments": {}}', b'{"payments": [], "payments": []}',
        b'{"batch": "AA", "signature": "AA"}', b'{"batch": "", "signature": ""}',
        b'{"payments": [1], "batch": "AA"}', b'{"payments": [', b'{"payment": []}',
        b'{"payments": ' + b"[" * 100_000,
    ],
)  # fmt: skip
async def test_json_that_is_no_batch_is_refused(tmp_path: Path, body: bytes):
    async with open_town(tmp_path) as town:
        answer = await town.ask("POST", "/v1/payments/batch", content=body)
        assert answer.status_code == 400, answer.text


def test_a_batch_has_one_spelling():
    lines = [BatchLine("acc_" + "0" * 26, 5, "0" * 26, "")]
    raw = write_batch(Batch("hub", "dev_x", "USD", 9, lines))
    assert read_batch(raw)[0].amount == 5
    longer = raw.replace(b"\x05", b"\xcc\x05")
    assert longer != raw
    for spelled in (longer, raw + b"\0", raw[:-1], b"\xdc\x00\x05" + raw[1:]):
        with pytest.raises(Malformed):
            read_batch(spelled)


@pytest.mark.parametrize(
    "line",
    [
        BatchLine("acc_1", 5, "0" * 26, ""),
        BatchLine("acc_" + "0" * 26, -1, "0" * 26, ""),
        BatchLine("acc_" + "0" * 26, 2**63, "0" * 26, ""),
        BatchLine("acc_" + "0" * 26, 5, "0" * 25, ""),
        BatchLine("acc_" + "0" * 26, 5, "0" * 26, "é"),
        BatchLine("acc_" + "0" * 26, 5, "0" * 26, "x" * 2049),
    ],
)
def test_a_line_that_is_no_order_spoils_its_batch(line: BatchLine):
    with pytest.raises(Malformed):
        read_batch(write_batch(Batch("hub", "dev_x", "USD", 9, [line])))
