"""Lanes: bundles, tail and tiles against the plainest tree there is."""

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.log.merkle import (
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    verify_consistency,
    verify_inclusion,
)
from protocol.log.tiles import pack_entries
from storage.engine import Store
from storage.errors import LogForked, StorageError
from storage.lanes import Bundle, LaneStore

COMMUNITY = bytes(range(32))


def entries(start: int, end: int) -> list[bytes]:
    return [b"entry %d " % index * (1 + index % 5) for index in range(start, end)]


def naive_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 as its text has it."""
    from hashlib import sha256

    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return sha256(b"\x00" + leaves[0]).digest()
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + naive_root(leaves[:split]) + naive_root(leaves[split:])).digest()


def filled(store: Store, size: int) -> int:
    with store.write() as connection:
        lanes = LaneStore(connection)
        key = lanes.open_lane(COMMUNITY, "trade", 0)
        lanes.append(key, 0, entries(0, size))
    return key


@pytest.mark.parametrize("step", [1, 7, 100, 256, 300, 1000])
def test_a_lane_gives_back_what_was_appended_in_any_group_size(store: Store, step: int) -> None:
    """Bytes, order, size and root do not depend on how appends were grouped."""
    everything = entries(0, 1100)
    with store.write() as connection:
        lanes = LaneStore(connection)
        key = lanes.open_lane(COMMUNITY, "trade", 0)
        for start in range(0, 1100, step):
            size = lanes.append(key, start, everything[start : start + step])
            assert size == lanes.size(key) == min(start + step, 1100)
    with store.read() as connection:
        lanes = LaneStore(connection)
        assert lanes.entries(key, 0, 1100) == everything
        assert lanes.compact_range(key).root() == naive_root(everything)
        assert lanes.entry(key, 1099) == everything[1099]


def test_every_cut_of_a_lane_reads_the_same_as_a_list(store: Store) -> None:
    """Ranges across bundles and tail equal slices of a list."""
    everything = entries(0, 700)
    key = filled(store, 700)
    choice = random.Random(1)
    with store.read() as connection:
        lanes = LaneStore(connection)
        for _ in range(60):
            start = choice.randrange(701)
            end = choice.randrange(start, 701)
            assert lanes.entries(key, start, end) == everything[start:end]
        with pytest.raises(StorageError) as refused:
            lanes.entries(key, 699, 701)
    assert refused.value.code == "lane_range"


@pytest.mark.parametrize("size", [0, 1, 2, 255, 256, 257, 511, 512, 513, 1000])
def test_proofs_from_stored_nodes_hold_for_every_size(store: Store, size: int) -> None:
    """Inclusion and consistency proofs made from `node` verify against the naive root."""
    everything = entries(0, 1100)
    key = filled(store, 1100)
    with store.read() as connection:
        lanes = LaneStore(connection)

        def node(level: int, index: int) -> bytes:
            return lanes.node(key, level, index)

        whole = lanes.compact_range(key).root()
        root = lanes.compact_range(key, size).root()
        assert root == naive_root(everything[:size])
        if size:
            proof = consistency_proof(size, 1100, node)
            verify_consistency(proof, first=size, first_root=root, second=1100, second_root=whole)
            path = inclusion_proof(size - 1, size, node)
            verify_inclusion(path, leaf=leaf_hash(everything[size - 1]), index=size - 1, size=size, root=root)


def test_equal_bytes_may_come_again_and_other_bytes_are_a_fork(store: Store) -> None:
    """Appending is idempotent; a different entry anywhere raises `LogForked` and stores nothing."""
    key = filled(store, 300)
    with store.write() as connection:
        lanes = LaneStore(connection)
        assert lanes.append(key, 0, entries(0, 300)) == 300
        assert lanes.append(key, 250, entries(250, 310)) == 310
        for index in (0, 255, 256, 309):
            with pytest.raises(LogForked):
                lanes.append(key, index, [b"another", *entries(index + 1, 400)])
        assert lanes.size(key) == 310
        with pytest.raises(StorageError) as refused:
            lanes.append(key, 311, [b"too far"])
        assert refused.value.code == "lane_gap"


def test_a_verified_bundle_replaces_the_tail_it_contains(store: Store) -> None:
    """A backfilled bundle swallows an equal tail, refuses another one, and comes again without effect."""
    everything = entries(0, 512)
    key = filled(store, 300)
    second = everything[256:512]
    leaves = CompactRange()
    leaves.extend([leaf_hash(entry) for entry in second])
    bundle = Bundle(pack_entries(second), leaves.root())
    with store.write() as connection:
        lanes = LaneStore(connection)
        with pytest.raises(LogForked):
            lanes.append_bundles(key, 1, [Bundle(pack_entries([b"liar", *second[1:]]), leaves.root())])
        lanes.append_bundles(key, 1, [bundle])
        lanes.append_bundles(key, 1, [bundle])
        assert lanes.size(key) == 512
        assert lanes.entries(key, 0, 512) == everything
        assert lanes.compact_range(key).root() == naive_root(everything)
        with pytest.raises(LogForked):
            lanes.append_bundles(key, 0, [bundle])
        with pytest.raises(StorageError) as refused:
            lanes.append_bundles(key, 3, [bundle])
        assert refused.value.code == "lane_gap"


def test_tiles_above_full_bundles_are_what_the_tree_says(store: Store) -> None:
    """Past 65,536 entries a stored tile of level 1 and the range over it equal a tree made by hand."""
    size = 256 * 257 + 3
    packed = pack_entries([b"x"] * 256)
    naive = CompactRange()
    naive.extend([leaf_hash(b"x")] * size)
    bundle = CompactRange()
    bundle.extend([leaf_hash(b"x")] * 256)
    with store.write() as connection:
        lanes = LaneStore(connection)
        key = lanes.open_lane(COMMUNITY, "ledger", 0)
        lanes.append_bundles(key, 0, [Bundle(packed, bundle.root())] * 200)
        lanes.append_bundles(key, 199, [Bundle(packed, bundle.root())] * 58)
        lanes.append(key, 256 * 257, [b"x"] * 3)
        assert lanes.compact_range(key).hashes == naive.hashes
        assert lanes.tile(key, 1, 0, 256) == bundle.root() * 256
        assert lanes.tile(key, 1, 1, 1) == bundle.root()
        assert lanes.tile(key, 2, 0, 1) == lanes.node(key, 16, 0) == naive.hashes[0]
        assert lanes.tile(key, 0, 257, 3) == leaf_hash(b"x") * 3
        assert lanes.entry_bundle(key, 256, 256) == packed
        assert lanes.entry_bundle(key, 257, 2) == pack_entries([b"x"] * 2)
        assert lanes.entry_bundle(key, 0, 5) == pack_entries([b"x"] * 5)
        for level, index, width in ((0, 257, 4), (1, 1, 2), (2, 0, 2), (0, 0, 0)):
            with pytest.raises(StorageError) as refused:
                lanes.tile(key, level, index, width)
            assert refused.value.code == "lane_range"


def test_lanes_of_one_name_differ_by_community_and_epoch(store: Store) -> None:
    """A lane is (community, name, epoch); opening it again gives the same number."""
    other = bytes(32)
    with store.write() as connection:
        lanes = LaneStore(connection)
        keys = [
            lanes.open_lane(*lane)
            for lane in ((COMMUNITY, "trade", 0), (other, "trade", 0), (other, "trade", 1))
        ]
        assert len(set(keys)) == 3
        assert lanes.open_lane(other, "trade", 1) == keys[2]
        assert lanes.lane_key(other, "ledger", 0) is None
        lanes.append(keys[0], 0, [b"mine"])
        assert [lanes.size(key) for key in keys] == [1, 0, 0]
        assert [lane.lane_key for lane in lanes.lanes()] == [keys[1], keys[2], keys[0]]
        assert lanes.lanes(COMMUNITY) == [lanes.lane(keys[0])]


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_any_run_of_appends_equals_a_list(store: Store, data: st.DataObject) -> None:
    """Appends of random groups, repeats and overlaps leave exactly the list they describe."""
    model: list[bytes] = []
    with store.write() as connection:
        lanes = LaneStore(connection)
        name = f"run {data.draw(st.integers(0, 2**60))}"
        key = lanes.open_lane(COMMUNITY, name, len(lanes.lanes()))
        for _ in range(data.draw(st.integers(1, 6))):
            start = data.draw(st.integers(max(0, len(model) - 20), len(model)))
            count = data.draw(st.sampled_from([0, 1, 3, 40, 256, 600]))
            again = model[start : start + count]
            fresh = [b"%d" % index for index in range(len(model), start + count)]
            lanes.append(key, start, again + fresh)
            model += fresh
        assert lanes.entries(key, 0, lanes.size(key)) == model
        assert lanes.compact_range(key).root() == naive_root(model)
