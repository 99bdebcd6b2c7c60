"""`farthing risk models` and `drift`: trained on the books, compared, promoted and retired."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from .runner import Terminal


@pytest.fixture(scope="module")
def farthing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Terminal]:
    terminal = Terminal(tmp_path_factory.mktemp("risk") / "home")
    assert terminal("init", "--demo-data").code == 0
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr("farthing.risk.training.ROWS_MIN", 10)  # The demo's are two dozen.
        yield terminal


def told(farthing: Terminal, *words: str):
    done = farthing("risk", *words, "--json")
    assert done.code == 0, done.err
    return json.loads(done.out)


@pytest.fixture(scope="module")
def detector(farthing: Terminal) -> str:
    return told(farthing, "models", "train", "--days", "3650")["name"]


def test_without_models_a_person_is_told_what_scores(tmp_path: Path):
    farthing = Terminal(tmp_path / "home")
    farthing("init")
    assert "no models yet" in farthing("risk", "models", "list").out
    assert "[model-unnamed]" in farthing("risk", "drift").err


def test_a_model_is_trained_promoted_compared_and_retired(farthing: Terminal, detector: str):
    [listed] = told(farthing, "models", "list")["models"]
    assert (listed["name"], listed["role"], listed["fault"]) == (detector, "", "")
    assert listed["rows"] >= 20
    roles = told(farthing, "models", "promote", detector, "--challenger")
    assert roles == {"champion": "", "challenger": detector}
    assert told(farthing, "models", "promote", detector) == {"champion": detector, "challenger": ""}
    assert told(farthing, "models", "list")["models"][0]["role"] == "champion"
    compared = told(farthing, "models", "compare", "--days", "3650")
    assert [one["role"] for one in compared["models"]] == ["champion"]
    assert compared["orders"] == listed["rows"]
    assert compared["alerts_of_all"] == compared["models"][0]["alerts"]
    assert told(farthing, "models", "retire", detector) == {"champion": "", "challenger": ""}
    again = farthing("risk", "models", "retire", detector)
    assert (again.code != 0, "[model-has-no-role]" in again.err) == (True, True)


def test_a_model_does_not_drift_from_what_it_was_trained_on(farthing: Terminal, detector: str):
    drift = told(farthing, "drift", detector, "--days", "3650")
    assert set(drift["drift"]) > {"units", "hour", "score"}
    assert max(drift["drift"].values()) == 0
    shown = farthing("risk", "drift", detector, "--days", "3650").out
    assert "score" in shown
    assert "none" in shown


def test_what_cannot_be_learned_is_said(farthing: Terminal):
    done = farthing("risk", "models", "train", "--kind", "learned", "--days", "3650")
    assert done.code != 0
    assert "[too-little-to-learn]" in done.err


def test_a_file_that_is_no_model_is_listed_with_why(farthing: Terminal, detector: str):
    shelf = next(farthing.home.rglob("models"))
    spoilt = shelf / "detector-000000000000.json"
    spoilt.write_text("{}")
    try:
        listed = {one["name"]: one for one in told(farthing, "models", "list")["models"]}
        assert (listed[detector]["fault"], listed[spoilt.stem]["rows"]) == ("", 0)
        assert "[model-unusable]" in farthing("risk", "models", "promote", spoilt.stem).err
        assert "[no-such-model]" in farthing("risk", "models", "promote", "detector-1").err
    finally:
        spoilt.unlink()


def test_roles_that_somebody_else_wrote_are_told(farthing: Terminal, detector: str):
    told(farthing, "models", "promote", detector)
    file = next(farthing.home.rglob("roles.json"))
    before = file.read_text()
    file.write_text(before.replace(detector, "detector-000000000000"))
    assert "its signature is not right" in told(farthing, "models", "list")["fault"]
    looked = farthing("doctor", "--offline", FARTHING_RISK_MODE="shadow").out
    assert "its signature is not right" in looked
    assert "nobody scores" in farthing("risk", "models", "list").out
    assert told(farthing, "models", "promote", detector)["champion"] == detector
    looked = farthing("doctor", "--offline", FARTHING_RISK_MODE="shadow").out
    assert f"{detector} can score" in looked
    assert "can score" not in farthing("doctor", "--offline", FARTHING_RISK_MODE="off").out
    told(farthing, "models", "retire", detector)
    looked = farthing("doctor", "--offline", FARTHING_RISK_MODE="shadow").out
    assert "nobody was promoted" in looked


def test_a_backtest_has_promoted_models_score_the_past_threshold_by_threshold(
    farthing: Terminal, detector: str
):
    told(farthing, "models", "promote", detector)
    try:
        found = told(farthing, "backtest")
        [model] = found["models"]
        assert (model["name"], model["role"], model["fault"]) == (detector, "champion", "")
        assert model["scored"] == found["judged"] > 10
        ranks = [one["rank_min"] for one in model["steps"]]
        odd = [one["odd"] for one in model["steps"]]
        assert ranks == sorted(ranks)
        assert odd == sorted(odd, reverse=True)
        assert odd[0] > 0  # Of two dozen the oddest is odder than all others.
        shown = farthing("risk", "backtest").out
        assert f"champion {detector}: {model['scored']} orders scored" in shown
        assert "99,900" in shown
        assert told(farthing, "backtest", "--no-models")["models"] == []
        file = next(farthing.home.rglob(f"{detector}.json"))
        kept = file.read_bytes()
        file.unlink()
        [lost] = told(farthing, "backtest")["models"]
        assert (lost["scored"], lost["fault"]) == (0, f"there is no model {detector}")
        file.write_bytes(kept)
    finally:
        told(farthing, "models", "retire", detector)
