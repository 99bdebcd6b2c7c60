"""What settings are described with."""

from typing import Any

import msgspec


def told(meaning: str, **bounds: Any) -> Any:
    """Say what a setting is for, and between which bounds."""
    return msgspec.Meta(description=meaning, **bounds)


WEB_URL = r"^(https?://[^\x00-\x20\x7f/?#@]+(/[^\x00-\x20\x7f?#]*)?)?$"
"""A pattern: nothing, or a URL of the web without a name to sign in with, query and fragment."""

MAILBOX = r"^[^\x00-\x20\x7f@<>,;:\"()\[\]\\]+@[^\x00-\x20\x7f@<>,;:\"()\\]+$"
"""A pattern: a mailbox, and nothing that a mail's head could take for more than one."""

SOME_ACCOUNT = "acc_01m8as21r3mdmtv1ecdc75xsr0"
"""An account's id as an example of one."""
