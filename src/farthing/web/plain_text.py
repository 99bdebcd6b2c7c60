"""Words of other people in a page of ours: one line, of bounded length, with no markup in it."""

import re
import unicodedata

_MARKUP = re.compile(r"[#`<>\[\]*_|\\]+")
_SPACE = re.compile(r"\s+")
_CHARACTERS_MAX = 200


def plain(text: str, characters_max: int = _CHARACTERS_MAX) -> str:
    """Leave out what could pose as markup of ours, break a line, or not be seen.

    Shape: control, format, private and unassigned characters become spaces (Unicode `C…`), and
           so do line and paragraph separators.
    """
    seen = "".join(" " if _is_hidden(char) else char for char in text[: 4 * characters_max])
    told = _SPACE.sub(" ", _MARKUP.sub(" ", seen)).strip()
    return told if len(told) <= characters_max else told[: characters_max - 1].rstrip() + "…"


def _is_hidden(char: str) -> bool:
    return unicodedata.category(char)[0] == "C" or char in "\u2028\u2029"
