"""Who is asking: API keys by the hash of their secret, devices by their signature."""

from dataclasses import dataclass

from farthing import ids
from farthing.codec import from_base64url
from farthing.core.devices import Device
from farthing.core.owners import KeyRecord, Principal, Scope, secret_hash
from farthing.errors import Malformed, Unauthenticated, present
from farthing.protocols.message_signatures import (
    SKEW_SECONDS_MAX,
    Claim,
    SeenNonces,
    SignedMessage,
    before_start,
    read_claim,
    replayed,
    verify_request,
)
from farthing.services.context import Context
from farthing.services.devices import Directory
from farthing.services.secrets import SECRET_BYTES, new_secret
from farthing.store.queries import key_by_hash

PREFIX = "fk_"
_KEPT = 5_000


@dataclass(frozen=True, slots=True)
class NewKey:
    """A key's secret, shown once, and what is kept of it."""

    id: str
    secret: str
    hash: bytes


def new_key(ctx: Context) -> NewKey:
    """Make an API key."""
    secret = PREFIX + new_secret(ctx.random_bits)
    return NewKey(ids.name("key", ctx.fresh()), secret, secret_hash(secret))


class Access:
    """Keys and devices that ask. A revoked one is refused from the next request on."""

    def __init__(self, ctx: Context) -> None:
        self._ctx = ctx
        self._directory = Directory(ctx)
        self._seen, self._since_s = SeenNonces(), ctx.now_s()
        self._kept: dict[bytes, KeyRecord] = {}
        self._forgotten = 0

    async def by_key(self, secret: str) -> Principal:
        """Find whose key this is.

        Raises: Unauthenticated `bad-key`.
        """
        record = await self._record(secret)
        if record is None or record.revoked_ns:
            raise Unauthenticated("bad-key", "this API key is unknown or revoked")
        scopes = frozenset(Scope(scope) for scope in record.scopes)
        return Principal(record.id, record.owner, scopes)

    async def _record(self, secret: str) -> KeyRecord | None:
        if not _looks_like_a_key(secret):
            return None
        digest = secret_hash(secret)
        trusted = self._ctx.database.exclusive  # Nobody else can revoke behind our back.
        if trusted and digest in self._kept:
            return self._kept[digest]
        began = self._forgotten
        record = await self._ctx.database.read(lambda tx: key_by_hash(tx, digest))
        if record is not None and trusted and began == self._forgotten:
            while len(self._kept) >= _KEPT:
                del self._kept[next(iter(self._kept))]
            self._kept[digest] = record
        return record

    def forget_keys(self) -> None:
        """Read keys again, after one was revoked; what is being read now is not kept either."""
        self._forgotten += 1
        self._kept.clear()

    async def by_signature(self, message: SignedMessage) -> Principal:
        """Find which device signed a request.

        Raises: Unauthenticated.
        """
        claim = read_claim(message.headers)
        device = await self._directory.read(claim.key_id)
        now_s = self._ctx.now_s()
        fault: Unauthenticated | None = None
        for public in self._directory.keys_of(claim.key_id, device):
            try:
                verify_request(claim, message, public, now_s=now_s)
            except Unauthenticated as refused:
                fault = refused
                continue
            await self._use_up(claim, now_s)
            return self._signer(device, public)
        try:
            raise present(fault, "there is a key to try")
        finally:
            del fault  # It knows this frame, and would keep the request until somebody looks.

    async def _use_up(self, claim: Claim, now_s: int) -> None:
        """Let a signature be good once, at whichever hub on these books.

        Raises: Unauthenticated `signature-replayed`; Unavailable.
        """
        self._seen.take(claim, now_s)
        database = self._ctx.database
        if database.exclusive:
            if claim.created < self._since_s:
                raise before_start()
            return
        # Another hub's clock may be behind ours, but by no more than a signature's may be.
        over_s = now_s - SKEW_SECONDS_MAX
        used = (claim.digest(), claim.created, claim.expires, over_s)
        if not await database.use_once(*used):
            raise replayed()

    def _signer(self, device: Device | None, public: str) -> Principal:
        """Tell who signed; a device may hear how it stands here, for it has proved who it is."""
        now_ns = self._ctx.clock()
        found = present(device, "nobody holds the key of a device that is not there")
        if found.revoked_ns:
            raise Unauthenticated("device-revoked", "the owner has revoked this device")
        if not any(key.public == public and key.signs_at(now_ns) for key in found.keys):
            raise Unauthenticated("signature-invalid", "this key was rotated out; use the newest")
        return Principal(found.id, found.owner, frozenset(), found.id)


def _looks_like_a_key(secret: str) -> bool:
    if not secret.startswith(PREFIX):
        return False
    try:
        return len(from_base64url(secret.removeprefix(PREFIX))) == SECRET_BYTES
    except Malformed:
        return False
