"""No file is read beyond what its kind ever needs: it is refused by name, and little is read."""

import io
from pathlib import Path

import pytest

from farthing.bounded import SMALL_BYTES_MAX, read_file, read_stream, read_text
from farthing.config import load_config
from farthing.device.purse import open_purse
from farthing.errors import BadConfig, FarthingError, Malformed
from farthing.passphrases import told_passphrase
from farthing.secret_files import read_secret
from farthing.services.heads import FILE_BYTES_MAX, HeadsFile
from farthing.terminal.typed import typed_file
from farthing.web.price_file import BadPriceFile, price_text
from tests.cli.runner import Terminal

ENDLESS = Path("/dev/zero")


def long_file(folder: Path, name: str = "long", size: int = 1 << 40) -> Path:
    """Make a file of a terabyte that takes no room."""
    file = folder / name
    file.touch(mode=0o600)
    with file.open("r+b") as opened:
        opened.truncate(size)
    return file


class Counted(io.BytesIO):
    """Bytes that tell how many of them were asked for."""

    asked = 0

    def read(self, size: int | None = -1, /) -> bytes:
        self.asked = size or 0
        return super().read(size)


def test_a_file_is_read_whole_up_to_its_bound_and_not_a_byte_beyond(tmp_path: Path):
    file = tmp_path / "file"
    file.write_bytes(b"a\r\nb\rc\n")
    assert read_file(file, 7) == b"a\r\nb\rc\n"
    assert read_text(file) == "a\nb\nc\n"
    with pytest.raises(Malformed, match="more than 6 bytes") as caught:
        read_file(file, 6)
    assert caught.value.code == "file-too-long"
    stream = Counted(b"x" * 1000)
    with pytest.raises(Malformed, match="stdin has more than 10"):
        read_stream(stream, "stdin", 10)
    assert stream.asked == 11


def test_every_reader_of_a_file_refuses_one_without_end(tmp_path: Path):
    long = long_file(tmp_path, "purse.json")
    readers = [
        lambda: read_secret(long),
        lambda: told_passphrase({}, long),
        lambda: open_purse(tmp_path),
        lambda: typed_file(str(ENDLESS)),
        lambda: read_file(ENDLESS),
    ]
    for read in readers:
        with pytest.raises(FarthingError) as caught:
            read()
        assert caught.value.code == "file-too-long"


def test_long_settings_prices_and_heads_are_refused_as_what_they_are(tmp_path: Path):
    with pytest.raises(BadConfig, match=f"more than {SMALL_BYTES_MAX} bytes") as caught:
        load_config(long_file(tmp_path), {})
    assert caught.value.code == "config-unreadable"
    with pytest.raises(BadPriceFile, match="it has more than"):
        price_text(ENDLESS)
    heads = long_file(tmp_path, "heads.log")
    with pytest.raises(BadConfig, match=f"more than {FILE_BYTES_MAX} bytes") as caught:
        HeadsFile(heads).read()
    assert caught.value.code == "heads-file-broken"


def test_commands_say_so(tmp_path: Path):
    farthing, endless = Terminal(tmp_path / "home"), str(ENDLESS)
    for words, code, what in (
        (("receipt", "verify", endless), 2, "file-too-long"),
        (("prices", "check", endless), 6, "bad-price-file"),
        (("api", "POST", "/v1/owners", "-d", f"@{endless}"), 2, "file-too-long"),
        (("audit", "--config", endless), 8, "config-unreadable"),
        (("config", "check", "--config", endless), 2, "file-too-long"),
    ):
        told = farthing(*words)
        assert (told.code, what in told.err) == (code, True), (words, told)


def test_prices_that_are_no_text_are_no_prices(tmp_path: Path):
    file = tmp_path / "prices.toml"
    file.write_bytes(b"\xff\xfe")
    told = Terminal(tmp_path / "home")("prices", "check", str(file))
    assert (told.code, "it is not UTF-8" in told.err) == (6, True), told
