"""Everything the ways in may call, in one place."""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass, field

from farthing.rails.base import Rail
from farthing.services.access import Access
from farthing.services.batches import Batches
from farthing.services.context import Context
from farthing.services.event_feed import EventFeed
from farthing.services.movements import Movements
from farthing.services.notices import Notices
from farthing.services.organisation import Organisation
from farthing.services.payments import Payments
from farthing.services.people import People
from farthing.services.scorers import Scorers
from farthing.services.sessions import Sessions
from farthing.services.streams import Streams
from farthing.services.ticking import Ticking
from farthing.services.trials import Trials
from farthing.services.turns import Turns
from farthing.settings import Config


async def _no_metrics() -> bytes:
    return b""


def _no_fault() -> str:
    return ""


@dataclass(slots=True)
class Desk:
    """The services of one running hub.

    Shape: `streams` has places for long answers, `feed` the events that they tell; lists are
           made in `turns`; `organisation` is what people sign in by; `movements` go by `rails`;
           `scorers` are those of this process, where it scores; rules are tried in `trials`;
           `metrics` writes the page of metrics; `fault` says in a word why payments cannot be
           taken now, nothing if they can.
    """

    ctx: Context
    config: Config
    payments: Payments
    sessions: Sessions
    batches: Batches
    access: Access
    people: People
    notices: Notices
    closing: bool = False
    metrics: Callable[[], Awaitable[bytes]] = _no_metrics
    fault: Callable[[], str] = _no_fault
    streams: Streams = field(init=False)
    feed: EventFeed = field(init=False)
    ticking: Ticking = field(init=False)
    movements: Movements = field(init=False)
    rails: Mapping[str, Rail] = field(default_factory=dict[str, Rail])
    turns: Turns = field(default_factory=Turns)
    organisation: Organisation | None = None
    scorers: Scorers | None = None
    trials: Trials = field(init=False)

    def __post_init__(self) -> None:
        """Open the places that the configuration allows."""
        self.streams = Streams(self.config.limits)
        self.feed = EventFeed(self.ctx, lambda: self.closing)
        self.ticking = Ticking(self.ctx, self.sessions)
        self.movements = Movements(self.ctx, self.rails)
        self.trials = Trials(self.ctx, self.config.path("last-backtest.json"))
