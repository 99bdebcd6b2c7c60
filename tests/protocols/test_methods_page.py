"""The page that specifies the method says what the vectors and the code say."""

import re

from farthing.core.orders import LIFETIME_SECONDS_MAX, SKEW_SECONDS_MAX
from farthing.protocols import names

from .make_vectors import FOLDER
from .test_vectors import FILES

PAGE = (FOLDER.parent / "methods.md").read_text()
SESSIONS = (FOLDER.parent / "sessions.md").read_text()


def test_the_pages_example_is_the_first_vector():
    assert FILES["orders"]["good"][0]["signed_text"] in PAGE
    assert f"WWW-Authenticate: {FILES['mpp']['challenge']}\n" in PAGE
    assert FILES["mpp"]["credential"]["payload"]["signature"] in PAGE
    assert FILES["x402"]["payload"]["payload"]["signature"] in PAGE


def test_every_vector_file_is_named_on_a_page():
    published = {path.name for path in FOLDER.glob("*.json")}
    assert published == set(re.findall(r"\(vectors/([a-z0-9]+\.json)\)", PAGE + SESSIONS))


def test_every_code_of_the_vectors_is_explained():
    cases = [*FILES["mpp"]["credentials"], *FILES["x402"]["payloads"]]
    for code in {case["code"] for case in cases if "code" in case}:
        assert f"| `{code}` |" in PAGE


def test_the_limits_are_the_codes_own():
    assert f"| {names.CREDENTIAL_CHARACTERS_MAX} characters |" in PAGE
    assert f"| life of an order | {LIFETIME_SECONDS_MAX} s |" in PAGE
    assert f"clock and the hub's | {SKEW_SECONDS_MAX} s |" in PAGE
