"""`farthing books migrate`: everything is on the other side, and the hub goes on there."""

import json

import pytest

from farthing.errors import Conflict
from farthing.services.moving import Balance, Sheet, check_same
from tests.cli.runner import Terminal
from tests.clusters import own_server
from tests.conftest import fresh_dsn


@pytest.fixture
def farthing(tmp_path):
    """A hub in which something has happened."""
    farthing = Terminal(tmp_path / "home")
    made = farthing("init", "--demo-data")
    assert made.code == 0, made
    return farthing


@pytest.fixture
def server():
    server = own_server()
    yield server
    server.close()


@pytest.fixture(params=["postgresql", "tigerbeetle", "tigerbeetle and postgresql"])
def target(request):
    """Where the books are to go, as settings."""
    words = ['path = "moved.db"', f'engine = "{request.param.partition(" ")[0]}"']
    if "postgresql" in request.param:
        words[0] = f'dsn = "{request.getfixturevalue("postgres_dsn")}"'
    if "tigerbeetle" in request.param:
        words.append(f'addresses = "{request.getfixturevalue("server").address}"')
    return "\n".join(words)


def moved(farthing, target):
    """Write the new settings down, and move."""
    config = farthing.home / "hub" / "new.toml"
    config.write_text(f"[books]\n{target}")
    return config, farthing("books", "migrate", str(config), "--json")


def shown(farthing, *config):
    """Give accounts and payments as the hub tells them."""
    said = [farthing(*words, "--json", *config) for words in (("accounts", "list"), ("payments",))]
    assert all(one.code == 0 for one in said), said
    return [json.loads(one.out) for one in said]


def test_books_are_the_same_on_the_other_side_and_go_on_there(farthing, target):
    before = shown(farthing)
    config, said = moved(farthing, target)
    assert said.code == 0, said
    told = json.loads(said.out)
    assert told["before"]["balances"] == told["after"]["balances"]
    assert told["before"]["transfers"] == told["after"]["transfers"] > 50
    there = ("--config", str(config))
    assert shown(farthing, *there) == before
    wallet = before[0][-1]["id"]
    assert farthing("credit", wallet, "1 USD", *there).code == 0
    audited = farthing("audit", *there)
    assert audited.code == 0, audited
    old = farthing("balances")
    assert (old.code, "books-rolled-back" in old.err) == (8, True), (
        "what was paid since is elsewhere"
    )


@pytest.mark.postgres
def test_books_go_on_from_postgresql_to_a_cluster(farthing, server, postgres_server):
    with fresh_dsn(postgres_server) as first, fresh_dsn(postgres_server) as second:
        config, said = moved(farthing, f'engine = "postgresql"\ndsn = "{first}"')
        assert said.code == 0, said
        there = ("--config", str(config))
        before = shown(farthing, *there)
        config.rename(config.with_name("between.toml"))
        between = ("--config", str(config.with_name("between.toml")))
        for dsn, code in ((first, 8), (second, 0)):
            words = f'dsn = "{dsn}"\naddresses = "{server.address}"\nengine = "tigerbeetle"'
            config.write_text(f"[books]\n{words}")
            said = farthing("books", "migrate", str(config), *between)
            assert said.code == code, said
            old = farthing("balances", *between)
            assert (old.code == 0, "books-moved" in old.err) == (bool(code), not code), old
        assert shown(farthing, *there) == before
        again = farthing("books", "migrate", str(config), *between)
        assert "books-moved" in farthing("balances", *between).err, again
        assert farthing("audit", *between).code == 0
        assert farthing("credit", before[0][-1]["id"], "1 USD", *there).code == 0
        assert farthing("audit", *there).code == 0
        assert json.loads(farthing("books", "reopen", "--json", *between).out) == {"reopened": True}
        assert "books-rolled-back" in farthing("balances", *between).err


def test_what_has_something_in_it_is_no_target(farthing, target):
    assert moved(farthing, target)[1].code == 0
    other = Terminal(farthing.home.parent / "other")
    assert other("init", "--demo-data").code == 0
    _, said = moved(other, target)
    assert (said.code, "target-not-empty" in said.err) == (8, True), said


def test_a_move_that_was_broken_off_goes_on_where_it_was(farthing, target, request):
    if "tigerbeetle" not in target:
        pytest.skip("rows go to PostgreSQL alone all at once")
    server = request.getfixturevalue("server")
    server.kill()
    _, said = moved(farthing, target)
    assert "cluster-unreachable" in said.err, said
    server.start()
    config, said = moved(farthing, target)
    assert said.code == 0, said
    assert farthing("audit", "--config", str(config)).code == 0


def test_books_are_not_moved_back_and_not_to_themselves(farthing):
    for target in ("", 'engine = "tigerbeetle"\naddresses = "127.0.0.1:1"\n'):
        _, said = moved(farthing, target)
        assert (said.code, "books-cannot-move" in said.err) == (8, True), said


@pytest.mark.parametrize(
    "after",
    [
        Sheet([Balance(1, 2, 0, 5, 0, 6)], 7, "head"),
        Sheet([Balance(1, 2, 0, 5, 0, 5)], 8, "head"),
        Sheet([Balance(1, 2, 0, 5, 0, 5)], 7, "another"),
        Sheet([], 7, "head"),
    ],
)
def test_sheets_that_differ_are_refused(after):
    before = Sheet([Balance(1, 2, 0, 5, 0, 5)], 7, "head")
    check_same(before, before)
    check_same(before, before._replace(head=""))
    with pytest.raises(Conflict):
        check_same(before, after)
