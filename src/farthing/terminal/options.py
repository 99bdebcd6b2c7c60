"""Options that commands of a hub and of a device share."""

from pathlib import Path
from typing import Annotated

import typer

NewPassphrase = Annotated[
    Path | None,
    typer.Option("--passphrase-file", help="A file with the new passphrase [the one in force]."),
]
