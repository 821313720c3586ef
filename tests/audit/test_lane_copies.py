"""One copy of one lane of 70,000 entries, with tiles of three levels: which file is at fault."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.audit.diagnosis import find_damages
from protocol.audit.lane_copy import read_copy
from protocol.audit.lane_tree import LaneTree
from protocol.identity.keys import SigningKey
from protocol.log.checkpoint import open_checkpoint
from protocol.log.merkle import EMPTY_ROOT, CompactRange, leaf_hashes
from protocol.log.origin import Origin
from tests.bundles import LaneFiles, MemorySource
from tests.village import seed

ORIGIN = Origin(bytes(32), "trade", 0)
KEY = SigningKey(seed("log"))
SIZE = 70_000


def entry(index: int) -> bytes:
    return f"entry {index}".encode()


@pytest.fixture(scope="module")
def lane(tmp_path_factory: pytest.TempPathFactory) -> MemorySource:
    root = tmp_path_factory.mktemp("lane")
    files = LaneFiles(root, ORIGIN, KEY)
    for index in range(SIZE):
        files.append(entry(index))
    files.close()
    return MemorySource.of(root / "lanes" / Path(*files.origin.text.split("/")[2:4]) / "trade")


def damages(files: MemorySource) -> list[tuple[str, str, int | None]]:
    """What is wrong with a copy whose paths are those below its lane."""
    prefix = "/".join(["lanes", *ORIGIN.text.split("/")[2:]])
    source = MemorySource({f"{prefix}/{path}": raw for path, raw in files.files.items()})
    checkpoint = open_checkpoint(files.files["checkpoint"], ORIGIN.text, KEY.public)
    copy = read_copy(source, ORIGIN, checkpoint, lambda _: None)
    return [
        (damage.code, damage.path.removeprefix(f"{prefix}/"), damage.index) for damage in find_damages(copy)
    ]


def test_a_whole_copy_has_no_damage(lane: MemorySource) -> None:
    """Tiles of levels 0, 1 and 2, full and partial, all as computed."""
    assert {"tile/1/000", "tile/1/001.p/17", "tile/2/000.p/1"} <= lane.files.keys()
    assert damages(lane) == []


@pytest.mark.parametrize(
    ("path", "place", "index"),
    [
        ("tile/entries/100", 2 + 3, 25_600),
        ("tile/entries/273.p/112", 2 + 3, 69_888),
        ("tile/0/100", 32 * 9, 25_609),
        ("tile/0/273.p/112", 5, 69_888),
        ("tile/1/000", 32 * 7 + 1, 7 * 256),
        ("tile/1/001.p/17", 32 * 3, 65_536 + 3 * 256),
        ("tile/2/000.p/1", 0, 0),
    ],
)
def test_one_flipped_bit_blames_one_file(lane: MemorySource, path: str, place: int, index: int) -> None:
    """On every level, full or partial: the file, and the first record that it speaks for."""
    code = "entries_damaged" if "entries" in path else "tile_damaged"
    assert damages(lane.flipped(path, place)) == [(code, path, index)]


def test_several_faults_are_named_each(lane: MemorySource) -> None:
    """Entries here, a tile there: one does not hide the other."""
    altered = lane.flipped("tile/entries/100", 5).flipped("tile/1/001.p/17", 3).flipped("tile/0/200", 0)
    assert sorted(damages(altered)) == [
        ("entries_damaged", "tile/entries/100", 25_600),
        ("tile_damaged", "tile/0/200", 51_200),
        ("tile_damaged", "tile/1/001.p/17", 65_536),
    ]


def test_a_fault_in_entries_under_a_damaged_tile_blames_both(lane: MemorySource) -> None:
    """Neither the tile nor what lies below it leads to the root: both are named."""
    altered = lane.flipped("tile/entries/100", 5).flipped("tile/0/100", 0)
    found = damages(altered)
    assert {path for _, path, _ in found} == {"tile/entries/100", "tile/0/100"}


def test_a_lost_bundle_does_not_hide_other_faults(lane: MemorySource) -> None:
    """The tile stands in for the entries that are gone."""
    altered = lane.with_file("tile/entries/005", None).flipped("tile/entries/100", 5)
    assert sorted(damages(altered)) == [
        ("entries_damaged", "tile/entries/100", 25_600),
        ("file_missing", "tile/entries/005", 1_280),
    ]
    both = lane.with_file("tile/entries/005", None).with_file("tile/0/005", None)
    assert {path for _, path, _ in damages(both)} >= {"tile/entries/005", "tile/0/005"}


def test_where_partial_tiles_are_gone_full_ones_serve(lane: MemorySource) -> None:
    """A lane that grew on after the head: the full tile begins with the partial one (C2SP tlog-tiles)."""
    grown = MemorySource(lane.files)
    for path in ("tile/entries/273.p/112", "tile/0/273.p/112"):
        raw = grown.files.pop(path)
        if "entries" in path:
            raw += b"".join(b"\x00\x05later" for _ in range(256 - 112))
        else:
            raw += bytes(32 * (256 - 112))
        grown.files[path.partition(".")[0]] = raw
    assert damages(grown) == []


@settings(max_examples=25, deadline=None)
@given(st.data())
def test_any_flipped_bit_is_found(lane: MemorySource, data: st.DataObject) -> None:
    """Whatever file, whatever byte: that file is among the named ones."""
    path = data.draw(st.sampled_from(sorted(lane.files.keys() - {"checkpoint"})))
    place = data.draw(st.integers(0, len(lane.files[path]) - 1))
    assert path in {found for _, found, _ in damages(lane.flipped(path, place))}


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 1_500), st.data())
def test_the_tree_has_the_root_of_every_smaller_size(size: int, data: st.DataObject) -> None:
    """Against the compact range, which was checked against public vectors."""
    leaves = leaf_hashes([entry(index) for index in range(size)])
    tree = LaneTree()
    for start in range(0, size, 256):
        tree.add(leaves[start : start + 256])
    assert tree.size == size
    assert tree.root() == (_root(leaves) if size else EMPTY_ROOT)
    smaller = data.draw(st.integers(0, size))
    assert tree.root_at(smaller, lambda index: leaves[index * 256 : index * 256 + 256]) == _root(
        leaves[:smaller]
    )
    for start in range(0, size, 256):
        assert tree.has_bundle(start // 256, leaves[start : start + 256])
        assert not tree.has_bundle(start // 256, [bytes(32), *leaves[start + 1 : start + 256]])


def _root(leaves: list[bytes]) -> bytes:
    compact = CompactRange()
    compact.extend(leaves)
    return compact.root()
