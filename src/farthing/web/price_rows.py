"""The price file as it is written: its tables and keys, what they mean, and their schema."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from farthing.core.prices import METHODS, RERUN_MAX

_Text = Annotated[str, Meta(max_length=200)]
_Device = Annotated[
    str, Meta(pattern="^dev_[0-9a-z]{26}$", examples=["dev_01m8as21r3mdmtv1ecdc75xsr0"])
]
_Time = Annotated[datetime, Meta(tz=True)]


class SellerRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """Who sells."""

    realm: Annotated[_Text, Meta(description="The protection space shown to payers.")] = ""
    payee: Annotated[_Text, Meta(description="The account that is paid: acc_...")] = ""
    prefixes: Annotated[
        list[str],
        Meta(description="Paths under which everything without a price is refused."),
    ] = []


class OfferRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One price tag."""

    path: Annotated[
        str,
        Meta(
            description="/exact, /with/{name}, or /everything/below/*",
            pattern="^/",
            examples=["/weather/{town}"],
        ),
    ]
    price: Annotated[
        str, Meta(description='An amount and an asset: "0.0015 USD".', examples=["0.0015 USD"])
    ]
    methods: Annotated[
        list[str], Meta(description=f"Some of {', '.join(sorted(METHODS))}.", min_length=1)
    ] = msgspec.field(default_factory=lambda: ["GET"])
    name: Annotated[_Text, Meta(description="How logs and lists call it.")] = ""
    payee: Annotated[_Text, Meta(description="The account paid instead of the seller's.")] = ""
    description: Annotated[_Text, Meta(description="What payers are told they buy.")] = ""
    category: Annotated[_Text, Meta(description="What mandates can allow or not.")] = ""
    valid_from: Annotated[_Time | None, Meta(description="From when the price stands.")] = None
    valid_until: Annotated[_Time | None, Meta(description="When it ends, excluded.")] = None
    mode: Annotated[
        Literal["hold", "charge"],
        Meta(description="hold first and capture at the answer's head, or charge in one step."),
    ] = "hold"
    on_broken: Annotated[
        Literal["keep", "refund"],
        Meta(description="What happens to the money when an answer breaks off."),
    ] = "keep"
    rerun: Annotated[
        int, Meta(ge=0, le=RERUN_MAX, description="How often one payment may run a GET again.")
    ] = 0
    free_for: Annotated[list[_Device], Meta(description="Devices that pay nothing.")] = []
    bind_body: Annotated[
        bool,
        Meta(description="Whether the price is bound to the request body's digest."),
    ] = True


class PriceFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a seller asks, and for what."""

    seller: SellerRow = SellerRow()
    offer: list[OfferRow] = []


ROWS: dict[str, type[msgspec.Struct]] = {"": PriceFile, "seller": SellerRow, "offer": OfferRow}


def schema() -> dict[str, Any]:
    """Give the price file's JSON schema."""
    named = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Farthing price file",
    }
    return named | msgspec.json.schema(PriceFile)
