"""Vouchers and ticks in header fields of our own, and how a session stands in another.

    Farthing-Voucher: ses_01… hKEE…          a session and its newest voucher
    Farthing-Voucher: ses_01… hKEE… close    and the wish to close it
    Farthing-Tick: ses_01… q83v…             a session and its highest tick, with its voucher or not
    Farthing-Session: session="ses_01…", state="open", deposit="500", promised="30", …

Source: docs/reference/metering.md.
"""

import re
from collections.abc import Mapping

from farthing.codec import from_base64url
from farthing.errors import Malformed
from farthing.protocols.mpp_session import Said
from farthing.web.asgi import Scope

VOUCHER, TICK = b"farthing-voucher", b"farthing-tick"
SESSION = "farthing-session"
COUNT = b"farthing-count"

_FIELD = re.compile(r"(ses_[0-9a-z]{26}) ([A-Za-z0-9_-]{1,256})( close)?", re.ASCII)


def read_voucher_field(scope: Scope) -> Said | None:
    """Read the voucher and the tick that a request carries in our own fields, if it carries any.

    Shape:  they are read from the request as it came: no such field is passed on to a handler.
    Raises: Malformed `malformed-voucher`, `malformed-tick`.
    """
    voucher = _read(scope, VOUCHER, "malformed-voucher", "Farthing-Voucher: ses_… voucher")
    tick = _read(scope, TICK, "malformed-tick", "Farthing-Tick: ses_… tick")
    if voucher is None and tick is None:
        return None
    session = (voucher or tick or ("",))[0]
    if voucher is not None and tick is not None and tick[0] != session:
        raise Malformed("malformed-tick", "voucher and tick are of one session")
    closing = any(each is not None and each[2] for each in (voucher, tick))
    return Said(
        action="close" if closing else "voucher",
        session=session,
        voucher=from_base64url(voucher[1]) if voucher is not None else b"",
        tick=from_base64url(tick[1]) if tick is not None else b"",
    )


def _read(scope: Scope, name: bytes, code: str, form: str) -> tuple[str, str, str] | None:
    """Read a field's session, what is shown for it, and the wish to close."""
    values = [value for field, value in scope["headers"] if field.lower() == name]
    if not values:
        return None
    read = _FIELD.fullmatch(values[0].decode("latin-1"))
    if read is None or len(values) > 1:
        raise Malformed(code, f"write one field: {form}")
    return read[1], read[2], read[3] or ""


def session_field(state: Mapping[str, str]) -> tuple[str, str]:
    """Write how a session stands (RFC 9651, a dictionary of strings)."""
    return SESSION, ", ".join(f'{name}="{value}"' for name, value in state.items())
