"""The plug for `batch-settlement` and other writers of its device's sessions, at the same time."""

import threading
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from x402.schemas import PaymentRequirements

from farthing.codec import from_base64url
from farthing.core.vouchers import read_voucher
from farthing.keys import Ed25519Signer
from farthing.plugs.x402_batch import FarthingBatch
from farthing.session_files import SessionFiles
from tests.protocols.batch_vectors import batch

VECTOR = batch()
DEVICE = "dev_01kaqqvmr0000000000000000g"
ASKED = PaymentRequirements.model_validate(VECTOR["required"])


class Interrupted(Ed25519Signer):
    """A device's key. Shape: `meanwhile` is begun, once, when the next signature is made."""

    meanwhile: Callable[[], Any] | None = None

    def __init__(self) -> None:
        super().__init__(bytes(range(1, 33)))
        self.others: list[threading.Thread] = []

    def sign(self, message: bytes) -> bytes:
        if (begin := self.meanwhile) is not None:
            self.meanwhile = None
            other = threading.Thread(target=begin)
            self.others.append(other)
            other.start()
            other.join(0.2)  # Who is kept waiting goes on afterwards.
        return super().sign(message)

    def done(self) -> None:
        for other in self.others:
            other.join()


def scheme_of(signer: Ed25519Signer, folder: Path, deposit: int = 3000) -> FarthingBatch:
    return FarthingBatch(signer, DEVICE, folder, {"USD": deposit})


def numbers(payloads: list[Any]) -> list[int]:
    raw = [each if isinstance(each, bytes) else _voucher(each) for each in payloads]
    return sorted(read_voucher(each).claims.sequence for each in raw)


def _voucher(payload: Any) -> bytes:
    return from_base64url(payload["voucher"])


def answered(
    scheme: FarthingBatch, payload: Any, error: str = "", state: dict[str, str] | None = None
) -> Any:
    """Tell a scheme what its payload was answered, and how the seller says that its session is."""
    settled = SimpleNamespace(success=not error, error_reason=error, extra={})
    asked = ASKED.model_copy(update={"extra": {"channelState": state}})
    context = SimpleNamespace(
        payment_payload=SimpleNamespace(payload=payload),
        settle_response=settled,
        payment_required=SimpleNamespace(error=error, accepts=[asked]) if state else None,
    )
    return scheme.on_payment_response(context)


def opened(scheme: FarthingBatch) -> Any:
    first = scheme.create_payment_payload(ASKED)
    answered(scheme, first)
    return first


def test_a_top_up_and_another_promise_at_once_take_two_numbers(tmp_path: Path):
    signer, calm = Interrupted(), Ed25519Signer(bytes(range(1, 33)))
    scheme = scheme_of(signer, tmp_path)
    made: list[Any] = [opened(scheme)]
    made.append(scheme.create_payment_payload(ASKED))
    [kept] = SessionFiles(tmp_path).all()

    def promise() -> None:
        made.append(SessionFiles(tmp_path).number(kept.session, 3000, calm))

    signer.meanwhile = promise
    made.append(scheme.create_payment_payload(ASKED))  # The deposit is used up: held once more.
    signer.done()
    assert numbers(made) == [1, 2, 3, 4]
    assert SessionFiles(tmp_path).read(kept.session).sequence == 4


def test_two_programs_that_begin_at_once_open_one_session(tmp_path: Path):
    signer, calm = Interrupted(), Ed25519Signer(bytes(range(1, 33)))
    made: list[Any] = []

    def begin() -> None:
        made.append(scheme_of(calm, tmp_path).create_payment_payload(ASKED))

    signer.meanwhile = begin
    made.append(scheme_of(signer, tmp_path).create_payment_payload(ASKED))
    signer.done()
    assert len(SessionFiles(tmp_path).all()) == 1
    assert numbers(made) == [1, 2]
    assert made[0]["order"] == made[1]["order"]


def test_two_programs_that_top_up_at_once_hold_one_deposit_more(tmp_path: Path):
    signer, calm = Interrupted(), Ed25519Signer(bytes(range(1, 33)))
    one, two = scheme_of(signer, tmp_path), scheme_of(calm, tmp_path)
    made: list[Any] = [opened(one), one.create_payment_payload(ASKED)]
    signer.meanwhile = lambda: made.append(two.create_payment_payload(ASKED))
    made.append(one.create_payment_payload(ASKED))
    signer.done()
    [kept] = SessionFiles(tmp_path).all()
    assert (kept.deposit, kept.promised) == (6000, 6000)
    assert made[2]["order"] == made[3]["order"]
    assert numbers(made) == [1, 2, 3, 4]


@pytest.mark.parametrize("error", ["", "order_expired", "mandate_largest"])
def test_a_late_answer_leaves_a_newer_deposit_alone(tmp_path: Path, error: str):
    scheme = scheme_of(Ed25519Signer(bytes(range(1, 33))), tmp_path, 1500)
    late = opened(scheme)
    scheme.create_payment_payload(ASKED)
    [before] = SessionFiles(tmp_path).all()
    answered(scheme, late, error)
    [after] = SessionFiles(tmp_path).all()
    assert (after.opening, after.deposit) == (before.opening, 3000)


def test_a_session_that_another_forgets_is_passed_over(tmp_path: Path):
    files = SessionFiles(tmp_path)
    opened(scheme_of(Ed25519Signer(bytes(range(1, 33))), tmp_path))
    [kept] = files.all()
    (tmp_path / f"ses_{'0' * 26}.json").symlink_to(
        tmp_path / "gone"
    )  # Listed, and not there to read.
    assert files.all() == [kept]


def test_an_answer_about_a_session_that_another_forgot_is_passed_over(tmp_path: Path):
    scheme = scheme_of(Ed25519Signer(bytes(range(1, 33))), tmp_path)
    first = scheme.create_payment_payload(ASKED)
    [kept] = SessionFiles(tmp_path).all()
    SessionFiles(tmp_path).forget(kept.session)
    answered(scheme, first)
    answered(scheme, first, "order_expired")
    assert SessionFiles(tmp_path).all() == []


def test_a_deposit_that_the_seller_knows_less_of_is_topped_up(tmp_path: Path):
    scheme = scheme_of(Ed25519Signer(bytes(range(1, 33))), tmp_path, 4500)
    opened(scheme)
    payload = scheme.create_payment_payload(ASKED)
    assert payload["type"] == "voucher"
    assert answered(scheme, payload, "voucher_beyond_deposit", {"balance": "2000"}) is not None
    again = scheme.create_payment_payload(ASKED)
    assert again["order"]["resource"] == f"TOPUP {payload['session']}"
    [kept] = SessionFiles(tmp_path).all()
    assert (kept.deposit, kept.promised) == (6500, 3500)
    assert answered(scheme, again) is None


def test_a_session_whose_seller_does_not_say_how_it_stands_is_followed_by_another(tmp_path: Path):
    scheme = scheme_of(Ed25519Signer(bytes(range(1, 33))), tmp_path)
    opened(scheme)
    payload = scheme.create_payment_payload(ASKED)
    assert answered(scheme, payload, "voucher_beyond_deposit") is not None
    again = scheme.create_payment_payload(ASKED)
    assert again["order"]["resource"].startswith("SESSION ")


def test_a_seller_that_never_says_how_it_stands_has_one_deposit_more_held_and_no_third(
    tmp_path: Path,
):
    """Each deposit held is money that its payer cannot use until the session ends."""
    scheme = scheme_of(Ed25519Signer(bytes(range(1, 33))), tmp_path)
    opened(scheme)
    sessions: set[str] = set()
    for _ in range(20):
        payload = scheme.create_payment_payload(ASKED)
        sessions |= {kept.session for kept in SessionFiles(tmp_path).all()}
        if "order" in payload:
            answered(scheme, payload)  # Whatever brings a deposit is served.
        else:
            answered(scheme, payload, "voucher_beyond_deposit")
    assert len(sessions) == 2


def test_a_deposit_under_way_stays_so_when_a_voucher_was_sooner_than_it(tmp_path: Path):
    scheme = scheme_of(Ed25519Signer(bytes(range(1, 33))), tmp_path)
    opened(scheme)
    payload = scheme.create_payment_payload(ASKED)
    scheme.create_payment_payload(ASKED)  # It tops up.
    [before] = SessionFiles(tmp_path).all()
    assert answered(scheme, payload, "voucher_beyond_deposit", {"balance": "2000"}) is not None
    [after] = SessionFiles(tmp_path).all()
    assert (after.opening, after.deposit) == (before.opening, before.deposit)
