"""Floods of every kind leave a real hub's and a real proxy's memory flat; neighbours still pay."""

import pytest
from bench.flood_kinds import HUB, PROXY
from bench.floods import all_floods
from bench.neighbours import FLOODS, all_waits

SIZE = 20
KEPT_MIB_MAX, PEAK_MIB_MAX = 6, 60
"""What a second flood may add to the first, and what a server may grow in all of them: what a
refused or broken request leaves is counted exactly in tests/web/test_nothing_left.py."""


@pytest.mark.parametrize(("server", "kinds"), [("hub", HUB), ("proxy", PROXY)])
def test_no_flood_leaves_anything_behind(server, kinds):
    first = _growing(server, kinds)
    # What is lost is lost every time; what an allocator sets aside once is not.
    again = _growing(server, kinds) if first else {}
    assert not first.keys() & again.keys(), (first, again)


def _growing(server, kinds) -> dict[str, tuple[float, float]]:
    """Flood a new server twice in each way, and tell which ways left more the second time."""
    measured = list(all_floods(server, SIZE, held_seconds=0.2))
    assert [memory.flood for memory in measured] == list(kinds)
    assert all(memory.sent for memory in measured)
    assert max(memory.peak for memory in measured) < measured[0].before + PEAK_MIB_MAX
    return {
        m.flood: (m.after, m.after_again)
        for m in measured
        if m.after_again > m.after + KEPT_MIB_MAX
    }


def test_one_owners_payments_go_on_while_another_one_floods():
    waits = {waited.beside: waited for waited in all_waits(0.8)}
    assert list(waits) == ["nothing", *FLOODS]
    print({beside: waited.p50_ms for beside, waited in waits.items()})
    # Some tens of milliseconds with two cores for it; without turns it was half a minute.
    assert max(waited.p50_ms for waited in waits.values()) < 2500
