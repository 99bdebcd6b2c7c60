"""Answers are kept in the order in which they were given, and old records have none."""

from farthing.core.payments import PAYMENTS, Payment
from farthing.core.said import By, Means, Said, by_key, read_said, said_told, write_said
from farthing.core.stated import record_digest

ADA = Said("approve", Means.PASSKEY, "per_ada", 5)
SILENCE = Said("deny", Means.DEADLINE, "", 9)


def payment(**more) -> Payment:
    zero = {"str": "", "int": 0, "bytes": b"", "bool": False, "State": "awaiting"}
    named = {
        name: zero.get(getattr(kind, "__name__", ""))
        for name, kind in Payment.__annotations__.items()
        if name not in ("fees", "risk", "answers")
    }
    return Payment(**(named | more))


def test_what_is_written_is_read_again():
    assert read_said(write_said([ADA, SILENCE])) == (ADA, SILENCE)
    assert read_said("") == ()


def test_a_key_answers_by_its_name_and_the_socket_as_the_operator():
    assert by_key("key_till") == By(Means.KEY, "key_till")
    assert by_key("operator") == By(Means.OPERATOR, "")


def test_an_owner_is_told_who_and_how_in_that_order():
    told = said_told(write_said([ADA, SILENCE]))
    assert told == {"answered_by": "per_ada, deadline", "answered_with": "passkey, deadline"}


def test_a_record_without_an_answer_is_stated_as_older_versions_stated_it():
    """Its digest has one more field only where somebody answered."""
    bare, answered = payment(), payment(answers=write_said([ADA]))
    assert record_digest(PAYMENTS, bare) != record_digest(PAYMENTS, answered)
    other = payment(answers=write_said([Said("approve", Means.PASSKEY, "per_eve", 5)]))
    assert record_digest(PAYMENTS, other) != record_digest(PAYMENTS, answered)
