"""What httpx says when the network fails, as an error of ours that says where and why."""

import ssl
from typing import cast

import httpx

from farthing.errors import FarthingError, Malformed, Unavailable


def network_fault(fault: Exception) -> FarthingError:
    """Give the error that tells of a failure of httpx."""
    if isinstance(fault, httpx.InvalidURL | httpx.UnsupportedProtocol):
        return Malformed("malformed-url", f"{fault}; write it like https://shop.example/weather")
    cause: BaseException | None = fault
    while cause is not None:
        if isinstance(cause, ssl.SSLCertVerificationError):
            return Unavailable(
                "tls-not-trusted", f"the server's certificate: {cause.verify_message}"
            )
        if isinstance(cause, ssl.SSLError):
            return Unavailable("tls-failed", f"no secure connection: {cause.reason or cause}")
        cause = cause.__cause__ or cause.__context__
    return Unavailable("network", f"{_where(fault)}{str(fault) or type(fault).__name__}")


def _where(fault: Exception) -> str:
    """Name the host that was asked, where the fault knows it."""
    try:
        return f"{cast(httpx.RequestError, fault).request.url.host}: "
    except (RuntimeError, AttributeError):
        return ""
