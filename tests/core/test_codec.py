"""Reading JSON strictly, whichever of its two ways a text takes."""

import json

import pytest

from farthing.codec import read_json
from farthing.errors import Malformed


def nested(depth: int) -> str:
    return "[" * depth + "]" * depth


@pytest.mark.parametrize(
    "text",
    [
        '"\\u0000"',
        '{"\\u0000": 1}',
        '["\\ud800"]',
        '{"a": {"b": "\\udfff"}}',
        nested(34),
        '{"a":' * 34 + "1" + "}" * 34,
        '{"a": 1, "a": 2}',
        '{"b": {"a": 1, "a": 1}}',
        "NaN",
        "[-Infinity]",
        "123456789012345678",
        '"\0"',
        "[1,]",
        "",
    ],
)
def test_what_two_parsers_could_read_differently_is_refused(text: str):
    with pytest.raises(Malformed) as refused:
        read_json(text)
    assert refused.value.code == "malformed-json"


@pytest.mark.parametrize(
    "text",
    [
        '"\\\\u0000"',
        '["\\u00e9", "é", "\\ud83d\\ude00"]',
        nested(32),
        f"[{', '.join(['[]'] * 100)}]",
        '{"a": [1, -2, true, null, "x"]}',
        "12345678901234567",
    ],
)
def test_what_is_plain_json_is_read_as_it_stands(text: str):
    assert read_json(text) == json.loads(text)
    assert read_json(text.encode()) == json.loads(text)
