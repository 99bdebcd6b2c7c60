"""Sessions, vouchers and ticks."""

from typing import Annotated, Any

import msgspec

from farthing.web.api.bodies.base import Body, Ident, Text
from farthing.web.api.bodies.payments import OrderBody, Place


class SessionBody(Body, frozen=True, kw_only=True):
    """A signed order that opens a session, and the tariff that it names by its hash.

    Its payee may name the `offer` in the hub that it is for, and the network that its payer asked
    from as `place`.
    """

    order: OrderBody
    signature: Text
    tariff: dict[str, Any]
    category: Text = ""
    offer: Text = ""
    place: Place = ""


class DepositBody(Body, frozen=True, kw_only=True):
    """A signed order that tops a session up; its payee may say from which network as `place`."""

    order: OrderBody
    signature: Text
    place: Place = ""


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
