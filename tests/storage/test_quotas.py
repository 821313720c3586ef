"""What is kept of whom: added up from the store, bounded a lane, a community and all together."""

from itertools import product

import pytest

from node.quotas import Bounds, Quotas, Usage
from protocol.limits import INTEGER_MAX, QUOTA_ENTRY_BYTES
from storage.engine import open_store
from storage.lanes import LaneStore
from storage.quotas import bytes_of_lanes, raised_quotas, set_quota

OWN, A, B = (bytes([letter]) * 32 for letter in b"OAB")


def test_what_lanes_count_is_their_packed_bytes_and_something_an_entry(place: str) -> None:
    """Full bundles and the open end alike, of whatever size, and a lane without entries counts nothing."""
    with open_store(place) as store, store.write() as connection:
        lanes = LaneStore(connection)
        counts, keys = {}, {}
        for number, size in enumerate((0, 1, 255, 256, 257, 700)):
            entries = [bytes(index % 97) for index in range(size)]
            keys[size] = lanes.open_lane(A if number % 2 else B, f"market/{'abcdef'[number]}", 0)
            lanes.append(keys[size], 0, entries)
            counts[keys[size]] = sum(2 + len(entry) + QUOTA_ENTRY_BYTES for entry in entries)
        found = bytes_of_lanes(connection)
        assert found[A] | found[B] == counts
        assert found[A].keys() == {keys[1], keys[256], keys[700]}
        assert raised_quotas(connection) == {}
        set_quota(connection, A, 7)
        set_quota(connection, A, 8)
        set_quota(connection, B, 9)
        set_quota(connection, B, None)
        assert raised_quotas(connection) == {A: 8}


def test_the_smallest_of_three_bounds_holds() -> None:
    """For every way in which a lane, a community and all may be filled, and a quota raised or lowered."""
    bounds = Bounds(lane_bytes=100, community_bytes=150, all_bytes=300)
    for lane, rest, others, raised in product((0, 60, 100), (0, 90), (0, 200), (None, 20, 120, 400)):
        lanes = {A: {1: lane, 2: rest}, B: {3: others}, OWN: {4: 10**9}}
        usage = Usage(lanes, {} if raised is None else {A: raised})
        of_lane = max(100, raised or 0) - lane
        of_community = (150 if raised is None else raised) - lane - rest
        assert usage.room(OWN, bounds, A, 1) == min(of_lane, of_community, 300 - lane - rest - others)
    assert usage.room(OWN, bounds, OWN, 4) == INTEGER_MAX


@pytest.mark.parametrize("added", [1, 40, 41])
def test_what_is_taken_is_counted_and_what_does_not_fit_is_not(place: str, added: int) -> None:
    """To the last byte, and the same again after everything was added up anew."""
    with open_store(place) as store, store.write() as connection:
        lanes = LaneStore(connection)
        key = lanes.open_lane(A, "market/food", 0)
        entry = bytes(100)
        one = 102 + QUOTA_ENTRY_BYTES
        quotas = Quotas(OWN, Bounds(one + 40, 10**6, 10**6))
        assert quotas.take(connection, A, key, one)
        lanes.append(key, 0, [entry])
        fits = added <= 40
        assert quotas.take(connection, A, key, added) is fits
        assert quotas.take(connection, A, key, 40) is not fits
        quotas.forget()
        assert quotas.room(connection, A, key) == 40
        assert quotas.take(connection, OWN, key, 10**12)
