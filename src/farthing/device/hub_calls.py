"""What a device asks its hub itself: how a payment stands; to be enrolled; to change its key."""

from collections.abc import Mapping
from typing import Any, cast

import httpx
import msgspec

from farthing import asking, ids
from farthing.clock import NS, Clock
from farthing.codec import canonical_json, read_json, to_base64url
from farthing.core.orders import order_from_members
from farthing.device.network_faults import network_fault
from farthing.device.purse import Purse
from farthing.errors import FarthingError, Forbidden, Malformed, OutcomeUnknown, Unavailable
from farthing.protocols.message_signatures import SignedMessage, sign_request

ANSWER_BYTES_MAX = 256 * 1024
_LOOPBACK = frozenset({"localhost", "127.0.0.1", "::1", "[::1]"})
_SECONDS = 5.0
_ENDS = frozenset({"refused", "denied", "voided", "expired", "never"})
_NEVER = frozenset(
    {
        "order-expired",
        "nonce-used",
        "device-revoked",
        "unknown-payee",
        "same-account",
        "asset-mismatch",
        "nothing-to-pay",
    }
)
"""What the hub says of an order that it has not seen and will never take."""


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """How a payment stands at the hub.

    Shape: `state` is the hub's word for it; `refunded` when all was given back, `unknown-there`
           when the hub has not seen it, `never` when it has not and will not take it.
    """

    payment: str
    state: str
    reason: str = ""
    receipt: dict[str, Any] | None = None

    @property
    def over_unpaid(self) -> bool:
        """Tell that no money was taken, and none will be."""
        return self.state in _ENDS or self.state == "refunded"

    @property
    def taken(self) -> bool:
        """Tell that money was taken, and not all of it given back."""
        return self.state == "captured"

    @property
    def unseen(self) -> bool:
        """Tell that the hub has not seen the payment yet."""
        return self.state == "unknown-there"


def check_private(url: httpx.URL | str, *, plain_http: bool) -> None:
    """Refuse to send a credential, or a code, where others can read it.

    Raises: Malformed `not-private` for plain HTTP to anything but this machine; `malformed-url`.
    """
    url = _whole(url)
    if url.scheme != "https" and url.host not in _LOOPBACK and not plain_http:
        detail = f"{url.scheme}://{url.host} can be read by others; use https, or allow plain HTTP"
        raise Malformed("not-private", detail)


def _whole(url: httpx.URL | str) -> httpx.URL:
    try:
        read = httpx.URL(url)
    except httpx.InvalidURL:
        read = httpx.URL()
    if read.scheme in ("http", "https") and read.host:
        return read
    raise Malformed("malformed-url", f"{str(url)!r} is no URL like https://hub.example")


class Borrowed(httpx.AsyncBaseTransport):
    """Another client's transport, lent for a question and not closed after it."""

    def __init__(self, inner: httpx.AsyncBaseTransport) -> None:
        self._inner = inner

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """Pass a request on."""
        return await self._inner.handle_async_request(request)


async def look_up(
    transport: httpx.AsyncBaseTransport, purse: Purse, payment: str, clock: Clock
) -> Standing | None:
    """Ask the hub how a payment stands; None when no answer could be had.

    Source: docs/reference/device-keys.md, "Requests to the hub".
    """
    url = _at_hub(purse, f"/v1/payments/{payment}")
    fields = signed_fields(purse, "GET", url, b"", clock())
    response = await _heard(transport, "GET", url, fields)
    if response is None:
        return None
    if response.status_code == 404:
        return Standing(payment=payment, state="unknown-there")
    if response.status_code != 200:
        return None
    return _standing(payment, response)


async def cancel(
    transport: httpx.AsyncBaseTransport, purse: Purse, payment: str, members: dict[str, str]
) -> Standing | None:
    """Have the hub refuse an order for good, and hear how it stands; None when unheard.

    Shape:  `payment` is the order's, `members` the order as it is written on the wire.
    Source: docs/reference/methods.md, "Cancelling an order".
    """
    signature = purse.signer.sign(order_from_members(members).cancel_bytes())
    body = canonical_json({"order": members, "signature": to_base64url(signature)})
    url, fields = _at_hub(purse, "/v1/payments/cancel"), [("content-type", "application/json")]
    response = await _heard(transport, "POST", url, fields, body)
    if response is None:
        return None
    if response.status_code == 200:
        return _standing(payment, response)
    code = text_of(read_object(response.content), "code")
    return Standing(payment=payment, state="never", reason=code) if code in _NEVER else None


async def end_session(
    transport: httpx.AsyncBaseTransport, purse: Purse, session: str, clock: Clock
) -> bool:
    """End a session at the hub as its payer; tell whether it is over, or none is there.

    Source: docs/reference/sessions.md.
    """
    url = _at_hub(purse, f"/v1/sessions/{session}/end")
    fields = signed_fields(purse, "POST", url, b"", clock())
    response = await _heard(transport, "POST", url, fields)
    return response is not None and response.status_code in (200, 404)


def _at_hub(purse: Purse, path: str) -> httpx.URL:
    return httpx.URL(purse.hub_url.rstrip("/") + path)


async def _heard(
    transport: httpx.AsyncBaseTransport,
    method: str,
    url: httpx.URL,
    fields: list[tuple[str, str]],
    body: bytes | None = None,
) -> httpx.Response | None:
    """Ask over a lent transport; None when no answer could be had."""
    async with httpx.AsyncClient(transport=Borrowed(transport), timeout=_SECONDS) as http:
        try:
            request = http.build_request(method, url, content=body, headers=fields)
            return await asking.ask(http, request, ANSWER_BYTES_MAX)
        except httpx.HTTPError:
            return None


def signed_fields(
    purse: Purse, method: str, url: httpx.URL, body: bytes, now_ns: int
) -> list[tuple[str, str]]:
    """Give the header fields that prove to the hub which device sends this request."""
    message = SignedMessage(
        method=method,
        authority=url.netloc.decode(),
        target=url.raw_path.decode(),
        headers={},
        body=body,
    )
    nonce = ids.encode(ids.fresh(now_ns // 1_000_000))
    return sign_request(purse.signer, purse.device, message, now_s=now_ns // NS, nonce=nonce)


async def ask_hub(
    http: httpx.AsyncClient,
    url: str,
    body: Mapping[str, Any],
    *,
    plain_http: bool = False,
) -> dict[str, Any]:
    """Post a JSON object to the hub and give back the one it answers.

    Raises: Malformed `not-private`; Unavailable when the hub cannot be reached or is busy;
            the hub's own refusal, as Forbidden with its code.
    """
    check_private(url, plain_http=plain_http)
    fields = {"content-type": "application/json"}
    request = http.build_request("POST", url, content=canonical_json(body), headers=fields)
    return await _answer(http, request)


async def look_at_hub(
    http: httpx.AsyncClient, url: str, *, plain_http: bool = False
) -> dict[str, Any]:
    """Get what the hub shows to anybody.

    Raises: as `ask_hub` does.
    """
    check_private(url, plain_http=plain_http)
    return await _answer(http, http.build_request("GET", url))


async def _answer(http: httpx.AsyncClient, request: httpx.Request) -> dict[str, Any]:
    try:
        response = await asking.ask(http, request, ANSWER_BYTES_MAX)
    except httpx.HTTPError as fault:
        meant = network_fault(fault)
        if meant.code != "network":
            raise meant from None
        detail = f"{request.url}: {fault or type(fault).__name__}"
        raise Unavailable("hub-unreachable", detail) from None
    answer = read_object(response.content)
    if response.is_success:
        return answer
    raise refusal(response.status_code, answer)


def read_object(raw: bytes) -> dict[str, Any]:
    """Read a JSON object; anything else is read as an empty one."""
    if len(raw) > ANSWER_BYTES_MAX:
        return {}
    try:
        value = read_json(raw)
    except Malformed:
        return {}
    return cast(dict[str, Any], value) if isinstance(value, dict) else {}


def text_of(answer: Mapping[str, Any], name: str) -> str:
    """Read a text member of an answer; empty when it is not there."""
    value = answer.get(name)
    return value if isinstance(value, str) else ""


def must_text(answer: Mapping[str, Any], name: str) -> str:
    """Read a text member that an answer must have.

    Raises: OutcomeUnknown `malformed-answer`.
    """
    value = text_of(answer, name)
    if not value:
        raise OutcomeUnknown("malformed-answer", f"the hub's answer has no {name}")
    return value


def _standing(payment: str, response: httpx.Response) -> Standing | None:
    answer = read_object(response.content)
    state = text_of(answer, "state")
    if not state:
        return None
    if state == "captured" and text_of(answer, "refunded") == text_of(answer, "captured") != "":
        state = "refunded"
    told = answer.get("receipt")
    receipt = cast(dict[str, Any], told) if isinstance(told, dict) else None
    return Standing(
        payment=text_of(answer, "id") or payment,
        state=state,
        reason=text_of(answer, "reason"),
        receipt=receipt,
    )


def refusal(status: int, answer: Mapping[str, Any]) -> FarthingError:
    """Make of the hub's problem an error with its code."""
    code = text_of(answer, "code") or f"http-{status}"
    detail = text_of(answer, "detail") or f"the hub answered {status}"
    if status >= 500:
        return Unavailable(code, detail)
    return Forbidden(code, detail)
