"""A gateway: it brings signed orders to the hub, many in one request, and each is paid once.

There is no timer. A lone order goes at once; what comes while a request is under way goes with
the next one. Orders may be of one device or of many, for each carries its device's signature, and
whoever brings it can change nothing of it. The same order brought again is the same payment.
"""

import asyncio
from collections import deque
from types import TracebackType
from typing import NamedTuple, Self

import httpx
import msgspec

from farthing import asking, ids
from farthing.clock import NS, Clock, system_clock
from farthing.core.orders import Order, SignedOrder
from farthing.device.hub_calls import Standing, check_private, read_object, refusal
from farthing.device.patience import Patience, Tries, retry_after
from farthing.device.purse import Purse
from farthing.errors import FarthingError, OutcomeUnknown, PaymentRefused

_ORDERS_MAX, _BYTES_MAX = 500, 900_000
_FIELDS = {"content-type": "application/msgpack"}
_SECONDS = 30.0
_LIFETIME_SECONDS = 600
_BUSY = (429, 502, 503, 504)


class _Problem(msgspec.Struct, frozen=True):
    code: str = ""
    detail: str = ""
    status: int = 0


class _Item(msgspec.Struct, frozen=True):
    id: str | None
    state: str | None
    problem: _Problem | None


class _Answer(msgspec.Struct, frozen=True):
    payments: list[_Item]


class _Waiting(NamedTuple):
    packed: msgspec.Raw
    heard: "asyncio.Future[Standing]"


class Gateway:
    """Pay orders at a hub: `async with Gateway(url) as gateway: await gateway.pay(signed)`.

    Shape: `pay` may be called side by side, thousands of times; `requests` counts what was sent.
    """

    def __init__(
        self,
        hub_url: str,
        *,
        patience: Patience | None = None,
        transport: httpx.AsyncBaseTransport | None = None,
        plain_http: bool = False,
    ) -> None:
        check_private(hub_url, plain_http=plain_http)
        self._url = hub_url.rstrip("/") + "/v1/payments/batch"
        self._patience = patience or Patience()
        self._http = httpx.AsyncClient(transport=transport, timeout=_SECONDS)
        self._waiting: deque[_Waiting] = deque()
        self._bringing: asyncio.Task[None] | None = None
        self.requests = 0

    async def __aenter__(self) -> Self:
        """Begin."""
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Bring what still waits, and let go of the connections."""
        if self._bringing is not None:
            await self._bringing
        await self._http.aclose()

    async def pay(self, signed: SignedOrder) -> Standing:
        """Pay an order, and tell how its payment stands: `captured`, or `awaiting` its owner.

        Raises: PaymentRefused; the hub's other refusals, as Forbidden with their code;
                OutcomeUnknown when it was not heard: bring the same order again.
        """
        heard: asyncio.Future[Standing] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(_packed(signed), heard))
        if self._bringing is None:
            self._bringing = asyncio.create_task(self._bring())
        return await heard

    async def _bring(self) -> None:
        try:
            while self._waiting:
                some = self._next()
                try:
                    items = await self._sent(msgspec.msgpack.encode(["payments", _raw(some)]))
                    _tell(some, items)
                except FarthingError as fault:
                    _tell_all(some, fault)
        finally:
            self._bringing = None

    def _next(self) -> list[_Waiting]:
        """Take as many as fit into one request."""
        some: list[_Waiting] = []
        size = 0
        while self._waiting and len(some) < _ORDERS_MAX:
            size += len(memoryview(self._waiting[0].packed))
            if some and size > _BYTES_MAX:
                break
            some.append(self._waiting.popleft())
        return some

    async def _sent(self, body: bytes) -> list[_Item]:
        """Send a batch until it is answered: the same bytes never pay twice."""
        tries = self._patience.begin()
        while True:
            self.requests += 1
            request = self._http.build_request("POST", self._url, content=body, headers=_FIELDS)
            try:
                answer = await asking.ask(self._http, request)
            except httpx.HTTPError as silence:
                if await tries.again():
                    continue
                detail = f"{self._url}: {silence or type(silence).__name__}; bring it again"
                raise OutcomeUnknown("outcome-unknown", detail) from None
            if answer.status_code == 200:
                return _items(answer.content)
            if not await self._again(answer, tries):
                raise refusal(answer.status_code, read_object(answer.content))

    async def _again(self, answer: httpx.Response, tries: Tries) -> bool:
        if answer.status_code not in _BUSY:
            return False
        told = answer.headers.get("retry-after", "")
        return await tries.again(retry_after(told, self._patience.clock()))


def direct_order(
    purse: Purse,
    payee: str,
    units: int,
    *,
    asset: str,
    resource: str = "",
    clock: Clock = system_clock,
) -> SignedOrder:
    """Sign an order that pays an account directly, without a seller's 402.

    Units: `units` counts the asset's smallest units.
    Shape: keep it until its outcome is known: brought again, it pays once.
    """
    now_ns = clock()
    order = Order(
        hub=purse.hub,
        device=purse.device,
        payee=payee,
        asset=asset,
        amount=units,
        nonce=ids.encode(ids.fresh(now_ns // 1_000_000)),
        expires=now_ns // NS + _LIFETIME_SECONDS,
        resource=resource,
    )
    return SignedOrder(order, purse.signer.sign(order.signed_bytes()))


def _packed(signed: SignedOrder) -> msgspec.Raw:
    members = [value for _, value in sorted(signed.order.members().items())]
    return msgspec.Raw(msgspec.msgpack.encode([*members, signed.signature]))


def _raw(some: list[_Waiting]) -> list[msgspec.Raw]:
    return [waiting.packed for waiting in some]


def _items(content: bytes) -> list[_Item]:
    try:
        return msgspec.msgpack.decode(content, type=_Answer).payments
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        raise OutcomeUnknown("malformed-answer", "the hub's answer cannot be read") from None


def _tell(some: list[_Waiting], items: list[_Item]) -> None:
    if len(items) != len(some):
        raise OutcomeUnknown("malformed-answer", "the hub has not answered each of the orders")
    for waiting, item in zip(some, items, strict=True):
        if waiting.heard.done():
            continue  # Whoever asked has gone.
        fault = _fault(item)
        if fault is None:
            waiting.heard.set_result(Standing(payment=item.id or "", state=item.state or ""))
        else:
            waiting.heard.set_exception(fault)


def _fault(item: _Item) -> FarthingError | None:
    problem = item.problem
    if problem is None:
        return None if item.id else OutcomeUnknown("malformed-answer", "a payment has no id")
    if item.state == "refused":
        return PaymentRefused(problem.code, problem.detail, payment=item.id)
    return refusal(problem.status, {"code": problem.code, "detail": problem.detail})


def _tell_all(some: list[_Waiting], fault: FarthingError) -> None:
    for waiting in some:
        if not waiting.heard.done():
            waiting.heard.set_exception(fault)
