"""A real hub for the machine of meters, on either engine: it can be away, or lose its replies."""

import asyncio
from collections.abc import Callable
from pathlib import Path
from typing import Any

from farthing import ids
from farthing.core.meters import SeenSession
from farthing.services.session_hub import EmbeddedSessions
from farthing.testing.bad_line import BadLine
from tests.web.api.town import LOCAL, config_in, open_town

_MS = 1_000_000


class TownSessions(BadLine):
    """The sessions of a whole hub in this process, as a seller asks for them.

    Shape: `run` runs what is awaited; a test asks between two of its steps.
    """

    def __init__(self, folder: Path, clock: Any, run: Callable[[Any], Any], books: Any) -> None:
        config = config_in(folder)
        if books is not None:
            config = type(config)(folder=str(folder), server=config.server, books=books)
        self._opened = open_town(folder, clock=clock, config=config)
        self.town = run(self._opened.__aenter__())
        self._run, self._clock = run, clock
        ctx = self.town.hub.ctx
        by = self.town.owners["seller"]
        self._inner = EmbeddedSessions(self.town.hub.desk.sessions, ctx, by)
        self.machine = self.town.machines["meter"]

    def close_town(self) -> None:
        """Close the hub."""
        self._run(self._opened.__aexit__(None, None, None))

    def nonce(self) -> str:
        """Make a nonce as a device does."""
        return ids.encode(ids.fresh(self._clock() // _MS))

    @property
    def sessions(self) -> "TownSessions":
        """Look at a session as it stands: `sessions[id]`."""
        return self

    def __getitem__(self, session: str) -> SeenSession:
        return self._run(self._inner.look_up(session))

    def revoke(self, device: str) -> None:
        """Have the owner revoke a device."""
        self._run(self.town.made("POST", f"/v1/devices/{device}/revoke", who=LOCAL))

    def end(self, session: str) -> None:
        """Have its payer end a session."""
        self._run(self.town.made("POST", f"/v1/sessions/{session}/end", who=LOCAL))

    def __getattr__(self, verb: str) -> Any:
        if verb.startswith("_"):
            raise AttributeError(verb)
        ask = getattr(self._inner, verb)

        async def asked(*args: Any, **more: Any) -> Any:
            await asyncio.sleep(0)
            self._begin()
            return self._answer(await ask(*args, **more))

        return asked
