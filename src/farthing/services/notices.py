"""What people wish to be told, and where: changed here, proven here, stopped by a link."""

import asyncio
import contextlib
import hmac
from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Literal, TypeVar

from farthing.codec import to_base64url
from farthing.core.addresses import (
    AddAddress,
    Asked,
    NewCode,
    ProveAddress,
    RemoveAddress,
)
from farthing.core.answers import AnswerAsk
from farthing.core.approvals import terms_of
from farthing.core.decisions import Unit
from farthing.core.listeners import DEFAULT, Address, Listener, SetWishes, TurnOff
from farthing.core.notices import Class, Wishes
from farthing.core.payments import PAYMENTS, Payment
from farthing.core.people import PEOPLE, Person
from farthing.core.said import By, Means
from farthing.errors import Conflict, Forbidden, Malformed, Missing, Unauthenticated
from farthing.log_lines import Log
from farthing.notifiers.base import Notice, Way
from farthing.notifiers.words import code_written
from farthing.services.context import Context
from farthing.services.showing import Showing
from farthing.store.notices import listening, pushed_to
from farthing.store.queries import one

T = TypeVar("T")
log = Log("notices")

_CODE_DIGITS = 6
_CODE_WAIT_SECONDS = 15.0
_MARK = 16
"""Bytes of a link's mark: it turns a class of notices off, and nothing else."""


class Notices:
    """The verbs of people who are told what happens.

    Shape: `ways` are those that the operator has set up; `place` is the URL that people open;
           `secret` is read when a link is first written; `limits` are the largest approvals
           without a passkey, by asset.
    """

    def __init__(
        self,
        ctx: Context,
        ways: Mapping[str, Way],
        place: str,
        secret: Callable[[], bytes],
        limits: Mapping[str, int],
    ) -> None:
        self._ctx, self.ways, self._place, self._read_secret = ctx, ways, place, secret
        self._limits = limits
        self._sending: set[asyncio.Task[None]] = set()
        self.showing = Showing(ctx, lambda: self.secret)

    @cached_property
    def secret(self) -> bytes:
        """What links and pushes are signed by."""
        return self._read_secret()

    async def of(self, person: str, owner: str | None) -> tuple[Listener, list[Address]]:
        """Give what a person wishes, and their addresses; the operator (None) sees all.

        Raises: Missing.
        """
        ctx = self._ctx
        found = await ctx.database.read(lambda tx: (one(tx, PEOPLE, person), listening(tx, person)))
        who, (listener, addresses) = found
        if who is None or who.removed_ns or owner not in (None, who.owner):
            raise Missing("no-such-person", "there is no such person here")
        return listener or Listener(who.id, who.owner, DEFAULT, [], who.created_ns), addresses

    def wishing(self, person: str, owner: str | None, wishes: Wishes) -> SetWishes:
        """Give the unit that changes what a person is told. Raises: Malformed."""
        return SetWishes(person, owner, wishes.check())

    async def add(
        self,
        person: str,
        owner: str | None,
        way: str,
        place: str,
        label: str,
        keys: str = "",
        session: str = "",
    ) -> Address:
        """Take down where a person wants to be told, and send a code there.

        Shape:  `session` names where a browser asks for its own pushes, which end with it; the
                answer is the same whoever else has that place, and whether a code was
                sent or was too much.
        Raises: Malformed `malformed-address`, `url-refused`; Conflict `way-off`,
                `too-many-addresses`; Missing.
        """
        if way not in self.ways:
            raise Conflict("way-off", f"this hub tells by: {', '.join(self.ways) or 'nothing yet'}")
        self.ways[way].check(place, keys)
        if way == "webhook":
            keys = to_base64url(self._ctx.random_bits(256).to_bytes(32, "big"))
        code = self._new_code()
        ident = self._ctx.fresh_name("adr")
        unit = AddAddress(ident, person, owner, way, place, label, code, keys, session)
        return await self._with_code(unit, code)

    async def send_code(self, address: str, owner: str | None) -> Address:
        """Send another code to an address that is not proven yet."""
        code = self._new_code()
        return await self._with_code(NewCode(address, owner, code), code)

    async def prove(self, address: str, owner: str | None, code: str) -> Address:
        """Tell notices at an address from now on, by the code that was sent there.

        Raises: Forbidden `bad-address-code`; Missing.
        """
        found = await self._do(ProveAddress(address, owner, "".join(code.split())))
        if found is None:
            raise Forbidden("bad-address-code", "this code is wrong, too old, or tried too often")
        return found

    async def remove(self, address: str, owner: str | None, why: str = "owner") -> Address:
        """Tell nothing there any more."""
        return await self._do(RemoveAddress(address, owner, why))

    def stop_url(self, person: str, about: Class) -> str:
        """Write the link that turns a class off for a person, by one click."""
        return f"{self._place}/notices/stop/{person}.{about.value}.{self._mark(person, about)}"

    @property
    def push_key(self) -> str:
        """The hub's public key for pushes, in base64url; empty where it has none."""
        return getattr(self.ways.get("push"), "public_key", "")

    def short_url(self, payment: Payment) -> str:
        """Write a short link to the page of a payment, for a text message."""
        return f"{self._place}/a/{payment.id.removeprefix('pay_')}"

    async def unsubscribe(self, person: str, place: str) -> None:
        """Push nothing to a person's browser any more. Again is no harm."""
        read = self._ctx.database.read
        found = await read(lambda tx: pushed_to(tx, person, place))
        if found is not None:
            await self.remove(found.id, found.owner)

    def may_approve(self, wishes: Wishes, payment: Payment) -> bool:
        """Tell whether a notice of this ask approves by itself: it shows the amount, and that is
        small enough to need no passkey.
        """
        limit = self._limits.get(payment.asset)
        return wishes.shows_amounts and limit is not None and payment.amount <= limit

    def ask_ticket(self, person: str, payment: Payment, *, approves: bool) -> str:
        """Write what lets a notice answer one ask: for this person, on exactly these terms."""
        answers = "both" if approves else "deny"
        return f"{payment.id}.{answers}.{self._ask_mark(person, payment, answers)}"

    async def answer(self, person: Person, ticket: str, answer: str) -> Payment:
        """Approve or deny from a notice, for whom it was and who is signed in.

        Raises: Forbidden `bad-ticket`; Unauthenticated `passkey-needed`; Conflict; Malformed.
        """
        ident, _, rest = ticket.partition(".")
        answers, _, mark = rest.partition(".")
        found = await self._ctx.database.read(lambda tx: one(tx, PAYMENTS, ident))
        if found is None or found.owner != person.owner or answers not in ("both", "deny"):
            raise Forbidden("bad-ticket", "this notice was not for you")
        if not hmac.compare_digest(
            mark.encode(), self._ask_mark(person.id, found, answers).encode()
        ):
            raise Forbidden("bad-ticket", "this notice was not for you")
        if answer not in ("approve", "deny"):
            raise Malformed("malformed-answer", "answer is approve or deny")
        if answer == "approve" and person.is_ward:
            raise Forbidden("guardian-needed", "your guardian answers this")
        if answer == "approve" and not self._may_now(found, answers):
            raise Unauthenticated("passkey-needed", "open the page and look at it there")
        said: Literal["approve", "deny"] = "approve" if answer == "approve" else "deny"
        unit = AnswerAsk(ident, person.owner, said, By(Means.NOTICE, person.id))
        done = await self._ctx.books.commit_one(unit, person.owner)
        return done.answer.payment

    def _may_now(self, payment: Payment, answers: str) -> bool:
        limit = self._limits.get(payment.asset)
        return answers == "both" and limit is not None and payment.amount <= limit

    def _ask_mark(self, person: str, payment: Payment, answers: str) -> str:
        content = f"farthing-ask-1\n{person}\n{payment.id}\n{terms_of(payment)}\n{answers}"
        return to_base64url(hmac.digest(self.secret, content.encode(), "sha256"))

    @property
    def settings_url(self) -> str:
        """Where a person says what they want to be told."""
        return f"{self._place}/account/notices"

    @property
    def place(self) -> str:
        """The URL that people open."""
        return self._place

    def stopping(self, ticket: str) -> tuple[str, Class]:
        """Read a link's ticket: who wants to be told nothing more of what.

        Raises: Malformed `malformed-link`.
        """
        person, _, rest = ticket.partition(".")
        about, _, mark = rest.partition(".")
        known = next((one for one in Class if one.value == about), None)
        if known is not None and hmac.compare_digest(
            mark.encode(), self._mark(person, known).encode()
        ):
            return person, known
        raise Malformed("malformed-link", "this link is not one of this hub's notices")

    async def stop(self, ticket: str) -> Class:
        """Turn a class off for whom the link is. Raises: Malformed; Missing."""
        person, about = self.stopping(ticket)
        await self._do(TurnOff(person, about))
        return about

    async def quiet(self) -> None:
        """Wait until codes are sent."""
        await asyncio.gather(*self._sending)

    async def close(self) -> None:
        """Send what is being sent, for a while, and let go of the ways."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(_CODE_WAIT_SECONDS):
                await self.quiet()
        for way in self.ways.values():
            await way.close()

    def _mark(self, person: str, about: Class) -> str:
        content = f"farthing-stop-1\n{person}\n{about.value}".encode()
        return to_base64url(hmac.digest(self.secret, content, "sha256")[:_MARK])

    def _new_code(self) -> str:
        number = self._ctx.random_bits(64) % 10**_CODE_DIGITS
        return f"{number:0{_CODE_DIGITS}d}"

    async def _with_code(self, unit: Unit[Asked], code: str) -> Address:
        asked = await self._do(unit)
        if asked.send:
            task = asyncio.create_task(self._send_code(asked.address, code))
            self._sending.add(task)
            task.add_done_callback(self._sending.discard)
        return asked.address

    async def _send_code(self, address: Address, code: str) -> None:
        try:
            listener, _ = await self.of(address.person, None)
            language = listener.wishes.language
            ident = f"{address.id}.{address.code_ends_ns}"
            text = code_written(language, code)
            notice = Notice(ident, "code", language, text, self.settings_url, urgent=True)
            posted = await self.ways[address.way].tell(address.place, address.keys, notice)
            if not posted.delivered:
                log.info("notices.code_not_sent", way=address.way, why=posted.fault)
        except Exception as fault:
            log.error("notices.failed", fault=fault)

    async def _do(self, unit: Unit[T]) -> T:
        return (await self._ctx.books.commit_one(unit)).answer
