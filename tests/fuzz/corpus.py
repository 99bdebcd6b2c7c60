"""The kept corpus: inputs that once reached new code, one a line, in base64."""

import base64
from pathlib import Path

KEPT = Path(__file__).parent / "corpus"


def kept(name: str) -> list[bytes]:
    """Read the kept inputs of a parser."""
    file = KEPT / f"{name}.txt"
    return (
        [base64.b64decode(line) for line in file.read_text().split("\n")[:-1]]
        if file.exists()
        else []
    )
