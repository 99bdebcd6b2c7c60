"""`farthing deploy-files`: everything that is shipped for operators, and nothing overwritten."""

from pathlib import Path

from farthing.cli.deploying import deployed
from tests.cli.runner import Terminal


def test_every_file_is_written_once_and_again_changes_nothing(tmp_path: Path):
    terminal, folder = Terminal(tmp_path), tmp_path / "deploy"
    first = terminal("deploy-files", str(folder))
    assert first.out.split() == [str(folder / name) for name, _ in deployed()]
    for name, content in deployed():
        assert (folder / name).read_bytes() == content
        assert content
    assert terminal("deploy-files", str(folder)).out == first.out


def test_a_file_that_was_changed_is_left_alone_and_so_is_everything(tmp_path: Path):
    terminal, folder = Terminal(tmp_path), tmp_path / "deploy"
    terminal("deploy-files", str(folder))
    (name, _), (other, _), *_ = deployed()
    (folder / name).write_text("mine")
    (folder / other).unlink()
    done = terminal("deploy-files", str(folder))
    assert "file-exists" in done.err
    assert (folder / name).read_text() == "mine"
    assert not (folder / other).exists()
