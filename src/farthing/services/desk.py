"""Everything the ways in may call, in one place."""

from dataclasses import dataclass

from farthing.config import Config
from farthing.services.access import Access
from farthing.services.context import Context
from farthing.services.payments import Payments


@dataclass(slots=True)
class Desk:
    """The services of one running hub."""

    ctx: Context
    config: Config
    payments: Payments
    access: Access
    closing: bool = False
