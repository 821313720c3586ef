"""Tiles and entry bundles: one path each, no byte too many, and the root from the right edge alone."""

from hashlib import sha256

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import LogError
from protocol.limits import BUNDLE_BYTES_MAX, ENTRY_BYTES_MAX, TILE_WIDTH, TREE_SIZE_MAX
from protocol.log.merkle import CompactRange, subtree_root
from protocol.log.tiles import (
    TileAddress,
    entry_bundle_path,
    pack_entries,
    pack_tile,
    parse_tile_path,
    partial_width,
    range_from_right_edge,
    right_edge,
    root_from_right_edge,
    tile_path,
    tile_width,
    unpack_entries,
    unpack_tile,
)

LEAVES = [sha256(b"leaf %d" % number).digest() for number in range(70_000)]


def refusal(action, *arguments) -> str:
    with pytest.raises(LogError) as caught:
        action(*arguments)
    return caught.value.code


@pytest.mark.parametrize(
    ("address", "path"),
    [
        (TileAddress(0, 0, 256), "tile/0/000"),
        (TileAddress(0, 0, 1), "tile/0/000.p/1"),
        (TileAddress(0, 999, 256), "tile/0/999"),
        (TileAddress(0, 1000, 256), "tile/0/x001/000"),
        (TileAddress(0, 1234067, 256), "tile/0/x001/x234/067"),
        (TileAddress(2, 1234067, 255), "tile/2/x001/x234/067.p/255"),
        (TileAddress(None, 273, 112), "tile/entries/273.p/112"),
        (TileAddress(None, 1234067, 256), "tile/entries/x001/x234/067"),
        (TileAddress(6, 0, 1), "tile/6/000.p/1"),
        (TileAddress(0, 2**40 - 1, 256), "tile/0/x001/x099/x511/x627/775"),
    ],
)
def test_a_tile_has_one_path(address, path):
    """Paths are those of tlog-tiles, both ways."""
    assert address.path == path
    assert parse_tile_path(path) == address
    if address.level is None:
        assert entry_bundle_path(address.index, address.width) == path
    else:
        assert tile_path(address.level, address.index, address.width) == path


@pytest.mark.parametrize(
    "path",
    [
        "",
        "tile",
        "tile/0",
        "tile/0/",
        "/tile/0/000",
        "tile/0/000/",
        "tile/0/000\n",
        "tile/00/000",
        "tile/10/000",
        "tile/-1/000",
        "tile/data/000",
        "tile/Entries/000",
        "tile/0/0",
        "tile/0/0000",
        "tile/0/001/000",
        "tile/0/x001",
        "tile/0/x000/000",
        "tile/0/X001/000",
        "tile/0/000.p",
        "tile/0/000.p/",
        "tile/0/000.p/0",
        "tile/0/000.p/01",
        "tile/0/000.p/256",
        "tile/0/000.p/257",
        "tile/0/000.p/-1",
        "tile/0/000.p/1/2",
        "tile/0/٠٠٠",
        "tile/0/../000",
        "tile/0/000?x",
        "tile/0/" + "x001/" * 2000 + "000",
    ],
)
def test_a_path_that_no_address_prints_is_refused(path):
    """Another spelling of a tile, and what is no tile at all, are refused; no tile has two names."""
    assert refusal(parse_tile_path, path) in ("tile_path_malformed", "tile_address_range")


def test_a_tile_past_the_largest_lane_is_refused():
    """Levels, indexes and widths that no lane can have are refused before anybody looks for them."""
    for level, index, width in [
        (7, 0, 1),
        (6, 0, 2),
        (6, 1, 1),
        (5, 1, 1),
        (0, 2**40, 1),
        (-1, 0, 1),
        (0, -1, 1),
        (0, 0, 0),
        (0, 0, 257),
    ]:
        assert refusal(TileAddress, level, index, width) == "tile_address_range"
    assert refusal(parse_tile_path, "tile/7/000") == "tile_address_range"
    assert refusal(parse_tile_path, "tile/entries/x001/x099/x511/x627/776") == "tile_address_range"


@settings(max_examples=200, deadline=None)
@given(st.one_of(st.none(), st.integers(0, 5)), st.integers(0, 2**40 - 1), st.integers(1, 256))
def test_every_address_comes_back_from_its_path(level, index, width):
    """Printing and parsing are each other's inverse."""
    address = TileAddress(level, index >> 8 * (level or 0), width)
    assert parse_tile_path(address.path) == address


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="tile/0123456789.pxentries", max_size=30).map(lambda tail: "tile/0/" + tail))
def test_whatever_path_is_accepted_prints_the_same(path):
    """There is no second way to write a tile."""
    try:
        address = parse_tile_path(path)
    except LogError:
        return
    assert address.path == path


def test_widths_follow_from_the_size():
    """Full tiles, the partial one, and nothing past it."""
    size = 70_000
    assert [tile_width(size, 0, index) for index in (0, 272, 273, 274)] == [256, 256, 112, 0]
    assert [tile_width(size, 1, index) for index in (0, 1, 2)] == [256, 17, 0]
    assert [tile_width(size, 2, index) for index in (0, 1)] == [1, 0]
    assert [partial_width(size, level) for level in range(4)] == [112, 17, 1, 0]
    assert tile_width(0, 0, 0) == 0
    assert tile_width(256, 0, 0) == 256
    assert partial_width(256, 0) == 0


def edge_tiles(size: int) -> list[list[bytes]]:
    """The hashes of the right edge, each computed from its own leaves."""
    return [
        [
            subtree_root(LEAVES[(index * 256 + place) << 8 * level : (index * 256 + place + 1) << 8 * level])
            for place in range(width)
        ]
        for level, index, width in right_edge(size)
    ]


@pytest.mark.parametrize("size", [1, 2, 255, 256, 257, 511, 512, 65_535, 65_536, 65_537, 70_000])
def test_the_right_edge_states_the_root(size):
    """The partial tiles alone give the root and the compact range of all leaves."""
    compact = CompactRange()
    compact.extend(LEAVES[:size])
    tiles = edge_tiles(size)
    assert root_from_right_edge(size, tiles) == compact.root()
    assert range_from_right_edge(size, tiles).hashes == compact.hashes
    for level, index, width in right_edge(size):
        assert tile_width(size, level, index) == width == partial_width(size, level)


def test_the_edge_runs_from_the_highest_level_down():
    """Left to right in the tree is from the highest level down; nothing has no edge."""
    assert right_edge(0) == []
    assert right_edge(256) == [(1, 0, 1)]
    assert right_edge(70_000) == [(2, 0, 1), (1, 1, 17), (0, 273, 112)]
    assert right_edge(TREE_SIZE_MAX) == [(6, 0, 1)]
    assert root_from_right_edge(0, []) == CompactRange().root()


def test_an_edge_of_another_size_is_refused():
    """Tiles too few, too many, too wide or with a short hash never state a root."""
    tiles = edge_tiles(300)
    assert refusal(root_from_right_edge, 300, tiles[:1]) == "tile_edge_mismatch"
    assert refusal(root_from_right_edge, 300, [*tiles, tiles[0]]) == "tile_edge_mismatch"
    assert refusal(root_from_right_edge, 301, tiles) == "tile_edge_mismatch"
    assert refusal(root_from_right_edge, 300, tiles[::-1]) == "tile_edge_mismatch"
    assert refusal(root_from_right_edge, 300, [[b"short"], tiles[1]]) == "tree_hash_length"


def test_a_full_tile_is_verified_by_the_hash_above_it():
    """The root over 256 hashes is the hash in the tile one level up; a flipped bit is not."""
    raw = pack_tile(LEAVES[:256])
    assert len(raw) == 8192
    hashes = unpack_tile(raw, 256)
    assert subtree_root(hashes) == edge_tiles(256)[0][0]
    flipped = unpack_tile(bytes([raw[0] ^ 1]) + raw[1:], 256)
    assert subtree_root(flipped) != edge_tiles(256)[0][0]


def test_a_tile_of_another_length_is_refused():
    """A tile has 32 bytes for each hash of its width, no more and no less."""
    raw = pack_tile(LEAVES[:3])
    assert unpack_tile(raw, 3) == LEAVES[:3]
    for wrong, width in [(raw, 2), (raw, 4), (raw[:-1], 3), (raw + b"\x00", 3), (b"", 1)]:
        assert refusal(unpack_tile, wrong, width) == "tile_length"


@settings(max_examples=100, deadline=None)
@given(st.lists(st.binary(max_size=300), min_size=1, max_size=TILE_WIDTH))
def test_every_bundle_comes_back(entries):
    """Packing and unpacking are each other's inverse, empty entries included."""
    raw = pack_entries(entries)
    assert unpack_entries(raw, len(entries)) == entries
    assert len(raw) == sum(2 + len(entry) for entry in entries)


@settings(max_examples=200, deadline=None)
@given(st.binary(max_size=40), st.integers(1, 5))
def test_whatever_bundle_is_accepted_packs_to_the_same_bytes(raw, count):
    """Garbage is refused or is exactly a bundle of that many entries."""
    try:
        entries = unpack_entries(raw, count)
    except LogError:
        return
    assert len(entries) == count
    assert pack_entries(entries) == raw


def test_a_bundle_cut_short_or_long_is_refused():
    """Every truncation and every addition of a byte is refused, as is another count."""
    raw = pack_entries([b"hello", b"", b"wild grass"])
    assert raw.hex() == "000568656c6c6f0000000a77696c64206772617373"
    for end in range(len(raw)):
        assert refusal(unpack_entries, raw[:end], 3) == "bundle_length"
    assert refusal(unpack_entries, raw + b"\x00", 3) == "bundle_length"
    assert refusal(unpack_entries, raw + b"\x00\x00", 3) == "bundle_length"
    assert refusal(unpack_entries, raw, 2) == "bundle_length"
    assert refusal(unpack_entries, raw, 4) == "bundle_length"


def test_bundles_are_bounded():
    """Counts and lengths out of range are refused by the packer and by the unpacker."""
    largest = b"\xff" * ENTRY_BYTES_MAX
    assert unpack_entries(pack_entries([largest]), 1) == [largest]
    assert refusal(pack_entries, [largest + b"\x00"]) == "bundle_entry_too_large"
    assert refusal(pack_entries, []) == "bundle_count_range"
    assert refusal(pack_entries, [b""] * 257) == "bundle_count_range"
    assert refusal(unpack_entries, b"", 0) == "bundle_count_range"
    assert refusal(unpack_entries, b"\x00\x00" * 257, 257) == "bundle_count_range"
    assert refusal(unpack_entries, bytes(BUNDLE_BYTES_MAX + 1), 256) == "bundle_too_large"
