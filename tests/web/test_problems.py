"""Every refusal is a problem that a program can read."""

import json

import pytest

from farthing.errors import Conflict, InvariantBroken, Unavailable
from farthing.protocols.base import BadCredential
from farthing.web.problems import HttpProblem, problem_answer


def read(error, **more):
    answer = problem_answer(error, **more)
    headers = {name.decode(): value.decode() for name, value in answer.headers}
    return answer, headers, json.loads(answer.body)


def test_a_problem_has_its_code_status_and_detail():
    answer, headers, body = read(Conflict("nonce-used", "another order", payment="pay_1"))
    assert answer.status == body["status"] == 409
    assert headers["content-type"] == "application/problem+json"
    assert headers["cache-control"] == "no-store"
    assert (body["code"], body["detail"], body["payment"]) == (
        "nonce-used",
        "another order",
        "pay_1",
    )
    assert body["type"].endswith("/nonce-used")


def test_being_busy_says_when_to_try_again():
    assert read(Unavailable("busy"))[1]["retry-after"] == "1"
    assert read(Unavailable("busy", retry_after=7))[1]["retry-after"] == "7"
    assert read(Unavailable("busy"), headers=[("Retry-After", "9")])[1]["retry-after"] == "9"


def test_an_internal_fault_is_not_explained_to_strangers():
    answer, _, body = read(InvariantBroken("invariant-broken", "account acc_1 has -3"))
    assert answer.status == 500 and "detail" not in body


@pytest.mark.parametrize("status", [400, 402])
def test_a_bad_credential_has_the_status_of_its_language(status):
    answer, _, body = read(BadCredential("malformed-credential", "no", status=status))
    assert answer.status == body["status"] == status
    assert body["type"] == "https://paymentauth.org/problems/malformed-credential"


def test_a_problem_of_http_alone_has_the_usual_title():
    assert (
        read(HttpProblem(431, "headers-too-large"))[2]["title"] == "Request Header Fields Too Large"
    )
