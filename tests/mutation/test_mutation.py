"""Mutation testing itself: the changes that are made, that they take effect, and the kept score."""

import ast
import sys
from collections import Counter
from pathlib import Path

import pytest

from tests.mutation.changes import changed
from tests.mutation.codes import Watched
from tests.mutation.groups import GROUPS, RESULTS
from tests.mutation.kept import Kept
from tests.mutation.page import PAGE, placed
from tests.mutation.score import (
    explained,
    merged,
    possible,
    read_results,
    report,
    unexplained,
    written,
)

FILES = [file for group in GROUPS.values() for file in group.files]
SHARE_MIN = 0.9
SMALL = '''
LIMIT = 5 + 5


def fits(units: int, most: int = 9) -> bool:
    """Tell whether."""
    if units < 0 or not most:
        raise ValueError("negative", "a word or two")
    return units <= most


class Box:
    kept: int = 1 + 1

    def double(self):
        self.kept *= 2
        return max(self.kept, key=len)


RULES = [(1, lambda t: t > 1)]
'''


CHANGES = [
    "fits: if units < 0 or not most:: or becomes and",
    "fits: if units < 0 or not most:: the condition is turned round",
    "fits: if units < 0 or not most:: < becomes <=",
    "fits: if units < 0 or not most:: 0 becomes 1",
    "fits: if units < 0 or not most:: not is left out",
    'fits: raise ValueError("negative", "a word or two"): raise is left out',
    "fits: raise ValueError(\"negative\", \"a word or two\"): 'negative' becomes 'negative~'",
    "fits: return units <= most: None is returned",
    "fits: return units <= most: <= becomes <",
    "Box.double: self.kept *= 2: * becomes //",
    "Box.double: self.kept *= 2: 2 becomes 3",
    "Box.double: return max(self.kept, key=len): None is returned",
    "Box.double: return max(self.kept, key=len): max becomes min",
    "Box.double: return max(self.kept, key=len): key= is left out",
    "lambda: RULES = [(1, lambda t: t > 1)]: > becomes >=",
    "lambda: RULES = [(1, lambda t: t > 1)]: 1 becomes 2",
]


def test_each_change_is_one_of_a_functions_body_and_is_taken_back():
    trees = {change.key: ast.unparse(tree) for change, tree in changed("small.py", SMALL)}
    whole = ast.unparse(ast.parse(SMALL))
    assert whole not in trees.values() and len(set(trees.values())) == len(trees)
    assert sorted(key.removeprefix("small.py ") for key in trees) == sorted(CHANGES)


@pytest.fixture
def small(tmp_path, monkeypatch):
    """The small module, imported from a file."""
    place = tmp_path / "small_to_change.py"
    place.write_text(SMALL)
    monkeypatch.syspath_prepend(tmp_path)
    import small_to_change

    yield place, small_to_change
    del sys.modules["small_to_change"]


def _fits(fits) -> bool | None:
    try:
        return fits(9)
    except ValueError:
        return None


def test_a_change_takes_effect_for_whoever_holds_the_function(small):
    place, module = small
    fits, rule, watched = module.fits, module.RULES[0][1], Watched([place])
    assert fits(9) and not rule(1)
    done = {}
    for change, tree in changed("small.py", SMALL):
        different = watched.differing(place, tree)
        assert len(different) == 1, change
        assert watched.put(different) == 1, change
        done[change.what] = (_fits(fits), rule(1))
        watched.put([(different[0][0], watched.code_of(different[0][0]))])
        assert fits(9) and not rule(1)
    assert done["or becomes and"] == (True, False)
    assert done["the condition is turned round"] == (None, False)
    assert done["<= becomes <"] == (False, False)
    assert done["> becomes >="] == (True, True)


def test_what_a_test_calls_is_noted_by_its_outermost_function(small):
    place, module = small
    watched = Watched([place])
    called = watched.called_by(lambda: (module.fits(1), module.RULES[0][1](1)))
    assert sorted(name for _, name, _, _ in called) == ["<lambda>", "fits"]


def test_what_was_noticed_is_not_tried_again_until_its_function_is_another(tmp_path):
    [one, two, *_] = [change for change, _ in changed("small.py", SMALL)]
    first = Kept(tmp_path)
    assert not first.is_noticed(one)
    first.note(one, "noticed")
    first.note(two, "unnoticed")
    first.save()
    again = Kept(tmp_path)
    assert again.is_noticed(one) and not again.is_noticed(two)
    assert again.verdicts == {"small.py": {one.key: "noticed"}}
    assert not Kept(tmp_path, again=True).is_noticed(one)
    other = next(change for change, _ in changed("small.py", SMALL.replace("<= most", "< most")))
    assert other.key == one.key and not Kept(tmp_path).is_noticed(other)


def test_a_files_new_results_take_the_place_of_its_old_ones():
    old = merged({}, ["a.py", "b.py"], {"a.py": {"x": "unnoticed"}, "b.py": {"y": "endless"}})
    new = merged(old, ["a.py"], {"a.py": {"x": "noticed", "z": "unnoticed"}})
    assert new == {
        "a.py": {"changes": 2, "endless": 0, "unnoticed": ["z"]},
        "b.py": {"changes": 1, "endless": 1, "unnoticed": []},
    }
    assert unexplained(new, {}) == ["z"] and unexplained(new, {"z": "harmless"}) == []


def test_every_file_was_tried_and_the_results_are_written_in_one_way():
    results = read_results()
    assert sorted(results) == sorted(FILES)
    assert written(results) == RESULTS.read_text()


def test_what_was_not_noticed_is_explained_and_nothing_else_is():
    left = [key for tried in read_results().values() for key in tried["unnoticed"]]
    assert sorted(explained()) == sorted(left)
    assert all(len(why) > 20 for why in explained().values())


@pytest.mark.parametrize("file", FILES)
def test_what_is_explained_is_a_change_of_the_code_as_it_stands(file):
    stale = {key for key in explained() if key.startswith(f"{file} ")} - possible(file)
    assert not stale, "run `make mutate`, and explain what it finds"


@pytest.mark.parametrize("group", GROUPS)
def test_nine_of_ten_changes_are_noticed(group):
    found = [read_results()[file] for file in GROUPS[group].files]
    count = Counter()
    for tried in found:
        count["changes"] += tried["changes"]
        count["left"] += len(tried["unnoticed"])
    assert 1 - count["left"] / count["changes"] >= SHARE_MIN


def test_the_page_is_that_of_the_results_that_are_kept():
    assert report(read_results()) in PAGE.read_text()
    assert placed(placed(PAGE.read_text(), "old"), "new").count("\n\nnew\n\n") == 1
    assert all(
        (Path(__file__).parents[2] / test).exists() for g in GROUPS.values() for test in g.tests
    )
