"""The price file as it is written: its tables and keys, what they mean, and their schema."""

from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from msgspec import Meta

from farthing.core.prices import METHODS, RERUN_MAX
from farthing.core.sessions import GRACE_SECONDS, GRACE_SECONDS_MAX, LIFETIME_SECONDS_MAX
from farthing.core.usage import LIFETIME_SECONDS

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


class TierRow(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """One step of a metered price, up to a count."""

    price: Annotated[str, Meta(description="An amount and an asset, for every `every`.")]
    up_to: Annotated[int, Meta(ge=1, description="The last count that this step is for.")]
    every: Annotated[int, Meta(ge=1, description="How many the price is for.")] = 1
    flat: Annotated[str, Meta(description="An amount that the step costs once.")] = ""


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
    per: Annotated[
        str,
        Meta(
            max_length=40,
            description="What is metered: request, second, byte, or what the handler counts.",
        ),
    ] = ""
    every: Annotated[int, Meta(ge=1, description="How many of it the price is for.")] = 1
    tiers: Annotated[
        list[TierRow], Meta(max_length=31, description="Steps before the price of the rest.")
    ] = []
    model: Annotated[
        Literal["graduated", "volume", "package"], Meta(description="How steps meet a count.")
    ] = "graduated"
    rounding: Annotated[
        Literal["up", "down", "half-even"], Meta(description="How the whole is rounded, once.")
    ] = "up"
    opening: Annotated[str, Meta(description="An amount that a session costs to begin.")] = ""
    minimum: Annotated[str, Meta(description="The least that a used session costs.")] = ""
    reserve: Annotated[
        int, Meta(ge=1, description="The count that is promised before an answer begins.")
    ] = 1
    deposit: Annotated[str, Meta(description="An amount that payers are advised to hold.")] = ""
    lifetime_seconds: Annotated[
        int, Meta(ge=1, le=LIFETIME_SECONDS_MAX, description="How long a session may last.")
    ] = LIFETIME_SECONDS
    grace_seconds: Annotated[
        int,
        Meta(ge=0, le=GRACE_SECONDS_MAX, description="How long vouchers may be handed in after."),
    ] = GRACE_SECONDS


class PriceFile(msgspec.Struct, forbid_unknown_fields=True, frozen=True):
    """What a seller asks, and for what."""

    seller: SellerRow = SellerRow()
    offer: list[OfferRow] = []


ROWS: dict[str, type[msgspec.Struct]] = {
    "": PriceFile,
    "seller": SellerRow,
    "offer": OfferRow,
    "offer.tiers": TierRow,
}


def schema() -> dict[str, Any]:
    """Give the price file's JSON schema."""
    named = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "title": "A Farthing price file",
    }
    return named | msgspec.json.schema(PriceFile)
