"""Windows count what they say, against the plainest model of them."""

from hypothesis import given
from hypothesis import strategies as st

from farthing.risk.windows import Window


@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 2**62)), max_size=60),
    st.sampled_from([(1, 1), (10, 6), (7, 3)]),
)
def test_a_window_is_the_sum_of_what_is_in_its_slices(
    steps: list[tuple[int, int]], shape: tuple[int, int]
):
    slice_seconds, slices = shape
    window = Window(slice_seconds, slices)
    now, kept = 1_790_000_000, list[tuple[int, int]]()
    for step, units in steps:
        now += step
        window.reach(now)
        inside = [u for at, u in kept if at // slice_seconds > now // slice_seconds - slices]
        assert (window.count, window.units) == (len(inside), sum(inside))
        window.add(units)
        kept.append((now, units))


def test_a_window_forgets_all_of_a_long_pause():
    window = Window(10, 6)
    window.reach(1000)
    window.add(5)
    window.reach(10_000)
    assert (window.count, window.units) == (0, 0)


def test_time_that_goes_backwards_is_the_newest_time():
    window = Window(10, 6)
    window.reach(1000)
    window.add(5)
    window.reach(500)
    window.add(6)
    assert (window.count, window.units) == (2, 11)
    window.reach(1059)
    assert window.count == 2
    window.reach(1060)
    assert window.count == 0
