"""A place is the network of an address, written in one way; this machine is none."""

import pytest

from farthing.core.places import place_of, read_place
from farthing.errors import Malformed


@pytest.mark.parametrize(
    ("address", "place"),
    [
        ("203.0.113.7", "203.0.113.0/24"),
        ("203.0.113.250", "203.0.113.0/24"),
        ("10.1.2.3", "10.1.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("2001:DB8:1:ffff::/64", "2001:db8:1::/48"),  # As an address is counted.
        ("::ffff:203.0.113.7", "203.0.113.0/24"),
        ("fe80::1%eth0", "fe80::/48"),
        ("127.0.0.1", ""),
        ("127.8.8.8", ""),
        ("::1", ""),
        ("::ffff:127.0.0.1", ""),
        ("0.0.0.0", ""),
        ("::", ""),
        ("", ""),
        ("unknown", ""),
        ("203.0.113.7:4711", ""),
    ],
)
def test_a_place_is_the_network_of_an_address(address, place):
    assert place_of(address) == place


@pytest.mark.parametrize("place", ["", "203.0.113.0/24", "2001:db8:1::/48"])
def test_a_place_that_is_told_is_read_as_it_is_written(place):
    assert read_place(place) == place


@pytest.mark.parametrize(
    "told",
    [
        "203.0.113.7",
        "203.0.113.7/24",
        "203.0.113.0/25",
        "203.0.113.0",
        "2001:db8:1:2::/64",
        "2001:DB8:1::/48",
        "127.0.0.0/24",
        "::/48",
        "Oslo",
        " 203.0.113.0/24",
    ],
)
def test_whatever_else_is_told_is_refused(told):
    with pytest.raises(Malformed, match="a place is"):
        read_place(told)
