"""Where sessions meet a metered route: vouchers are taken, handlers run for what is promised."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from farthing.clock import NS, Clock
from farthing.core.meters import Meter, current
from farthing.core.prices import Offer
from farthing.core.sessions import opening_of, require_deposit, session_ordered
from farthing.core.vouchers import read_voucher
from farthing.errors import (
    Conflict,
    FarthingError,
    PaymentRefused,
    Unauthenticated,
    present,
)
from farthing.money import Amount, Asset
from farthing.protocols import names
from farthing.protocols.base import BadCredential
from farthing.protocols.mpp_session import MppSessions, Said, SessionTerms
from farthing.protocols.x402_sessions import X402Sessions
from farthing.services.metering import Metering, Wanted
from farthing.web.answers import Answers
from farthing.web.asgi import App, Receive, Scope, Send
from farthing.web.challenges import PaymentRequired, without_credentials
from farthing.web.incoming import Incoming
from farthing.web.keyed import header_key
from farthing.web.metered_run import MeteredRun
from farthing.web.metered_socket import MeteredSocket
from farthing.web.problems import Answer, problem_answer, send_answer
from farthing.web.repeats import Repeats
from farthing.web.till import paid_offer
from farthing.web.voucher_field import read_voucher_field, session_field

_IN_CONFLICT = ("session-in-use", "idempotency-key-reused", "payment-in-progress", "already-paid")
_OPEN = "Open a session: in Python client.session(url, deposit=…); or farthing pay --deposit."
_STATE = ("session", "state", "deposit", "promised", "sequence", "count", "owed")


@dataclass(frozen=True, slots=True)
class MeteredAsk:
    """A request to a metered route.

    Shape: `came` is the scope as the request came, `place` the network that it came from.
    """

    came: Scope
    request: Incoming
    offer: Offer
    terms: SessionTerms
    url: str
    place: str = ""

    @property
    def wanted(self) -> Wanted:
        """Say what a session must have been opened for."""
        return Wanted(
            self.terms.payee, self.terms.usage.tariff, self.terms.realm, self.offer.in_hub
        )


class MeteredTill:
    """Takes vouchers and runs handlers; it settles in the background while it is used."""

    def __init__(
        self,
        metering: Metering,
        language: MppSessions,
        assets: Mapping[str, Asset],
        clock: Clock,
        *,
        wait_seconds: float = 60.0,
    ) -> None:
        self.metering = metering
        self._language, self._assets, self._clock = language, assets, clock
        self._wait_seconds = wait_seconds
        self._settling: asyncio.Task[None] | None = None
        self._repeats = Repeats(Answers(lambda: clock() / NS), wait_seconds)

    async def serve(self, ask: MeteredAsk, app: App, receive: Receive, send: Send) -> bool:
        """Answer one request, and tell whether it was paid for."""
        self._settle_on()
        try:
            met = await self._meet(ask)
        except FarthingError as problem:
            met = self._no(ask, problem)
        if not isinstance(met, Answer):
            return await self._run_once(ask, met, app, receive, send)
        await send_answer(send, met, head=ask.request.method == "HEAD")
        return met.status < 400

    async def serve_socket(
        self, ask: MeteredAsk, app: App, receive: Receive, send: Send
    ) -> Answer | None:
        """Run a WebSocket for what is promised; give the answer of one that does not open."""
        self._settle_on()
        try:
            met = await self._meet(ask)
            if isinstance(met, Answer):
                return met
            await self.metering.kept(met.session, ask.terms.usage.reserve)
        except FarthingError as problem:
            return self._no(ask, problem)
        run = MeteredSocket(
            *(self.metering, ask.terms.usage, met.session, ask.wanted, self._clock),
            wait_seconds=self._wait_seconds,
        )
        token = paid_offer.set(ask.offer)
        try:
            await run(app, self._scope(ask, met.session, socket=True), receive, send)
        finally:
            paid_offer.reset(token)
        return None

    def _settle_on(self) -> None:
        if self._settling is None or self._settling.done():
            self._settling = asyncio.create_task(self.metering.run())

    async def aclose(self) -> None:
        """Hand in what is due, and settle no more."""
        if self._settling is not None:
            self._settling.cancel()
            await asyncio.gather(self._settling, return_exceptions=True)
            await self.metering.settle()

    async def _meet(self, ask: MeteredAsk) -> Answer | Said:
        said = self._said(ask)
        if said is None:
            return self._required(ask)
        if said.action == "close":
            return await self._close(ask, said)
        if said.action == "topUp":
            order = present(said.signed, "a top-up brings an order")
            meter = await self.metering.top_up(said.session, order, ask.place)
            return self._stands(ask, meter, said)
        await self._require_deposit(said)
        if said.action == "open":
            said = await self._open(ask, said)
        elif said.signed is not None:
            await self.metering.top_up(said.session, said.signed, ask.place)
        if ask.request.method == "HEAD":
            return await self._hear(ask, said)
        if said.voucher or said.tick:
            await self.metering.accept(said.session, said.voucher, ask.wanted, said.tick)
        name = _name_of(ask, said)
        if name and (answer := await self._repeats.answer(name, ask.request.resource)) is not None:
            return answer
        try:  # Nothing may wait between here and the note that this key is being answered.
            self.metering.reserve(said.session, ask.terms.usage.reserve)
        except FarthingError:
            await self.metering.kept(said.session)
            raise
        return said

    async def _hear(self, ask: MeteredAsk, said: Said) -> Answer:
        """Take a voucher or a tick for which nothing is served now."""
        if said.voucher or said.tick:
            await self._present(ask, said)
        found = self.metering.find(said.session)
        return self._stands(ask, present(found, "it was just presented"), said)

    async def _present(self, ask: MeteredAsk, said: Said) -> Meter:
        return await self.metering.present(said.session, said.voucher, ask.wanted, said.tick)

    def _said(self, ask: MeteredAsk) -> Said | None:
        said = read_voucher_field(ask.came)
        if said is not None:
            return said
        paying = [v for v in ask.request.values(b"authorization") if self._language.carries(v)]
        by_x402 = ask.request.values(names.SIGNATURE_FIELD.encode())
        if not paying and not by_x402:
            return None
        if len(paying) + len(by_x402) > 1:
            raise BadCredential("several-credentials", "send exactly one credential", status=400)
        if by_x402:
            return X402Sessions(ask.terms.hub).read(by_x402[0], ask.terms)
        return self._language.read(paying[0], ask.terms, self._clock())

    def _language_of(self, ask: MeteredAsk, said: Said) -> MppSessions | X402Sessions:
        return X402Sessions(ask.terms.hub) if said.language == names.X402 else self._language

    async def _require_deposit(self, said: Said) -> None:
        """Refuse a deposit beside a voucher that it would not cover, before it is held.

        Shape:  what a session has that is not kept here is for the hub to say, and what one has
                that is, for nobody but who signs its vouchers.
        Raises: Malformed `malformed-voucher`; Unauthenticated `bad-voucher`; PaymentRefused
                `voucher-beyond-deposit`.
        """
        if said.signed is None or not said.voucher:
            return
        units, order = read_voucher(said.voucher).claims.units, said.signed.order
        known = await self.metering.shown(session_ordered(order), said.voucher)
        if known is not None or said.action == "open":
            require_deposit(order, 0 if known is None else known.deposit, units)

    async def _open(self, ask: MeteredAsk, said: Said) -> Said:
        """Bring an opening order to the hub.

        Raises: PaymentRefused `wrong-session`, or why the hub holds nothing; Unauthenticated for
                a voucher beside it that is not its device's.
        """
        signed = present(said.signed, "an opening brings an order")
        opening, wanted = opening_of(signed.order.resource), ask.wanted
        fits = (
            opening is not None
            and opening.tariff == wanted.tariff.digest()
            and opening.purpose == wanted.purpose
            and signed.order.payee == wanted.payee
        )
        if not fits:
            raise PaymentRefused("wrong-session", "this order opens a session for something else")
        meter = await self.metering.open(signed, wanted, ask.place)
        if said.voucher:
            await self.metering.require_signed(meter.session, said.voucher, said.tick)
        return Said(
            action="open",
            session=meter.session,
            voucher=said.voucher,
            tick=said.tick,
            challenge=said.challenge,
            language=said.language,
        )

    async def _close(self, ask: MeteredAsk, said: Said) -> Answer:
        meter = await self._present(ask, said)
        seen = await self.metering.close(said.session)
        state = current(meter) | {"state": "closed", "captured": str(seen.captured)}
        return self._told(ask, state, said)

    def _stands(self, ask: MeteredAsk, meter: Meter, said: Said) -> Answer:
        return self._told(ask, current(meter), said)

    def _told(self, ask: MeteredAsk, state: Mapping[str, str], said: Said) -> Answer:
        """Answer what asks for nothing but how the session stands."""
        fields = [session_field(state), ("cache-control", "private, no-store")]
        fields += self._language_of(ask, said).receipt(state, said.challenge, self._clock())
        return Answer(204, [(k.encode(), v.encode()) for k, v in fields])

    async def _run_once(
        self, ask: MeteredAsk, said: Said, app: App, receive: Receive, send: Send
    ) -> bool:
        name = _name_of(ask, said)
        if not name:
            return await self._run(ask, said, app, receive, send)
        recording = self._repeats.begin(name, ask.request.resource, send)
        try:
            return await self._run(ask, said, app, receive, recording)
        finally:
            recording.end()

    async def _run(
        self, ask: MeteredAsk, said: Said, app: App, receive: Receive, send: Send
    ) -> bool:
        """Run the handler, which answers from here on; False where its session was not kept."""
        try:
            await self.metering.kept(said.session, ask.terms.usage.reserve)
        except FarthingError as problem:
            await send_answer(send, self._no(ask, problem))
            return False
        run = MeteredRun(
            self.metering,
            ask.terms.usage,
            said.session,
            self._language_of(ask, said),
            self._clock,
            challenge=said.challenge,
            wait_seconds=self._wait_seconds,
        )
        token = paid_offer.set(ask.offer)
        try:
            await run(app, self._scope(ask, said.session), receive, send)
        finally:
            paid_offer.reset(token)
        return True

    def _scope(self, ask: MeteredAsk, session: str, *, socket: bool = False) -> Scope:
        """Tell the handler whose session it serves."""
        meter = self.metering.find(session)
        told = [(b"farthing-session", session.encode())]
        if meter is not None:
            told.append((b"farthing-payer", meter.device.encode()))
        headers = without_credentials(ask.request) + told
        given = dict(ask.request.scope) | {"headers": headers}
        return given if socket else given | {"extensions": {}}

    def _required(self, ask: MeteredAsk, problem: FarthingError | None = None) -> Answer:
        told = None if problem is None else {**problem.more, "code": problem.code}
        fields = [*self._language.challenge(ask.terms, self._clock())]
        fields += X402Sessions(ask.terms.hub).challenge(ask.terms, ask.url, told)
        usage = ask.terms.usage
        price = str(Amount(usage.units, self._assets[usage.tariff.asset]))
        if problem is None:
            detail = f"this is metered by the {usage.tariff.counts}; open a session and promise"
            shown = PaymentRequired(402, "payment-required", detail, price=price, hint=_OPEN)
            return problem_answer(shown, fields)
        if all(name in problem.more for name in _STATE):
            fields.append(session_field({name: problem.more[name] for name in _STATE}))
        shown = PaymentRequired(402, problem.code, problem.detail, price=price, **problem.more)
        return problem_answer(shown, fields)

    def _no(self, ask: MeteredAsk, problem: FarthingError) -> Answer:
        if isinstance(problem, BadCredential) and problem.answer_status != 402:
            return problem_answer(problem)
        if isinstance(problem, Conflict) and problem.code in _IN_CONFLICT:
            return problem_answer(problem, [("retry-after", "1")])
        if isinstance(problem, BadCredential | PaymentRefused | Unauthenticated | Conflict):
            return self._required(ask, problem)
        return problem_answer(problem)


def _name_of(ask: MeteredAsk, said: Said) -> str:
    """Name what is answered once: a session and its key; nothing where no key was sent."""
    key = header_key(ask.request)
    return f"{said.session} {key}" if key else ""
