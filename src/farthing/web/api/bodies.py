"""The API's bodies. Amounts are decimal strings of units; times RFC 3339 in UTC."""

from typing import Annotated, Any, Literal

import msgspec

from farthing.core.cases import REASON_CHARACTERS_MAX
from farthing.core.mandates import BUDGETS_MAX
from farthing.core.notices import DIGEST_SECONDS_MAX
from farthing.core.sessions import GRACE_SECONDS, GRACE_SECONDS_MAX, LIFETIME_SECONDS_MAX
from farthing.core.usage import LIFETIME_SECONDS
from farthing.core.webhooks import OVERLAP_SECONDS
from farthing.money import UNITS_MAX

Units = Annotated[str, msgspec.Meta(pattern="^(0|[1-9][0-9]{0,18})$", examples=["1500"])]
Text = Annotated[str, msgspec.Meta(max_length=200)]
Name = Annotated[str, msgspec.Meta(max_length=200, pattern=r"\S", examples=["Parkside"])]
NameOrNone = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^$|\S", examples=["till"])]
Ident = Annotated[str, msgspec.Meta(min_length=5, max_length=40)]
Moment = Annotated[str, msgspec.Meta(max_length=30, examples=["2026-11-22T21:00:00Z"])]
Names = Annotated[list[Text], msgspec.Meta(max_length=64)]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is sent to us: unknown members are an error."""


class OwnerBody(Body, frozen=True, kw_only=True):
    """A new owner."""

    name: Name
    time_zone: Text = "UTC"


class PersonBody(Body, frozen=True, kw_only=True):
    """Somebody who signs in to the pages for an owner."""

    name: Name
    roles: list[Literal["owner", "operator", "ward"]]
    owner: Ident | None = None


class KeyBody(Body, frozen=True, kw_only=True):
    """A new API key. Only the operator may name another owner."""

    scopes: list[Literal["operator", "owner", "seller", "read", "metrics"]]
    label: NameOrNone = ""
    owner: Ident | None = None


class AccountBody(Body, frozen=True, kw_only=True):
    """A new account in one asset."""

    asset: Text
    name: NameOrNone = ""
    owner: Ident | None = None


class CreditBody(Body, frozen=True, kw_only=True):
    """Test money for an account."""

    account: Ident
    units: Units
    asset: Text


class BudgetBody(Body, frozen=True, kw_only=True):
    """A limit per period: `day`, `week`, `month`, or a length such as `15m`."""

    name: NameOrNone
    per: Text
    limit: Units
    payees: Names = []
    categories: Names = []


class MandateBody(Body, frozen=True, kw_only=True):
    """What a device may spend. Empty lists allow everything."""

    asset: Text
    name: NameOrNone = ""
    largest: Units | None = None
    budgets: Annotated[list[BudgetBody], msgspec.Meta(max_length=BUDGETS_MAX)] = []
    payees: Names = []
    categories: Names = []
    hours: Names = []
    time_zone: Text | None = None
    expires: Moment | None = None
    ask_above: Units | None = None
    two_above: Units | None = None
    ask_seconds: Annotated[int, msgspec.Meta(ge=10, le=604_800)] = 900
    on_timeout: Literal["refuse", "allow"] = "refuse"
    owner: Ident | None = None


class InvitationBody(Body, frozen=True, kw_only=True):
    """An invitation for a device: what it will spend from, and under which mandate."""

    account: Ident
    mandate: Ident
    name: NameOrNone = ""
    seconds: Annotated[int, msgspec.Meta(ge=30, le=86_400)] = 600


class EnrolBody(Body, frozen=True, kw_only=True):
    """A device takes up its invitation."""

    code: Text
    public_key: Text
    signature: Text


class RotateBody(Body, frozen=True, kw_only=True):
    """A device names its next key; both keys sign."""

    public_key: Text
    signature_old: Text
    signature_new: Text
    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=604_800)] = 3600


class AssignBody(Body, frozen=True, kw_only=True):
    """The mandate a device is put under."""

    mandate: Ident


class FeeBody(Body, frozen=True, kw_only=True):
    """What an offer's payee gives to another account of each payment; `ppm` is in millionths."""

    account: Ident
    ppm: Annotated[int, msgspec.Meta(ge=0, le=1_000_000)] = 0
    flat: Units = "0"
    minimum: Units = "0"
    rounding: Literal["down", "up", "half-even"] = "down"
    on_refund: Literal["return", "keep"] = "return"


class MeteredBody(Body, frozen=True, kw_only=True):
    """How an offer is metered: the tariff that its sessions agree to, and what payers are told."""

    tariff: dict[str, Any]
    reserve: Annotated[int, msgspec.Meta(ge=1, le=UNITS_MAX)] = 1
    deposit: Units = "0"
    lifetime_seconds: Annotated[int, msgspec.Meta(ge=1, le=LIFETIME_SECONDS_MAX)] = LIFETIME_SECONDS
    grace_seconds: Annotated[int, msgspec.Meta(ge=0, le=GRACE_SECONDS_MAX)] = GRACE_SECONDS


class OfferBody(Body, frozen=True, kw_only=True):
    """A price tag: an `amount`, or how it is `metered`."""

    payee: Ident
    method: Text = "GET"
    path: Text
    asset: Text
    amount: Units | None = None
    description: Text = ""
    category: Text = ""
    valid_from: Moment | None = None
    valid_until: Moment | None = None
    free_for: Names = []
    listed_at: Text = ""
    fee: FeeBody | None = None
    metered: MeteredBody | None = None


class OrderBody(Body, frozen=True, kw_only=True):
    """An order's members, exactly as they are signed."""

    amount: Text
    asset: Text
    device: Text
    expires: Text
    hub: Text
    nonce: Text
    payee: Text
    challenge: Text = ""
    resource: Annotated[str, msgspec.Meta(max_length=2048)] = ""


class PaymentBody(Body, frozen=True, kw_only=True):
    """A signed order, to be paid at once."""

    order: OrderBody
    signature: Text
    category: Text = ""


class SessionBody(Body, frozen=True, kw_only=True):
    """A signed order that opens a session, and the tariff that it names by its hash.

    Its payee may name the `offer` in the hub that it is for.
    """

    order: OrderBody
    signature: Text
    tariff: dict[str, Any]
    category: Text = ""
    offer: Text = ""


class SignedBody(Body, frozen=True, kw_only=True):
    """A signed order."""

    order: OrderBody
    signature: Text


class BatchBody(Body, frozen=True, kw_only=True):
    """Orders that are signed one by one; or one `batch` in base64url with its one signature."""

    payments: Annotated[list[SignedBody], msgspec.Meta(max_length=1000)] = []
    batch: Annotated[str, msgspec.Meta(max_length=1_048_576)] = ""
    signature: Text = ""


Voucher = Annotated[str, msgspec.Meta(min_length=1, max_length=220)]


Tick = Annotated[str, msgspec.Meta(max_length=40)]


class VoucherBody(Body, frozen=True, kw_only=True):
    """A voucher in base64url, and the highest tick of its ladder where there is one.

    Shape: `late` where its payee hands in what it had accepted before.
    """

    voucher: Voucher
    tick: Tick = ""
    late: bool = False


class PresentedBody(Body, frozen=True, kw_only=True):
    """A voucher for a session, and the highest tick of its ladder where there is one."""

    session: Ident
    voucher: Voucher
    tick: Tick = ""


class SocketVoucherBody(Body, frozen=True, kw_only=True):
    """A voucher in a message of a WebSocket."""

    session: Ident
    voucher: Voucher
    tick: Tick = ""
    late: bool = False


class VouchersBody(Body, frozen=True, kw_only=True):
    """Many vouchers at once."""

    vouchers: Annotated[list[PresentedBody], msgspec.Meta(min_length=1, max_length=1000)]
    late: bool = False


class TickBody(Body, frozen=True, kw_only=True):
    """A tick in base64url; `late` where its payee hands in what it had accepted before."""

    tick: Tick
    late: bool = False


class PresentedTickBody(Body, frozen=True, kw_only=True):
    """A tick for a session."""

    session: Ident
    tick: Tick


class TicksBody(Body, frozen=True, kw_only=True):
    """Many ticks at once."""

    ticks: Annotated[list[PresentedTickBody], msgspec.Meta(min_length=1, max_length=1000)]
    late: bool = False


class CancelBody(Body, frozen=True, kw_only=True):
    """An order that is never to be paid; its device signs that in words of its own."""

    order: OrderBody
    signature: Text


class OnceBody(Body, frozen=True, kw_only=True):
    """A buyer's idempotency key: one payment for it and its content."""

    method: Annotated[str, msgspec.Meta(max_length=10)]
    route: Annotated[str, msgspec.Meta(max_length=4096)]
    key: Annotated[str, msgspec.Meta(min_length=1, max_length=128)]
    content: Annotated[str, msgspec.Meta(min_length=43, max_length=43)]


class AuthoriseBody(Body, frozen=True, kw_only=True):
    """A signed order that a seller received, and how it wants the money.

    `offer` is the offer in the hub that it is for, if it is for one.
    """

    order: OrderBody
    signature: Text
    hold_seconds: Annotated[int, msgspec.Meta(ge=1, le=86_400)] = 60
    capture: bool = False
    category: Text = ""
    only_recorded: bool = False
    claim: Annotated[str, msgspec.Meta(max_length=64)] = ""
    once: OnceBody | None = None
    offer: Text = ""


class CaptureBody(Body, frozen=True, kw_only=True):
    """How much of a hold to capture; all of it if left out."""

    units: Units | None = None


class ReasonBody(Body, frozen=True, kw_only=True):
    """Why."""

    reason: Text = ""


class VerdictBody(Body, frozen=True, kw_only=True):
    """What a flagged payment was, and why. `anew` decides once more what was decided."""

    verdict: Literal["fraud", "legitimate", "unclear"]
    reason: Annotated[
        str,
        msgspec.Meta(
            max_length=REASON_CHARACTERS_MAX, pattern=r"\S", examples=["the locker was broken open"]
        ),
    ]
    anew: bool = False


class RefundBody(Body, frozen=True, kw_only=True):
    """How much to give back; all that is left if left out. `id` is `ref_…`, made by you."""

    id: Ident | None = None
    units: Units | None = None
    reason: Text = ""


Url = Annotated[str, msgspec.Meta(max_length=1000, examples=["https://shop.example/paid"])]
EventNumber = Annotated[str, msgspec.Meta(pattern="^(0|[1-9][0-9]{0,17})$", examples=["4096"])]


class WebhookBody(Body, frozen=True, kw_only=True):
    """Where events are sent; `kinds` are such as `payment.captured`, or `payment.*`.

    Without any, all are sent.
    """

    url: Url
    kinds: Names = []
    label: NameOrNone = ""
    owner: Ident | None = None


class RotateWebhookBody(Body, frozen=True, kw_only=True):
    """For how long the last secret signs as well."""

    overlap_seconds: Annotated[int, msgspec.Meta(ge=0, le=604_800)] = OVERLAP_SECONDS


class ReplayBody(Body, frozen=True, kw_only=True):
    """Which events are sent again: those after one, up to another or to the newest."""

    after: EventNumber = "0"
    until: EventNumber | None = None


Seconds = Annotated[int, msgspec.Meta(ge=0, le=DIGEST_SECONDS_MAX)]
Ways = Annotated[
    list[Literal["push", "email", "sms", "webhook", "apprise"]], msgspec.Meta(max_length=5)
]


class WishBody(Body, frozen=True, kw_only=True):
    """How a class of notices is told: the first of these ways that works; none turns it off."""

    ways: Ways
    digest_seconds: Seconds = 0


class ClassesBody(Body, frozen=True, kw_only=True):
    """What a person is told. A class that is left out stays as it is."""

    security: WishBody | None = None
    money: WishBody | None = None
    account: WishBody | None = None
    summary: WishBody | None = None


class WishesBody(Body, frozen=True, kw_only=True):
    """What a person wants to be told, and when. What is left out stays as it is."""

    classes: ClassesBody = ClassesBody()
    quiet: Names | None = None
    time_zone: Text | None = None
    language: Literal["en", "de"] | None = None
    shows_amounts: bool | None = None


class PushKeysBody(Body, frozen=True, kw_only=True):
    """A browser's keys for its pushes, as its subscription has them."""

    p256dh: Text
    auth: Text


class AddressBody(Body, frozen=True, kw_only=True):
    """Where a person wants to be told: a mailbox, a number, a URL."""

    way: Literal["push", "email", "sms", "webhook", "apprise"]
    place: Annotated[str, msgspec.Meta(max_length=1000, examples=["ada@home.example"])]
    label: NameOrNone = ""
    keys: PushKeysBody | None = None


class AddressCodeBody(Body, frozen=True, kw_only=True):
    """The code that was sent to an address."""

    code: Annotated[str, msgspec.Meta(max_length=20, examples=["042137"])]


class MovementBody(Body, frozen=True, kw_only=True):
    """A top-up or a payout; `place` is where from or where to, in the rail's own words."""

    account: Ident
    units: Units
    asset: Text
    rail: Text = "simulated"
    place: Text = ""
