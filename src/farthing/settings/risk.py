"""How orders are judged."""

from typing import Annotated, Any, Literal

import msgspec

from farthing.settings.told import told


class RiskSettings(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Judging orders before they are authorised: see docs/explanation/risk.md."""

    mode: Annotated[
        Literal["off", "shadow", "on"],
        told(
            "whether orders are judged; in `shadow` what is odd is recorded and stops nothing, `on`"
            " the owner is asked or the order refused"
        ),
    ] = "shadow"
    four_eyes: Annotated[
        bool, told("whether a case is decided only once two people have said the same of it")
    ] = False
    devices_max: Annotated[
        int, told("of how many devices habits are remembered", ge=1, le=10_000_000)
    ] = 20_000
    payees_max: Annotated[int, told("and of how many payees", ge=1, le=10_000_000)] = 20_000
    rules: Annotated[dict[str, Any], told("settings of rules, a table for each")] = {}
    own: Annotated[
        dict[str, Any], told("rules of your own, a table for each; needs farthing[rules]")
    ] = {}
    typologies: Annotated[dict[str, Any], told("patterns of misuse, a table for each")] = {}
