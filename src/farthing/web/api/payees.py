"""What only a payee may say: that an order is its business, and of what category it is."""

from farthing.core.accounts import ACCOUNTS
from farthing.core.offers import OFFERS
from farthing.core.orders import Order
from farthing.core.owners import Scope
from farthing.errors import Forbidden
from farthing.store.database import Tx
from farthing.store.queries import one, page
from farthing.web.api.endpoint import Call


async def require_payee(call: Call, account: str) -> None:
    """Let a seller act only for accounts of its own.

    Raises: Forbidden.
    """
    record = await call.desk.ctx.database.read(lambda tx: one(tx, ACCOUNTS, account))
    if record is None or call.asker.sees not in (None, record.owner):
        raise Forbidden("not-your-account", "the order pays an account that is not yours")


async def vouched(call: Call, order: Order, category: str) -> bool:
    """Tell whether the payee says that this is the order's category: who carries it may not.

    Shape: its seller says so by asking, or by a standing offer at this very price.
    """
    ctx, asker = call.desk.ctx, call.principal

    def work(tx: Tx) -> bool:
        payee = one(tx, ACCOUNTS, order.payee)
        owner = payee.owner if payee is not None else ""
        if asker is not None and asker.may(Scope.SELLER) and asker.sees in (None, owner):
            return payee is not None
        # Whether there is such a payee or not, as much is asked.
        where = {
            "owner": owner,
            "payee": order.payee,
            "asset": order.asset,
            "amount": order.amount,
            "category": category,
            "withdrawn_ns": 0,
        }
        now = ctx.now_s()
        stands = [("valid_from <= ?", now), ("(valid_until = 0 OR valid_until > ?)", now)]
        return bool(page(tx, OFFERS, where, limit=1, also=stands))

    return await ctx.database.read(work)
