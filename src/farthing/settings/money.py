"""Fees, and the rails that money comes and goes by."""

from typing import Annotated, Literal

import msgspec

from farthing.money import UNITS_MAX
from farthing.settings.told import SOME_ACCOUNT, told


class RailSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What moves money in and out."""

    simulated: Annotated[
        bool, told("a rail that moves no money: for trying things, never beside real ones")
    ] = False
    simulated_top_up_max: Annotated[
        int, told("units that one top-up by it brings in at most", ge=1, le=UNITS_MAX)
    ] = 10**12
    simulated_open_max: Annotated[
        int,
        told("units of an asset that it has let in and not out, at most", ge=1, le=UNITS_MAX),
    ] = 10**17


class FeeSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What the hub takes of payments in one asset: see docs/howto/take-a-fee.md."""

    account: Annotated[
        str,
        told(
            "the account that gets it: acc_…",
            pattern=r"^acc_[0-9a-z]{26}$",
            examples=[SOME_ACCOUNT],
        ),
    ]
    ppm: Annotated[
        int, told("a share of what is captured, in millionths: 10000 is 1 %", ge=0, le=1_000_000)
    ] = 0
    flat: Annotated[str, told("an amount that is added to the share: 0.0001 USD")] = ""
    minimum: Annotated[str, told("the least that is taken of anything captured")] = ""
    rounding: Annotated[
        Literal["down", "up", "half-even"], told("how the share is rounded, once")
    ] = "down"
    on_refund: Annotated[
        Literal["return", "keep"], told("what becomes of it when a payment is refunded")
    ] = "return"
