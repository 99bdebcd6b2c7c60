"""What a usual unit looks at: records that a commit has at hand, and what follows from them.

The short ways of charges, holds and captures share it. Nothing here moves anything.
"""

from collections.abc import Sequence
from typing import Any

from farthing import ids
from farthing.books.court import Sitting
from farthing.books.memory import LiveView, Memory, Working
from farthing.clock import NS
from farthing.core.accounts import ACCOUNTS, AccountRecord, TransferCode
from farthing.core.asks import ASKS
from farthing.core.decisions import Unit
from farthing.core.devices import DEVICES
from farthing.core.ledger import Ledger, Move, Transfer
from farthing.core.ledger_checks import LINKED, PENDING
from farthing.core.mandates import MANDATES, shortfall
from farthing.core.orders import Order, is_timely
from farthing.core.paying import Authorise
from farthing.core.payments import PAYMENTS, Place
from farthing.core.sessions import is_deposit
from farthing.core.standing import Standing, standing_of

_UNKNOWN: Any = object()
_BUDGET, _PAYMENT = TransferCode.BUDGET, TransferCode.PAYMENT


class AtHand:
    """One commit's records, accounts and ids, as far as they are in memory."""

    def __init__(
        self,
        working: Working,
        memory: Memory,
        ledger: Ledger,
        view: LiveView,
        sitting: Sitting | None = None,
    ) -> None:
        self._memory, self._ledger = memory, ledger
        self._written, self._lasting = working.written, memory.lasting
        self._now_ns, self._sitting = view.now_ns, sitting
        self._known = working.account
        self._standings: dict[str, Standing] = {}
        self._payees: dict[str, AccountRecord] = {}

    def forget(self) -> None:
        """Look at records anew: a unit may have written some that are no payments."""
        self._standings.clear()
        self._payees.clear()

    def knows(self, unit: Authorise) -> bool:
        """Tell whether all that an order looks at is in memory, and its nonce surely new."""
        order = unit.signed.order
        return (
            order.device in self._memory.standings
            and (ACCOUNTS.name, order.payee) in self._lasting
            and self._memory.named.is_free(ids.number("pay", unit.name))
        )

    def sides(self, unit: Authorise) -> tuple[Standing, AccountRecord] | None:
        """Give the payer's side and the payee of a new order that only money could stand against.

        Shape: None where its plan must be asked.
        """
        order = unit.signed.order
        standing = self._standings.get(order.device) or self._standing(order.device)
        payee = self._payees.get(order.payee) or self._payee(order.payee)
        number = ids.number("pay", unit.name)
        if (
            standing is None
            or payee is None
            or not _is_plain(unit, standing, payee)
            or not is_timely(order, ids.time_ms(number), self._now_ns // NS)
            or not self._is_new(unit.name, number)
            or (self._sitting is not None and self._is_odd(self._sitting, unit, standing))
        ):
            return None
        return standing, payee

    def foresee(self, units: Sequence[Unit[Any]], sitting: Sitting) -> None:
        """Have the orders among these units judged together."""
        orders: list[tuple[Order, str, str]] = []
        for unit in units:
            if isinstance(unit, Authorise) and not unit.only_recorded:
                order = unit.signed.order
                standing = self._standings.get(order.device) or self._standing(order.device)
                plain = standing is not None
                zone = standing.mandate.zone if plain else sitting.zone(order.device)
                orders.append((order, zone, unit.place))
        sitting.foresee(orders, self._now_ns // NS)

    def _is_odd(self, sitting: Sitting, unit: Authorise, standing: Standing) -> bool:
        zone, now = standing.mandate.zone, self._now_ns // NS
        return sitting.is_odd(unit.signed.order, zone, unit.place, now)

    def moves(self, unit: Authorise, standing: Standing, seconds: int = 0) -> Sequence[Move] | None:
        """Name the transfers: each budget's, then the money's; of a hold with its seconds.

        Shape: None where an account is unknown, or a budget must be opened or adjusted first.
        """
        order, number = unit.signed.order, ids.number("pay", unit.name)
        changed, known, now_ns = self._ledger.changed, self._known, self._ledger.now_ns
        amount, flags = order.amount, PENDING if seconds else 0
        counting = flags | LINKED
        moves: list[Move] = []
        ident = number | Place.HOLD + 1
        for line in standing.lines:
            available = changed.get(line.available) or known(line.available)
            spent = changed.get(line.spent) or known(line.spent)
            if available is None or spent is None or shortfall(line, available, spent):
                return None  # Not used in this period, or lowered while something was held.
            counted = Transfer(
                ident, line.available, line.spent, amount, line.ledger, _BUDGET, counting, 0,
                number, seconds, now_ns,
            )  # fmt: skip
            moves.append((counted, available, spent))
            ident, now_ns = ident + 1, now_ns + 1
        of_payee = ids.number("acc", order.payee)
        payer = changed.get(standing.account) or known(standing.account)
        payee = changed.get(of_payee) or known(of_payee)
        if payer is None or payee is None:
            return None
        money = Transfer(
            number | Place.HOLD, standing.account, of_payee, amount, standing.payer.ledger,
            _PAYMENT, flags, 0, number, seconds, now_ns,
        )  # fmt: skip
        moves.append((money, payer, payee))
        return moves

    def _is_new(self, name: str, number: int) -> bool:
        """Tell whether no payment has this id, nor an equal ask that answered its order."""
        if (PAYMENTS.name, name) in self._written or (ASKS.name, name) in self._written:
            return False
        if self._memory.named.is_free(number):
            return True
        passing = self._memory.passing
        return (
            passing.get((PAYMENTS.name, name), _UNKNOWN) is None
            and passing.get((ASKS.name, name), _UNKNOWN) is None
        )

    def _payee(self, ident: str) -> AccountRecord | None:
        found = self._record(ACCOUNTS.name, ident)
        if found is not None:
            self._payees[ident] = found
        return found

    def _record(self, table: str, key: str) -> Any:
        write = self._written.get((table, key))
        return write.row if write is not None else self._lasting.get((table, key))

    def _standing(self, ident: str) -> Standing | None:
        known = self._memory.standings.get(ident)
        device = self._record(DEVICES.name, ident)
        if device is None:
            return None
        mandate = self._record(MANDATES.name, device.mandate)
        payer = self._record(ACCOUNTS.name, device.account)
        if (
            known is not None
            and known.device is device and known.mandate is mandate and known.payer is payer
            and known.since <= self._now_ns // NS < known.until
        ):  # fmt: skip
            self._standings[ident] = known
            return known
        if mandate is None or payer is None:
            return None
        found = standing_of(device, mandate, payer, self._now_ns)
        if found is not None:
            self._memory.standings[ident] = self._standings[ident] = found
        return found


def _is_plain(unit: Authorise, standing: Standing, payee: AccountRecord) -> bool:
    """Tell whether nothing but a balance or a budget could stand against this order."""
    order, payer, mandate = unit.signed.order, standing.payer, standing.mandate
    return (
        not unit.only_recorded and not unit.deposit
        and not unit.fees and not unit.offer
        and unit.key == standing.key
        and order.hub == unit.hub
        and payee.state == "open"
        and payer.id != payee.id
        and payer.asset == payee.asset == order.asset
        and 0 < order.amount <= mandate.largest
        and (mandate.ask_above is None or order.amount <= mandate.ask_above)
        and (mandate.two_above is None or order.amount <= mandate.two_above)
        and not is_deposit(order.resource)
    )  # fmt: skip
