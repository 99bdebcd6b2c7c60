"""Where the hub's own socket lies: a path that fits, in a folder that nobody else can enter."""

from pathlib import Path

import msgspec
import pytest

from farthing.config import Config
from farthing.errors import BadConfig
from farthing.sockets import socket_path


def hub_in(folder: Path) -> Config:
    return msgspec.structs.replace(Config(), folder=str(folder))


def test_a_socket_lies_in_its_hubs_folder(tmp_path: Path):
    assert socket_path(hub_in(tmp_path)) == tmp_path / "hub.sock"


def test_a_long_folder_has_its_socket_in_a_short_private_one(tmp_path: Path):
    one = socket_path(hub_in(tmp_path / ("long " * 30)))
    other = socket_path(hub_in(tmp_path / ("longer" * 30)))
    assert len(str(one)) < 100
    assert one.parent.stat().st_mode & 0o777 == 0o700
    assert one != other
    for path in (one, other):
        path.parent.rmdir()


def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path):
    config = hub_in(tmp_path / ("shared" * 30))
    folder = socket_path(config).parent
    folder.chmod(0o755)
    with pytest.raises(BadConfig, match="not ours alone"):
        socket_path(config)
    folder.rmdir()
