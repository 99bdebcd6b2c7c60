"""How much a paywall takes and how long it waits."""

from dataclasses import dataclass

from farthing.web.answers import KEPT_SECONDS, MEMORY_BYTES_MAX
from farthing.web.paid_run import ANSWER_SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Limits:
    """Limits of a paywall, each with a default that suits most sellers.

    Shape: `body_bytes` bounds bodies whose digest is bound to the price, `bodies_memory_bytes`
           all of them together; `body_seconds` is how long one may take to arrive;
           `answer_seconds` bounds the time to a response head, and a hold outlives it by 30 s;
           `wait_seconds` is how long a duplicate waits for the one that runs; `asks_per_second`
           and `asks_burst` bound, for one address, prices asked and payments refused (0: no
           limit), and a payment gives both back; `status_base` stands before
           `/v1/payments/{id}` when the hub is elsewhere; `discovery` answers `/openapi.json`
           and `/llms.txt` where the app does not.
    """

    body_bytes: int = 1024 * 1024
    bodies_memory_bytes: int = 64 * 1024 * 1024
    body_seconds: float = 30.0
    answer_seconds: float = ANSWER_SECONDS
    wait_seconds: float = 30.0
    challenge_seconds: int = 300
    answers_memory_bytes: int = MEMORY_BYTES_MAX
    answers_seconds: float = KEPT_SECONDS
    asks_per_second: float = 200.0
    asks_burst: float = 1000.0
    status_base: str = ""
    discovery: bool = True
