"""Where the hub's own socket lies: a path that fits, in a folder that nobody else can enter."""

from pathlib import Path

import msgspec
import pytest

from farthing.errors import BadConfig
from farthing.settings import Config
from farthing.sockets import clear_away, make_room, socket_path


def hub_in(folder: Path) -> Config:
    return msgspec.structs.replace(Config(), folder=str(folder))


def test_a_socket_lies_in_its_hubs_folder(tmp_path: Path):
    assert socket_path(hub_in(tmp_path)) == tmp_path / "hub.sock"


def test_a_long_folder_has_its_socket_in_a_short_private_one(tmp_path: Path):
    config, other = hub_in(tmp_path / ("long " * 30)), hub_in(tmp_path / ("longer" * 30))
    path = make_room(config)
    assert len(str(path)) < 100
    assert path.parent.stat().st_mode & 0o777 == 0o700
    assert path != socket_path(other)
    clear_away(config)
    assert not path.parent.exists()


def test_a_folder_that_others_can_enter_is_refused(tmp_path: Path):
    config = hub_in(tmp_path / ("shared" * 30))
    folder = make_room(config).parent
    folder.chmod(0o755)
    with pytest.raises(BadConfig, match="not ours alone"):
        socket_path(config)
    folder.rmdir()
