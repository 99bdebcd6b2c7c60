"""Where an order meets the hub: who may run the handler, who waits, who is told what.

For one payment there is one run. Everyone else who shows the same credential waits for it, gets
its answer again, or is told plainly how the payment stands; nobody is asked to pay twice.
"""

import asyncio
import math
from collections import OrderedDict
from collections.abc import Hashable, Mapping
from contextvars import ContextVar
from dataclasses import dataclass

from farthing import ids
from farthing.clock import Clock
from farthing.core.orders import SignedOrder, payment_id
from farthing.core.prices import Offer
from farthing.errors import Conflict, FarthingError, Forbidden, PaymentRefused, Unauthenticated
from farthing.money import Amount, Asset
from farthing.protocols.base import BadCredential, Language, Terms
from farthing.services.hub import Authorisation, Hub, OnceKey
from farthing.web import settlement
from farthing.web.answers import Answers, Gates, Run
from farthing.web.asgi import App, Receive, Scope, Send
from farthing.web.body import whole
from farthing.web.challenges import Challenges, accepted, without_credentials
from farthing.web.incoming import Incoming
from farthing.web.keyed import ANSWER_SECONDS
from farthing.web.limits import Limits
from farthing.web.paid_run import PaidRun
from farthing.web.problems import Answer, problem_answer, send_answer

HOLD_OUTLIVES_SECONDS = 30
RERUN_SECONDS = 3600
_RERUNS_KEPT = 10_000
_ASKED_KEPT = 10_000
_OWNER_RETRY_SECONDS = 5

paid_offer: ContextVar[Offer | None] = ContextVar("paid_offer", default=None)
"""The offer under which the running handler was paid; a priced endpoint looks at it."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Deal:
    """A request that came with a readable order.

    Shape: `body` is None for a body that streams; `stale` is set when prices have changed since
           the order was made: then nothing new is taken for it; `once` is the buyer's
           idempotency key; `place` is the network that it came from.
    """

    request: Incoming
    offer: Offer
    terms: Terms
    language: Language
    signed: SignedOrder
    body: bytes | None
    stale: BadCredential | None = None
    once: OnceKey | None = None
    place: str = ""

    @property
    def gate(self) -> Hashable:
        """Tell what only one caller at a time may ask about: the key, or else the payment."""
        return payment_id(self.signed.order) if self.once is None else self.once

    @property
    def key(self) -> tuple[str, str]:
        """Tell this request from another that shows the same credential."""
        return self.request.resource, self.terms.body_digest

    @property
    def free(self) -> bool:
        """Tell whether the device that signs pays nothing; the hub checks that it signed."""
        return self.signed.order.device in self.offer.free_for


class Till:
    """Takes orders to the hub, and runs the handler once for each."""

    def __init__(
        self,
        hub: Hub,
        challenges: Challenges,
        assets: Mapping[str, Asset],
        clock: Clock,
        limits: Limits,
    ) -> None:
        self._hub = hub
        self._challenges = challenges
        self._assets = assets
        self._clock = clock
        self._limits = limits
        self._gates = Gates()
        self._runs: dict[str, Run] = {}
        self._reruns: OrderedDict[str, int] = OrderedDict()
        self._asked: OrderedDict[int, None] = OrderedDict()
        self._ended = 0
        self.answers = Answers(
            lambda: clock() / 1e9, limits.answers_memory_bytes, limits.answers_seconds
        )

    async def settle(self, deal: Deal, app: App, receive: Receive, send: Send) -> bool:
        """Bring one paying request to its end, and tell whether it was paid for.

        Shape: whoever is refused, or has only put us to work, has not paid.
        """
        try:
            answer = await self._settle(deal, app, receive, send)
        except FarthingError as problem:
            answer = self._no(deal, problem)
        if answer is not None:
            await send_answer(send, answer, head=deal.request.method == "HEAD")
        return answer is None or answer.status < 400

    async def _settle(self, deal: Deal, app: App, receive: Receive, send: Send) -> Answer | None:
        paid, run, ours = await self._ask(deal)
        if ours is None and run is not None and run.request == deal.key:
            answer = await self._wait(run)
            if answer is not None:
                return answer
            paid, run, ours = await self._ask(deal)
        if ours is not None:
            await self._run(deal, paid, ours, app, receive, send)
            return None
        return self.answers.find(paid.payment, deal.key) or self._standing(deal, paid)

    async def _ask(self, deal: Deal) -> tuple[Authorisation, Run | None, Run | None]:
        """Ask the hub; give the payment, the run that others have, and the run that is ours."""
        async with self._gates.one_at_a_time(deal.gate):
            ended = self._ended
            paid = await self._authorise(deal)
            run = self._runs.get(paid.payment)
            if run is None and not paid.fresh and self._ended != ended:
                # Its run may have ended while the hub was asked, and given the money back.
                paid = await self._authorise(deal)
            anew = self._may_run(paid, run)
            if anew or (run is None and self._may_rerun(deal, paid)):
                if anew:
                    settlement.forget(paid.payment)
                ours = self._runs[paid.payment] = Run(deal.key)
                return paid, None, ours
            return paid, run, None

    def _may_run(self, paid: Authorisation, run: Run | None) -> bool:
        """Tell whether the handler runs for what the hub lets us serve.

        Shape: a hold that could not be written is lost, and is made anew when its order comes
               again; whoever runs under it is at work still, and takes the new one.
        """
        under_way = run is not None and not run.over.done()
        return paid.fresh and paid.state in ("held", "captured") and not under_way

    async def _authorise(self, deal: Deal) -> Authorisation:
        if deal.stale is not None:
            recorded = await self._hub.recorded(deal.signed)
            if recorded is None or (recorded.fresh and not self._asked_for(deal)):
                raise deal.stale
            return recorded
        paid = await self._hub.authorise(
            deal.signed,
            hold_seconds=math.ceil(self._limits.answer_seconds) + HOLD_OUTLIVES_SECONDS,
            capture=deal.offer.mode == "charge" and not deal.free,
            category=deal.offer.category,
            once=deal.once,
            offer=deal.offer.in_hub,
            serves_safely=deal.request.is_safe,
            place=deal.place,
        )
        self._asked[payment_id(deal.signed.order)] = None
        while len(self._asked) > _ASKED_KEPT:
            self._asked.popitem(last=False)
        return paid

    def _asked_for(self, deal: Deal) -> bool:
        """Tell whether an order of other terms was taken here before, or pays all that is asked.

        Shape: the same payee may sell the same path for less elsewhere, and the payer knows.
        """
        order = deal.signed.order
        enough = order.asset == deal.terms.asset and order.amount >= deal.terms.amount
        return enough or payment_id(order) in self._asked

    async def _wait(self, run: Run) -> Answer | None:
        try:
            async with asyncio.timeout(self._limits.wait_seconds):
                return await asyncio.shield(run.over)
        except TimeoutError:
            return None

    def _may_rerun(self, deal: Deal, paid: Authorisation) -> bool:
        if paid.state != "captured" or paid.fresh or not deal.offer.rerun:
            return False
        if self.answers.find(paid.payment, deal.key) or settlement.is_unheard(paid.payment):
            return False
        age_ms = self._clock() // 1_000_000 - ids.time_ms(ids.number("pay", paid.payment))
        if age_ms > RERUN_SECONDS * 1000:
            return False
        used = self._reruns.get(paid.payment, 0)
        if used >= deal.offer.rerun or (not used and len(self._reruns) >= _RERUNS_KEPT):
            return False
        self._reruns[paid.payment] = used + 1
        return True

    async def _run(
        self, deal: Deal, paid: Authorisation, run: Run, app: App, receive: Receive, send: Send
    ) -> None:
        paid_run = PaidRun(
            self._hub,
            deal.language,
            deal.offer,
            paid,
            run,
            free=deal.free and paid.state != "captured",
            again=not paid.fresh,
            answer_seconds=self._limits.answer_seconds,
        )
        token = paid_offer.set(deal.offer)
        given = receive if deal.body is None else whole(deal.body, receive)
        try:
            await paid_run(app, self._scope(deal, paid), given, send)
        finally:
            paid_offer.reset(token)
            run.end(None)
            answer = run.over.result()
            if answer is not None and answer.status < 400:
                seconds = 0 if deal.once is None else ANSWER_SECONDS
                self.answers.keep(paid.payment, deal.key, answer, seconds)
            self._runs.pop(paid.payment, None)
            self._ended += 1

    def _scope(self, deal: Deal, paid: Authorisation) -> Scope:
        """Tell the handler who paid; extensions that bypass the answer's head are taken out."""
        order = deal.signed.order
        units = 0 if deal.free else paid.units or order.amount
        amount = str(Amount(units, self._assets[order.asset]))
        told = [
            (b"farthing-payment-id", paid.payment.encode()),
            (b"farthing-payer", order.device.encode()),
            (b"farthing-amount", amount.encode()),
        ]
        headers = without_credentials(deal.request) + told
        return dict(deal.request.scope) | {"headers": headers, "extensions": {}}

    def _standing(self, deal: Deal, paid: Authorisation) -> Answer:
        """Tell how a payment stands to someone who may not run the handler for it."""
        where = f"{self._limits.status_base}/v1/payments/{paid.payment}"
        more = {"payment": paid.payment, "status_url": where}
        if paid.state == "awaiting":
            return self._awaiting(paid, where, more)
        if paid.state == "held" or self._is_served_or_given_back(paid.payment):
            wait = paid.retry_after_seconds or 1
            detail = "this payment is being served now, or its money given back"
            problem = Conflict("payment-in-progress", detail, **more)
            return problem_answer(problem, [("retry-after", str(wait))])
        if paid.state == "captured":
            return problem_answer(
                Conflict(
                    "already-paid",
                    "this was paid and served; its answer is no longer kept",
                    receipt=paid.receipt,
                    **more,
                )
            )
        code = paid.reason or f"payment-{paid.state}"
        detail = paid.detail or f"this payment is {paid.state}; no money was kept"
        return self._refused(deal, BadCredential(code, detail, payment=paid.payment))

    def _is_served_or_given_back(self, payment: str) -> bool:
        run = self._runs.get(payment)
        return (run is not None and not run.over.done()) or settlement.is_unheard(payment)

    def _awaiting(self, paid: Authorisation, where: str, more: dict[str, str]) -> Answer:
        wait = paid.retry_after_seconds or _OWNER_RETRY_SECONDS
        problem = Forbidden(
            "awaiting-owner", "the owner is asked; send the same credential again later", **more
        )
        return problem_answer(problem, [("retry-after", str(wait)), ("location", where)])

    def _no(self, deal: Deal, problem: FarthingError) -> Answer:
        if isinstance(problem, BadCredential):
            return self._refused(deal, problem)
        if isinstance(problem, PaymentRefused):
            told = BadCredential(problem.code, problem.detail, **problem.more)
            return self._refused(deal, told)
        if isinstance(problem, Unauthenticated):
            told = BadCredential("verification-failed", problem.detail, reason=problem.code)
            return self._refused(deal, told)
        return problem_answer(problem)

    def _refused(self, deal: Deal, problem: BadCredential) -> Answer:
        return self._challenges.payment_required(
            deal.terms, problem, deal.language, accepted(deal.request)
        )
