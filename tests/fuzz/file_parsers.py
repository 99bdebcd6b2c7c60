"""Files that were written earlier, by somebody, and may have been changed since."""

import io
import tarfile

import msgspec

from farthing import keys, sealing
from farthing.config import load_config
from farthing.core.chain import sign_head
from farthing.core.heads import head_line
from farthing.core.ladders import KeptLadder
from farthing.device.journal import Entry, FolderJournal
from farthing.device.purse import Membership, open_purse
from farthing.services import audit_note, copies
from farthing.services.heads import HeadsFile
from farthing.session_files import Kept, SessionFiles
from farthing.settings import Config
from tests.protocols.stand_in import DEVICE, NOW, PAYEE

from .parser import FOLDER, Parser

KEY = keys.new_signer()
HEAD = head_line(sign_head(KEY, "c", 1, bytes(32), bytes(32), 1, NOW))
_SESSION = "ses_01kaw1f2840000000000000000"
_KEPT = Kept(
    session=_SESSION,
    payee=PAYEE,
    asset="USD",
    tariff="A" * 43,
    deposit=500,
    ends=1_900_000_000,
    promised=20,
    sequence=2,
)
_LADDER = KeptLadder(seed="A" * 22, base=15, each=5, most=90, voucher="AA")
_ON_A_LADDER = msgspec.structs.replace(_KEPT, ladder=_LADDER)
_MEMBERSHIP = Membership(
    device=DEVICE,
    hub=keys.fingerprint(KEY.public),
    hub_url="http://127.0.0.1:8402",
    root_key=KEY.public,
    max="0.05 USD",
)
_ENTRY = Entry(
    payment="pay_01kaw1f2820000000000000000",
    request="x",
    method="GET",
    url="http://shop.example/a",
    language="mpp",
    payee=PAYEE,
    asset="USD",
    scale=6,
    amount=5,
    expires=1_900_000_000,
    fields=[("authorization", "Payment e30")],
    order={"amount": "5"},
)
_MANIFEST = copies.Manifest(
    format=copies.FORMAT,
    version="1",
    hub=_MEMBERSHIP.hub,
    root_key=KEY.public,
    schema=5,
    commits=1,
    head="A" * 43,
    made_at="2026-11-22T21:00:00Z",
)
_NOTE = audit_note.AuditNote(ok=True, time_ns=1, commits=2, text="ok")
_TAR_BYTES = 7 * 512
"""Of a small archive: three heads, two contents, two empty blocks. What pads it is left out."""

_OTHER_FILES = {copies.HEADS: b"", copies.BOOKS: b"SQLite"}


def _config(raw: bytes) -> object:
    file = FOLDER / "farthing.toml"
    file.write_bytes(raw)
    return load_config(file, {})


def _key_file(raw: bytes) -> object:
    file = FOLDER / "some.key"
    file.touch(mode=0o600)
    file.write_bytes(raw)
    return keys.read_key_file(file)


def _heads_file(raw: bytes) -> object:
    file = FOLDER / "heads.log"
    file.write_bytes(raw)
    return HeadsFile(file).read()


def _journal(raw: bytes) -> object:
    folder = FOLDER / "journal"
    folder.mkdir(exist_ok=True)
    (folder / "0123456789abcdef0123456789abcdef-1.json").write_bytes(raw)
    return FolderJournal(folder).unresolved()


def _purse(raw: bytes) -> object:
    folder = FOLDER / "purse"
    folder.mkdir(exist_ok=True)
    (folder / "purse.json").write_bytes(raw)
    if not (folder / "device.key").exists():
        keys.write_key_file(folder / "device.key", KEY)
    return open_purse(folder)


def _session_file(raw: bytes) -> object:
    """Read a session's file and sign what was promised in it, as its device would."""
    files = SessionFiles(FOLDER / "sessions")
    (FOLDER / "sessions" / f"{_SESSION}.json").write_bytes(raw)
    [kept] = files.all()
    return files.shown(kept.session, KEY)


def _audit_note(raw: bytes) -> object:
    config = Config(folder=str(FOLDER))
    audit_note.note_file(config).write_bytes(raw)
    return audit_note.read_note(config)


def _backup(raw: bytes) -> object:
    file, into = FOLDER / "backup.tar", FOLDER / "restored"
    into.mkdir(exist_ok=True)
    file.write_bytes(raw)
    return copies.read_copy(file, into)


def _manifest(raw: bytes) -> object:
    """Read a backup whose manifest this is; the rest of it is as it should be."""
    return _backup(_tar({copies.MANIFEST: raw, **_OTHER_FILES}))


def _tar(files: dict[str, bytes]) -> bytes:
    whole = io.BytesIO()
    with tarfile.open(fileobj=whole, mode="w") as tar:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            tar.addfile(member, io.BytesIO(content))
    return whole.getvalue()[:_TAR_BYTES]


FILE_PARSERS = (
    Parser("config", _config, (b"[server]\nport = 8402\n", b'[books]\nengine = "sqlite"\n')),
    Parser("key-file", _key_file, (b"farthing-key-1 ed25519 " + b"A" * 43 + b"\n",)),
    Parser(
        "sealed-key",
        sealing._read,  # What it costs to open is in the file; here it is only read.
        (b"farthing-sealed-1 3 65536 " + b"A" * 22 + b" " + b"A" * 64 + b"\n",),
    ),
    Parser("heads-file", _heads_file, (HEAD,)),
    Parser("journal-entry", _journal, (msgspec.json.encode(_ENTRY),)),
    Parser("purse", _purse, (msgspec.json.encode(_MEMBERSHIP),)),
    Parser(
        "session-file",
        _session_file,
        (msgspec.json.encode(_KEPT), msgspec.json.encode(_ON_A_LADDER)),
    ),
    Parser("audit-note", _audit_note, (msgspec.json.encode(_NOTE),)),
    Parser("manifest", _manifest, (msgspec.json.encode(_MANIFEST),)),
    Parser(
        "backup",
        _backup,
        (_tar({copies.MANIFEST: msgspec.json.encode(_MANIFEST), **_OTHER_FILES}),),
    ),
)
