"""A sealed secret opens with its passphrase, tells nothing without it, and shows every change."""

import pytest

from farthing import sealing
from farthing.errors import BadConfig, Malformed
from farthing.passphrases import told_passphrase
from farthing.secret_files import read_secret, replace_secret, reseal, write_secret

PHRASE = b"correct horse battery"


def refused(code, work, *args):
    with pytest.raises((BadConfig, Malformed)) as told:
        work(*args)
    assert told.value.code == code
    return told.value


def test_what_was_sealed_is_opened_by_its_passphrase_alone():
    sealed = sealing.seal(b"the seed", PHRASE)
    assert b"seed" not in sealed
    assert sealing.unseal(sealed, PHRASE) == b"the seed"
    assert sealing.seal(b"the seed", PHRASE) != sealed
    refused("wrong-passphrase", sealing.unseal, sealed, PHRASE + b"!")
    refused("passphrase-too-short", sealing.seal, b"x", b"elevenchars")


def test_a_changed_byte_anywhere_is_noticed():
    words = sealing.seal(b"the seed", PHRASE).split()
    for place in (3, 4):
        changed = list(words)
        changed[place] = (b"A" if words[place][:1] != b"A" else b"B") + words[place][1:]
        refused("wrong-passphrase", sealing.unseal, b" ".join(changed), PHRASE)


@pytest.mark.parametrize(
    "raw",
    [
        "farthing-sealed-1 ",
        "farthing-sealed-1 3 65536 AAAAAAAAAAAAAAAAAAAAAA",
        "farthing-sealed-1 3 9999999999 AAAAAAAAAAAAAAAAAAAAAA AAAA",
        "farthing-sealed-1 99999 65536 AAAAAAAAAAAAAAAAAAAAAA AAAA",
        "farthing-sealed-1 0 65536 AAAAAAAAAAAAAAAAAAAAAA AAAA",
        "farthing-sealed-1 ٣ 65536 AAAAAAAAAAAAAAAAAAAAAA AAAA",
        "farthing-sealed-1 3 65536 AAAA AAAA",
        "farthing-sealed-1 3 65536 !!!! AAAA",
    ],
)
def test_a_file_that_asks_for_too_much_or_is_no_sealed_one_is_refused(raw: str):
    refused("malformed-key-file", sealing.unseal, raw.encode(), PHRASE)


def test_files_are_for_their_owner_and_change_whole(tmp_path):
    file = tmp_path / "keys" / "x.key"
    write_secret(file, b"the seed")
    assert (file.parent.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)
    with pytest.raises(FileExistsError):
        write_secret(file, b"another")
    assert reseal(file, sealing.nobody, PHRASE) is False
    assert b"seed" not in file.read_bytes()
    fault = refused("passphrase-needed", read_secret, file)
    assert str(file) in fault.detail
    refused("wrong-passphrase", reseal, file, lambda: b"wrong passphrase", None)
    assert read_secret(file, lambda: PHRASE) == b"the seed"
    assert reseal(file, lambda: PHRASE, None) is True
    replace_secret(file, b"new")
    assert [file.name for file in file.parent.iterdir()] == ["x.key"]
    file.chmod(0o640)
    refused("key-file-open-to-others", read_secret, file)


def test_a_passphrase_comes_from_a_file_then_systemd_then_the_environment(tmp_path):
    files = [tmp_path / name for name in ("configured", "named", "farthing-passphrase")]
    for file in files:
        file.touch(mode=0o600)
        file.write_text(f"phrase of {file.name}\n")
    environ = {
        "FARTHING_PASSPHRASE_FILE": str(files[1]),
        "CREDENTIALS_DIRECTORY": str(tmp_path),
        "FARTHING_PASSPHRASE": "phrase of the environment",
    }
    assert told_passphrase(environ, files[0]) == b"phrase of configured"
    for name, told in zip(
        list(environ), ("named", "farthing-passphrase", "the environment"), strict=True
    ):
        assert told_passphrase(environ) == f"phrase of {told}".encode()
        del environ[name]
    assert told_passphrase(environ) is None
    files[0].chmod(0o644)
    refused("key-file-open-to-others", told_passphrase, {}, files[0])
    refused("passphrase-needed", told_passphrase, {"FARTHING_PASSPHRASE": " "})
