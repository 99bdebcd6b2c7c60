"""What opens something, drawn at random: long secrets, and recovery codes to write down."""

from collections.abc import Callable

from farthing.codec import to_base64url
from farthing.errors import Malformed

SECRET_BYTES = 32
SECRET_CHARACTERS_MAX = 2 * SECRET_BYTES
_LETTERS = "ABCDEFGHJKMNPQRSTVWXYZ23456789"
_CODE_LETTERS, _CODE_BITS = 20, 256

RandomBits = Callable[[int], int]


def new_secret(random_bits: RandomBits) -> str:
    """Draw what is kept by who gets it: a link's code, a browser's session, an API key's rest."""
    return to_base64url(random_bits(8 * SECRET_BYTES).to_bytes(SECRET_BYTES, "big"))


def new_recovery_code(random_bits: RandomBits) -> str:
    """Draw a code to be written down, in groups of five capitals."""
    number, letters = random_bits(_CODE_BITS), ""
    for _ in range(_CODE_LETTERS):
        number, place = divmod(number, len(_LETTERS))
        letters += _LETTERS[place]
    return "-".join(letters[i : i + 5] for i in range(0, _CODE_LETTERS, 5))


def plain_code(code: str) -> str:
    """Read a code as it was given: a link's has 43 letters, a recovery code is in capitals.

    Raises: Malformed.
    """
    text = code.strip()
    if len(text) > SECRET_CHARACTERS_MAX or not text.isascii():
        raise Malformed("malformed-sign-in-code", "write the code as it was shown")
    return text.upper() if len(text) < SECRET_BYTES else text
