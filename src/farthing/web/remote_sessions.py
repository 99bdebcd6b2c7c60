"""The hub's sessions as a seller far away asks for them: over HTTP with an API key."""

from collections.abc import Mapping, Sequence
from typing import Any, cast

import httpx
import msgspec

from farthing.clock import NS, parse_time
from farthing.codec import canonical_json, read_json, to_base64url
from farthing.core.meters import SeenSession
from farthing.core.orders import SignedOrder
from farthing.core.tariffs import Tariff, read_tariff
from farthing.errors import Conflict, FarthingError, Malformed, OutcomeUnknown
from farthing.money import parse_units
from farthing.services.proving import Presented
from farthing.services.session_hub import HANDED_AT_ONCE
from farthing.web.remote_hub import Asker, error_told


class RemoteSessions:
    """Every verb is safe to repeat, and is repeated when an answer is lost."""

    def __init__(self, client: httpx.AsyncClient) -> None:
        self._asker = Asker(client)

    async def look_up(self, session: str) -> SeenSession:
        """Get a session."""
        return _seen(_object(await self._asker.ask("GET", f"/v1/sessions/{session}")))

    async def open(
        self, signed: SignedOrder, tariff: Tariff, offer: str = "", place: str = ""
    ) -> SeenSession:
        """Open a session."""
        body = _order(signed, place) | {"tariff": tariff.members()}
        return await self._funded("/v1/sessions", body | ({"offer": offer} if offer else {}))

    async def top_up(self, session: str, signed: SignedOrder, place: str = "") -> SeenSession:
        """Add to a session's deposit."""
        return await self._funded(f"/v1/sessions/{session}/deposits", _order(signed, place))

    async def hand_in(
        self, vouchers: Sequence[Presented], *, late: bool = False
    ) -> list[int | FarthingError]:
        """Hand vouchers in, as many at once as the hub takes."""
        found: list[int | FarthingError] = []
        for start in range(0, len(vouchers), HANDED_AT_ONCE):
            found += await self._hand_in(vouchers[start : start + HANDED_AT_ONCE], late=late)
        return found

    async def _hand_in(
        self, vouchers: Sequence[Presented], *, late: bool
    ) -> list[int | FarthingError]:
        shown = [_presented(each) for each in vouchers]
        body = {"vouchers": shown, "late": late}
        told = _object(await self._asker.ask("POST", "/v1/vouchers", body))
        items = told.get("vouchers")
        if not isinstance(items, list) or len(cast(list[Any], items)) != len(vouchers):
            raise _unreadable()
        return [_drawn(item) for item in cast(list[Any], items)]

    async def close(self, session: str, units: int) -> SeenSession:
        """Close a session."""
        await self._asker.ask("POST", f"/v1/sessions/{session}/close", {"units": str(units)})
        return await self.look_up(session)

    async def _funded(self, path: str, body: Mapping[str, Any]) -> SeenSession:
        told = _object(await self._asker.ask("POST", path, body))
        session = told.get("session")
        if not isinstance(session, dict):
            raise Conflict("awaiting-owner", "the owner is asked")
        return await self.look_up(str(cast(dict[str, Any], session).get("id")))


def _presented(each: Presented) -> dict[str, str]:
    shown = {"session": each.session, "voucher": to_base64url(each.raw)}
    return shown | ({"tick": to_base64url(each.tick)} if each.tick else {})


class _Shown(msgspec.Struct, frozen=True):
    """A session as the hub shows it; members that a newer hub adds are passed over."""

    id: str
    state: str
    device: str
    payee: str
    asset: str
    key: str
    purpose: str
    deposit: str
    promised: str
    sequence: str
    captured: str
    ends_at: str
    closes_at: str
    tariff: dict[str, Any]


def _seen(told: Mapping[str, Any]) -> SeenSession:
    try:
        shown = msgspec.convert(told, _Shown)
        return SeenSession(
            session=shown.id,
            closed=shown.state == "closed",
            device=shown.device,
            payee=shown.payee,
            asset=shown.asset,
            key=shown.key,
            tariff=canonical_json(read_tariff(shown.tariff).members()).decode(),
            purpose=shown.purpose,
            deposit=parse_units(shown.deposit),
            promised=parse_units(shown.promised),
            sequence=parse_units(shown.sequence),
            captured=parse_units(shown.captured),
            ends_ns=parse_time(shown.ends_at) * NS,
            closes_ns=parse_time(shown.closes_at) * NS,
        )
    except (msgspec.ValidationError, Malformed):
        raise _unreadable() from None


def _drawn(item: Any) -> int | FarthingError:
    told = cast(dict[str, Any], item) if isinstance(item, dict) else {}
    try:
        if isinstance(told.get("drawn"), dict):
            return parse_units(told["drawn"]["promised"])
        return error_told(int(told["problem"]["status"]), told["problem"])
    except (KeyError, TypeError, ValueError, Malformed):
        raise _unreadable() from None


def _object(raw: bytes) -> dict[str, Any]:
    try:
        value = read_json(raw)
    except Malformed:
        value = None
    if not isinstance(value, dict):
        raise _unreadable()
    return cast(dict[str, Any], value)


def _order(signed: SignedOrder, place: str) -> dict[str, Any]:
    body = {"order": signed.order.members(), "signature": to_base64url(signed.signature)}
    return body | ({"place": place} if place else {})


def _unreadable() -> OutcomeUnknown:
    return OutcomeUnknown("hub-answer-unreadable", "the hub's answer is no answer")
