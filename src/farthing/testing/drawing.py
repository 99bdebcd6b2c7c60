"""Sessions of a small world: opened, topped up, drawn and closed, as a hub does it."""

from dataclasses import dataclass

from farthing.core.closing import CloseSession, SettleDeposit
from farthing.core.drawing import Draw
from farthing.core.ladders import Climber
from farthing.core.paying import Authorise, Authorised
from farthing.core.promises import promised_by
from farthing.core.sessions import (
    SESSIONS,
    KeepTariff,
    Opening,
    Session,
    session_of,
    top_up_resource,
)
from farthing.core.tariffs import Tariff, flat_rate
from farthing.core.vouchers import Claims, sign_voucher
from farthing.testing.worlds import HUB, Spender, World

TARIFF = flat_rate("USD", "request", 1)
HOUR = 3600


@dataclass(frozen=True, slots=True)
class Drawer:
    """A device that draws sessions with a payee."""

    world: World
    spender: Spender
    payee: str
    offer: str = ""

    def deposit(self, resource: str, amount: int) -> Authorise:
        """Make the unit of a deposit."""
        signed = self.world.order(self.spender, self.payee, amount, resource=resource)
        return Authorise(
            signed,
            self.spender.signer.public,
            self.spender.device,
            HUB,
            0,
            capture=False,
            serves=False,
            deposit=True,
            fees=self.world.fees or None,
            offer=self.offer,
        )

    def opening(
        self, deposit: int, lifetime: int = HOUR, grace: int = HOUR, tariff: Tariff = TARIFF
    ) -> Authorise:
        """Make the unit that opens a session."""
        opening = Opening(tariff.digest(), lifetime, grace, "GET /readings")
        return self.deposit(opening.resource(), deposit)

    async def open(
        self, deposit: int, lifetime: int = HOUR, grace: int = HOUR, tariff: Tariff = TARIFF
    ) -> Session:
        """Open a session that must not be refused."""
        await self.world.do(KeepTariff(tariff))
        done = await self.world.do(self.opening(deposit, lifetime, grace, tariff))
        return await self.session(done)

    async def top_up(self, session: Session, amount: int) -> Authorised:
        """Add a deposit."""
        return await self.world.do(self.deposit(top_up_resource(session.id), amount))

    async def session(self, done: Authorised) -> Session:
        """Read the session that a deposit belongs to."""
        return await self.world.record(SESSIONS, session_of(done.payment))

    def voucher(self, session: Session, units: int, sequence: int = 1, expiry: int = 0) -> bytes:
        """Sign a voucher."""
        expiry = expiry or session.ends_ns // 1_000_000_000
        claims = Claims(session.alias, units, sequence, expiry)
        return sign_voucher(self.spender.signer, session.agreed, claims)

    def draw(
        self,
        session: Session,
        units: int,
        sequence: int = 1,
        *,
        late: bool = False,
        expiry: int = 0,
    ) -> Draw:
        """Make the unit that accepts a voucher."""
        raw = self.voucher(session, units, sequence, expiry)
        claims = Claims(session.alias, units, sequence, expiry or session.ends_ns // 1_000_000_000)
        return Draw(session.id, promised_by(claims, raw), None, late)

    def climb(self, session: Session, units: int, each: int, count: int, sequence: int = 3) -> Draw:
        """Make the unit that accepts a voucher with a ladder, and so many of its ticks."""
        climber = Climber(session.alias, bytes(16), 2 * count)
        expiry = session.ends_ns // 1_000_000_000
        claims = Claims(session.alias, units, sequence, expiry, climber.ladder(each))
        raw = sign_voucher(self.spender.signer, session.agreed, claims)
        promise = promised_by(claims, raw).at(climber.rung(count))
        return Draw(session.id, promise, None)

    async def close(self, session: Session, units: int | None = None, by: str = "") -> Session:
        """Close a session and settle its deposits, as the service does."""
        payee_owner = by or session.payee_owner
        closed = await self.world.do(CloseSession(session.id, payee_owner, units))
        for deposit in closed.deposits:
            await self.world.do(SettleDeposit(deposit))
        return await self.world.record(SESSIONS, session.id)
