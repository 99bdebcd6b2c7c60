"""`farthing deploy-files`: what runs and watches a hub, to be put where it belongs."""

from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Annotated, Any

import typer

from farthing.errors import BadConfig
from farthing.terminal.frame import Answer


def deploy_files(
    folder: Annotated[Path, typer.Argument(help="A folder; it is made if it is not there.")],
) -> Any:
    """Write systemd units, Prometheus rules and a Grafana dashboard into a folder.

    A file that is there already stays as it is; if it differs, nothing is written.

    Example: farthing deploy-files deploy
    """
    wanted = {folder / name: content for name, content in deployed()}
    for path, content in wanted.items():
        if path.exists() and (path.is_dir() or path.read_bytes() != content):
            detail = f"{path} differs from what would be written; choose another folder"
            raise BadConfig("file-exists", detail)
    try:
        for path, content in wanted.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
    except OSError as fault:
        raise BadConfig("cannot-write", f"{fault.filename}: {fault.strerror}") from None
    return Answer([str(path) for path in wanted], lambda names: names)


def deployed() -> list[tuple[str, bytes]]:
    """Give every file that is shipped for operators: its name in its folder, and its content."""
    top = files("farthing") / "deploy"
    return sorted(
        (f"{shelf.name}/{file.name}", file.read_bytes())
        for shelf in _inside(top)
        for file in _inside(shelf)
    )


def _inside(folder: Traversable) -> list[Traversable]:
    return list(folder.iterdir())
