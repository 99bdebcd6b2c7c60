"""What was signed and is not resolved survives; an entry in use belongs to one client."""

import subprocess
import sys
import textwrap

import pytest

from farthing.device.journal import Entry, FolderJournal, MemoryJournal, request_name
from farthing.errors import Malformed

NAME = request_name("GET", "https://shop.example/a", b"")


def entry(payment="pay_1", request=NAME):
    return Entry(
        payment=payment,
        request=request,
        method="GET",
        url="https://shop.example/a",
        language="mpp",
        payee="acc_1",
        asset="USD",
        scale=6,
        amount=1500,
        expires=1_800_000_000,
        fields=[("authorization", "Payment abc")],
    )


@pytest.fixture(params=["memory", "folder"])
def journal(request, tmp_path):
    return MemoryJournal() if request.param == "memory" else FolderJournal(tmp_path / "journal")


def test_an_entry_in_use_is_not_claimed_twice(journal):
    claimed = journal.write(entry())
    assert journal.claim(NAME) is None
    claimed.release()
    again = journal.claim(NAME)
    assert again.entry == entry()
    assert journal.claim(NAME) is None


def test_a_resolved_entry_is_gone(journal):
    journal.write(entry()).resolve()
    assert journal.claim(NAME) is None
    assert journal.unresolved() == []


def test_a_second_entry_of_the_same_request_is_claimed_when_the_first_is_in_use(journal):
    first = journal.write(entry("pay_1"))
    journal.write(entry("pay_2")).release()
    assert journal.claim(NAME).entry.payment == "pay_2"
    first.release()


def test_only_the_very_same_request_claims_an_entry(journal):
    journal.write(entry()).release()
    for other in (
        request_name("POST", "https://shop.example/a", b""),
        request_name("GET", "https://shop.example/b", b""),
        request_name("GET", "https://shop.example/a", b"x"),
    ):
        assert journal.claim(other) is None


def test_files_are_for_the_owner_alone(tmp_path):
    journal = FolderJournal(tmp_path / "journal")
    held = journal.write(entry())
    [file] = (tmp_path / "journal").iterdir()
    assert file.stat().st_mode & 0o777 == 0o600
    held.release()


def test_a_damaged_entry_is_named_and_never_ignored(tmp_path):
    journal = FolderJournal(tmp_path)
    journal.write(entry()).release()
    [file] = tmp_path.iterdir()
    file.write_text("{")
    with pytest.raises(Malformed) as caught:
        journal.claim(NAME)
    assert file.name in caught.value.detail


def test_a_draft_of_a_crash_is_not_an_entry(tmp_path):
    (tmp_path / f"{NAME}.pay_1.draft").write_text("{")
    assert FolderJournal(tmp_path).claim(NAME) is None


def test_another_process_cannot_claim_what_is_in_use_and_can_after_its_death(tmp_path):
    code = textwrap.dedent(f"""
        import sys, time
        from pathlib import Path
        from farthing.device.journal import FolderJournal
        held = FolderJournal(Path({str(tmp_path)!r})).claim({NAME!r})
        print(held is not None, flush=True)
        time.sleep(60)
    """)
    journal = FolderJournal(tmp_path)
    journal.write(entry()).release()
    other = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True)
    assert other.stdout.readline() == "True\n"
    assert journal.claim(NAME) is None
    other.kill()
    other.communicate()
    assert journal.claim(NAME).entry == entry()
