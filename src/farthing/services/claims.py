"""Claims: names for those who ask to serve, so that a lost answer can be given again."""

import secrets
from collections import OrderedDict
from collections.abc import Generator
from contextlib import contextmanager

from farthing.core.orders import SignedOrder
from farthing.errors import FarthingError, OutcomeUnknown, Unavailable

_BYTES = 12
_KEPT = 10_000


class Claims:
    """A new name for every call, but for one whose last answer was not heard.

    The hub lets one name serve a payment. If it is not known whether the hub has heard a name,
    the next call for the same order goes by it again: nobody has served under it yet.
    """

    def __init__(self) -> None:
        self._unheard: OrderedDict[bytes, str] = OrderedDict()

    @contextmanager
    def of(self, signed: SignedOrder) -> Generator[str]:
        """Give the name to ask for an order by."""
        order = signed.order.signed_bytes()
        name = self._unheard.pop(order, "") or secrets.token_urlsafe(_BYTES)
        try:
            yield name
        except BaseException as fault:
            if not _was_heard(fault):
                self._keep(order, name)
            raise

    def _keep(self, order: bytes, name: str) -> None:
        self._unheard[order] = name
        while len(self._unheard) > _KEPT:
            self._unheard.popitem(last=False)


def _was_heard(fault: BaseException) -> bool:
    unheard = isinstance(fault, Unavailable | OutcomeUnknown)
    return isinstance(fault, FarthingError) and not unheard
