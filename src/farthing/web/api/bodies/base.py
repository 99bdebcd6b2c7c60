"""What every body is, and the words that fields are made of."""

from typing import Annotated

import msgspec

Units = Annotated[str, msgspec.Meta(pattern="^(0|[1-9][0-9]{0,18})$", examples=["1500"])]
Text = Annotated[str, msgspec.Meta(max_length=200)]
Name = Annotated[str, msgspec.Meta(max_length=200, pattern=r"\S", examples=["Parkside"])]
NameOrNone = Annotated[str, msgspec.Meta(max_length=200, pattern=r"^$|\S", examples=["till"])]
Ident = Annotated[str, msgspec.Meta(min_length=5, max_length=40)]
Moment = Annotated[str, msgspec.Meta(max_length=30, examples=["2026-11-22T21:00:00Z"])]
Names = Annotated[list[Text], msgspec.Meta(max_length=64)]


class Body(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """What is sent to us: unknown members are an error."""
