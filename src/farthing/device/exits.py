"""Exit codes of the device's commands, and how each error is told on stderr."""

import json
import ssl
import sys
from enum import IntEnum
from typing import cast

import httpx

from farthing.device.outcomes import AlreadyPaid, AwaitingOwner, WillNotPay
from farthing.errors import Conflict, FarthingError, OutcomeUnknown, PaymentRefused, Unavailable


class Exit(IntEnum):
    """Why a command ended; 2 is the command line's own, for wrong usage."""

    OK = 0
    USAGE = 2
    PURSE = 3
    REFUSED = 4
    AWAITING_OWNER = 5
    OUTCOME_UNKNOWN = 6
    WILL_NOT_PAY = 7
    NETWORK = 8
    ALREADY_PAID = 9
    HTTP_ERROR = 22


_EXITS: list[tuple[type[Exception], Exit]] = [
    (WillNotPay, Exit.WILL_NOT_PAY),
    (PaymentRefused, Exit.REFUSED),
    (AwaitingOwner, Exit.AWAITING_OWNER),
    (OutcomeUnknown, Exit.OUTCOME_UNKNOWN),
    (AlreadyPaid, Exit.ALREADY_PAID),
    (Unavailable, Exit.NETWORK),
    (Conflict, Exit.PURSE),
    (httpx.HTTPError, Exit.NETWORK),
]


_USAGE = ("malformed-option", "malformed-price", "unknown-language", "unknown-algorithm")


def exit_of(fault: Exception) -> Exit:
    """Give the exit code of an error."""
    if isinstance(fault, FarthingError) and fault.code in _USAGE:
        return Exit.USAGE
    return next((code for kind, code in _EXITS if isinstance(fault, kind)), Exit.PURSE)


def tell(fault: Exception, *, as_json: bool) -> None:
    """Write an error to stderr, for a person or as one JSON line."""
    if not isinstance(fault, FarthingError):
        fault = FarthingError(*_network(fault))
    if as_json:
        print(json.dumps({"error": fault.problem()}), file=sys.stderr)
        return
    print(f"farthing: {fault.code}: {fault.detail or fault.title}", file=sys.stderr)
    payment = fault.more.get("payment")
    if payment:
        print(f"farthing: the payment is {payment}", file=sys.stderr)


def _network(fault: Exception) -> tuple[str, str]:
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return "tls-not-trusted", f"the server's certificate: {cause.verify_message}"
        if isinstance(cause, ssl.SSLError):
            return "tls-failed", f"no secure connection: {cause.reason or cause}"
        cause = cause.__cause__ or cause.__context__
    where = _where(fault)
    return "network", f"{where}{str(fault) or type(fault).__name__}"


def _where(fault: Exception) -> str:
    """Name the host that was asked, where the fault knows it."""
    try:
        return f"{cast(httpx.RequestError, fault).request.url.host}: "
    except (RuntimeError, AttributeError):
        return ""
