"""Vouchers in a header field of our own, and how a session stands in another.

    Farthing-Voucher: ses_01… hKEE…          a session and its newest voucher
    Farthing-Voucher: ses_01… hKEE… close    and the wish to close it
    Farthing-Session: session="ses_01…", state="open", deposit="500", promised="30", …

Source: docs/reference/metering.md.
"""

import re
from collections.abc import Mapping

from farthing.codec import from_base64url
from farthing.errors import Malformed
from farthing.protocols.mpp_session import Said
from farthing.web.asgi import Scope

VOUCHER = b"farthing-voucher"
SESSION = "farthing-session"
COUNT = b"farthing-count"

_FIELD = re.compile(r"(ses_[0-9a-z]{26}) ([A-Za-z0-9_-]{1,256})( close)?", re.ASCII)


def read_voucher_field(scope: Scope) -> Said | None:
    """Read the voucher that a request carries in our own field, if it carries one.

    Shape:  it is read from the request as it came: no such field is passed on to a handler.
    Raises: Malformed `malformed-voucher`.
    """
    values = [value for name, value in scope["headers"] if name.lower() == VOUCHER]
    if not values:
        return None
    read = _FIELD.fullmatch(values[0].decode("latin-1"))
    if read is None or len(values) > 1:
        detail = "write one field: Farthing-Voucher: ses_… voucher"
        raise Malformed("malformed-voucher", detail)
    action = "close" if read[3] else "voucher"
    return Said(action=action, session=read[1], voucher=from_base64url(read[2]))


def session_field(state: Mapping[str, str]) -> tuple[str, str]:
    """Write how a session stands (RFC 9651, a dictionary of strings)."""
    return SESSION, ", ".join(f'{name}="{value}"' for name, value in state.items())
