"""Which of the further engines a test of the books runs on, where not all are asked for."""

from tests.books.conftest import FURTHER, drawn


def test_in_some_run_each_test_has_each_further_engine_and_in_some_none():
    found = {(name, drawn(str(seed), name)) for seed in range(40) for name in ("a", "b")}
    assert found == {(name, engine) for name in ("a", "b") for engine in (*FURTHER, None)}
