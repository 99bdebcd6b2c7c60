"""What watching costs a payment, beside what not watching costs: `python -m bench.watching`."""

from collections.abc import Callable
from time import process_time

from farthing.core.events import PER_LEAF, Event, Kind
from farthing.observe.hub_watch import HubWatch
from farthing.services.watch import UNWATCHED, Watch

_ROUNDS, _TIMES = 2_000, 5
_PER_COMMIT = 50
_HEADERS = [(b"host", b"hub.example"), (b"content-type", b"application/json")]
_BODY = {"amount": "1500", "asset": "USD", "captured": "1500", "refunded": "0", "state": "captured"}


def events_of(payments: int) -> list[Event]:
    """Give what happens in a commit of payments: an event for either owner of each."""
    return [
        Event(leaf * PER_LEAF + place, "own_x", Kind.PAYMENT_CAPTURED.value, "pay_x", 1, _BODY)
        for leaf in range(payments)
        for place in range(2)
    ]


def tell_one_payment(watch: Watch) -> None:
    """Tell what one `POST /v1/payments` tells, but for its share of a commit."""
    with watch.request(_HEADERS) as seen:
        seen.named("pay")
        with watch.step("authorise") as step:
            step.part("verify")
            step.part("commit")
        seen.answered(200)


def microseconds(tell: Callable[[], None], rounds: int = _ROUNDS) -> float:
    """Measure the processor time of telling something, the best of some times."""
    taken: list[float] = []
    for _ in range(_TIMES):
        began = process_time()
        for _ in range(rounds):
            tell()
        taken.append((process_time() - began) / rounds)
    return min(taken) * 1e6


def measure(rounds: int = _ROUNDS) -> dict[str, float]:
    """Give microseconds a payment: unwatched, watched, and what counting a commit adds."""
    watch = HubWatch("sqlite")
    many, one = events_of(_PER_COMMIT), events_of(1)
    shared = microseconds(lambda: watch.committed(0.001, 0.002, _PER_COMMIT, many), rounds // 10)
    return {
        "unwatched": microseconds(lambda: tell_one_payment(UNWATCHED), rounds),
        "watched": microseconds(lambda: tell_one_payment(watch), rounds),
        "its share of a commit of 50": shared / _PER_COMMIT,
        "a commit of its own": microseconds(lambda: watch.committed(0.001, 0.002, 1, one), rounds),
    }


if __name__ == "__main__":
    for name, taken in measure().items():
        print(f"{name:>28}  {taken:6.2f} µs")
