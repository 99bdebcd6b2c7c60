"""A server that lets in as many connections as it has places, and no address more than its share.

uvicorn bounds requests but not connections, and sees one only after its TLS handshake; so
connections are counted here, from the moment they are accepted.
"""

import asyncio
import contextlib
import socket
from collections.abc import Generator
from typing import Any

import uvicorn

from farthing.log_lines import Log
from farthing.sharing import Room
from farthing.web.guard import Guard, no_room
from farthing.web.patience import LINGER_SECONDS
from farthing.web.problems import problem_answer
from farthing.web.strict_http import StrictHttp, written

log = Log("door")

HANDSHAKE_SECONDS = 15.0
_LEAVING_MAX = 256
"""How many of those that are turned away get the time to read why."""

AT_ONCE, AT_ONCE_BESIDE_OTHERS = 64, 1
"""How many are let in before anything else is done; one of several processes leaves others some."""

_PAUSE_SECONDS = 0.2


def guarded(guard: Guard) -> type[StrictHttp]:
    """Give the protocol of a server whose connections share these bounds."""
    return type("GuardedHttp", (StrictHttp,), {"guard": guard})


class Place:
    """One connection's place, given back once, whatever becomes of the connection."""

    def __init__(self, places: Room, who: str) -> None:
        self._places, self._who, self._taken = places, who, True

    def leave(self) -> None:
        """Give the place back."""
        if self._taken:
            self._taken = False
            self._places.give(self._who)


class BoundedServer(uvicorn.Server):
    """Accepts by itself what it is given to listen on, and leaves signals to who runs it."""

    def __init__(self, config: uvicorn.Config, guard: Guard, at_once: int = AT_ONCE) -> None:
        super().__init__(config)
        self._guard, self._at_once = guard, at_once
        self._welcoming: set[asyncio.Task[None]] = set()
        self._short, self._leaving = False, 0

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave signals alone: a signal that is raised again at the end, as uvicorn does, ends the
        process before what is left to do, such as giving money back.
        """
        yield

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start to accept."""
        await super().startup(sockets=[])
        for listener in sockets or []:
            listener.setblocking(False)
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """Accept no more, and finish what was accepted."""
        for listener in sockets or []:
            asyncio.get_running_loop().remove_reader(listener)
        for task in self._welcoming:
            task.cancel()
        await super().shutdown(sockets)

    def _accept(self, listener: socket.socket) -> None:
        for _ in range(self._at_once):
            try:
                connection, address = listener.accept()
            except (BlockingIOError, InterruptedError, ConnectionAbortedError):
                self._short = False
                return
            except OSError as fault:
                self._rest(listener, fault)
                return
            self._let_in(connection, address)

    def _rest(self, listener: socket.socket, fault: OSError) -> None:
        """Leave a moment to those who are in, where the system has no more files for us."""
        if not self._short:
            hint = "raise the limit of open files (ulimit -n, LimitNOFILE)"
            log.error("connections.refused", why=fault, hint=hint)
        self._short = True
        loop = asyncio.get_running_loop()
        loop.remove_reader(listener)
        loop.call_later(_PAUSE_SECONDS, self._go_on, listener)

    def _go_on(self, listener: socket.socket) -> None:
        if not self.should_exit and listener.fileno() >= 0:
            asyncio.get_running_loop().add_reader(listener, self._accept, listener)

    def _let_in(self, connection: socket.socket, address: Any) -> None:
        connection.setblocking(False)
        who = self._guard.who(address)
        verdict = self._guard.places.take(who)
        if verdict:
            self._turn_away(connection, no_room(verdict, "too many connections"))
            return
        task = asyncio.create_task(self._welcome(connection, Place(self._guard.places, who)))
        self._welcoming.add(task)
        task.add_done_callback(self._welcoming.discard)

    def _turn_away(self, connection: socket.socket, problem: Any) -> None:
        answer = problem_answer(problem)
        StrictHttp.refused[answer.status] += 1
        if self.config.ssl is None:  # Before a handshake nothing can be said.
            _say(connection, written(answer))
        if self.config.ssl is None and self._leaving < _LEAVING_MAX:
            self._leaving += 1
            asyncio.get_running_loop().call_later(LINGER_SECONDS, self._close, connection)
        else:
            connection.close()

    def _close(self, connection: socket.socket) -> None:
        self._leaving -= 1
        connection.close()

    async def _welcome(self, connection: socket.socket, place: Place) -> None:
        config, loop = self.config, asyncio.get_running_loop()
        http: Any = config.http_protocol_class

        def protocol() -> StrictHttp:
            state = self.lifespan.state
            made = http(config=config, server_state=self.server_state, app_state=state)
            made.left = place.leave
            return made

        seconds = HANDSHAKE_SECONDS if config.ssl is not None else None
        try:
            _send_at_once(connection)
            await loop.connect_accepted_socket(
                protocol, connection, ssl=config.ssl, ssl_handshake_timeout=seconds
            )
        except (OSError, asyncio.CancelledError):  # Of a handshake too: it came to nothing.
            connection.close()
            place.leave()


def _send_at_once(connection: socket.socket) -> None:
    if connection.family != socket.AF_UNIX:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)


def _say(connection: socket.socket, word: bytes) -> None:
    try:
        connection.send(word)
        connection.shutdown(socket.SHUT_WR)
    except OSError:
        return  # It has gone already.
