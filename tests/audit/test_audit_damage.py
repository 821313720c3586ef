"""Damaged bundles: whatever byte is flipped or file is lost, the audit names that file."""

from pathlib import Path

import pytest

from node.audit import audit_sources
from protocol.audit.bundle import checkpoint_path, lane_folder
from protocol.audit.findings import Finding, Report
from protocol.lanes.kind import TRADE
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.merkle import leaf_hashes, subtree_root
from protocol.log.origin import Origin
from protocol.log.tiles import pack_entries, pack_tile, unpack_entries
from tests.bundles import MemorySource, write_villages
from tests.market_day import market_day, publish
from tests.village import MARKET, Village


@pytest.fixture(scope="module")
def villages() -> tuple[Village, Village]:
    shop, home = market_day()
    for number in range(600):
        publish(shop, f"more {number}")
    return shop, home


@pytest.fixture(scope="module")
def bundle(villages: tuple[Village, Village], tmp_path_factory: pytest.TempPathFactory) -> MemorySource:
    return MemorySource.of(write_villages(tmp_path_factory.mktemp("bundle"), *villages))


def audit(*sources: MemorySource) -> Report:
    return audit_sources(list(sources))


def named(report: Report, path: str) -> list[Finding]:
    return [finding for finding in report.findings if finding.path == path]


def market_path(village: Village, tile: str) -> str:
    return f"{lane_folder(Origin(village.community, MARKET, 0))}/{tile}"


def test_a_flipped_bit_in_any_file_is_found_and_the_file_is_named(bundle: MemorySource) -> None:
    """First, last and a middle byte of every single file, one at a time."""
    assert audit(bundle).verdict == "clean"
    assert any("/tile/1/" in path for path in bundle.files)
    for path, raw in bundle.files.items():
        for place in (0, len(raw) // 2, len(raw) - 1):
            report = audit(bundle.flipped(path, place))
            assert report.verdict == "findings", (path, place)
            assert report.exit_code == 1
            assert named(report, path), (path, place, report.by_code)


def test_a_byte_more_or_less_in_any_file_is_found_and_the_file_is_named(bundle: MemorySource) -> None:
    """A file is what its kind says from its first byte to its last: nothing hides behind it."""
    for path, raw in bundle.files.items():
        for changed in (raw + b"\x00", raw + b"\x00\x01!", raw[:-1]):
            report = audit(bundle.with_file(path, changed))
            assert report.verdict == "findings", (path, len(changed) - len(raw))
            assert named(report, path), (path, len(changed) - len(raw), report.by_code)


def test_every_byte_of_one_checkpoint_counts(bundle: MemorySource, villages: tuple[Village, Village]) -> None:
    """The signed head has not one byte that may be another."""
    path = checkpoint_path(Origin(villages[0].community, TRADE, 0))
    for place in range(len(bundle.files[path])):
        assert named(audit(bundle.flipped(path, place)), path), place


def test_a_flipped_byte_in_entries_is_named_to_the_record(
    bundle: MemorySource, villages: tuple[Village, Village]
) -> None:
    """The finding has lane, epoch, tile path and the index of the very record, and nothing else is blamed."""
    shop = villages[0]
    path = market_path(shop, "tile/entries/001")
    raw = bundle.files[path]
    entries = unpack_entries(raw, 256)
    place = sum(2 + len(entry) for entry in entries[:100]) + 2 + 40
    report = audit(bundle.flipped(path, place))
    assert [(f.code, f.path, f.place.index) for f in report.findings] == [("entries_damaged", path, 356)]
    assert report.findings[0].rule == "6.5"
    assert report.findings[0].place.lane == MARKET


def test_a_flipped_length_is_named_to_the_record(
    bundle: MemorySource, villages: tuple[Village, Village]
) -> None:
    """A bundle that no longer comes apart is blamed from the entry on whose length is wrong."""
    path = market_path(villages[0], "tile/entries/000")
    entries = unpack_entries(bundle.files[path], 256)
    place = sum(2 + len(entry) for entry in entries[:100]) + 1
    report = audit(bundle.flipped(path, place))
    assert [(f.code, f.path, f.place.index) for f in report.findings] == [("entries_damaged", path, 100)]


def test_a_flipped_byte_in_a_hash_tile_leaves_the_entries_in_effect(
    bundle: MemorySource, villages: tuple[Village, Village]
) -> None:
    """A damaged tile is named with the first record under it; the records are proven without it."""
    for tile, place, index in (("tile/0/001", 5 * 32, 261), ("tile/1/000.p/2", 40, 256)):
        path = market_path(villages[0], tile)
        report = audit(bundle.flipped(path, place))
        assert [(f.code, f.path, f.place.index) for f in report.findings] == [("tile_damaged", path, index)]
        assert report.records == audit(bundle).records


def test_a_lost_file_is_named(bundle: MemorySource) -> None:
    """Every file in turn; only a lost checkpoint or index takes more with it than itself."""
    for path in bundle.files:
        report = audit(bundle.with_file(path, None))
        found = {finding.path for finding in report.findings}
        assert report.verdict == "findings"
        lane = path.rpartition("/checkpoint")[0] if path.endswith("/checkpoint") else None
        assert path in found or (lane and "lanes/index" in found), path


def test_entries_changed_with_their_tile_are_found_all_the_same(
    bundle: MemorySource, villages: tuple[Village, Village]
) -> None:
    """Who makes entries and level 0 agree meets level 1; then both are named, for one of them is false."""
    entries_path, tile_path = (market_path(villages[0], f"tile/{kind}/000") for kind in ("entries", "0"))
    entries = unpack_entries(bundle.files[entries_path], 256)
    entries[7] = entries[8]
    forged = bundle.with_file(entries_path, pack_entries(entries))
    forged = forged.with_file(tile_path, pack_tile(leaf_hashes(entries)))
    assert {finding.path for finding in audit(forged).findings} == {entries_path, tile_path}


def test_a_whole_tree_that_was_never_signed_contradicts_its_checkpoint(
    bundle: MemorySource, villages: tuple[Village, Village]
) -> None:
    """All files agree with each other and none with the signed root: the checkpoint is what is named."""
    home = villages[1]
    origin = Origin(home.community, TRADE, 0)
    entries = [*home.entries[TRADE][:-1], home.entries[TRADE][0]]
    folder, width = lane_folder(origin), len(entries)
    forged = bundle.with_file(f"{folder}/tile/entries/000.p/{width}", pack_entries(entries))
    forged = forged.with_file(f"{folder}/tile/0/000.p/{width}", pack_tile(leaf_hashes(entries)))
    report = audit(forged)
    assert [(f.code, f.path) for f in report.findings] == [
        ("checkpoint_contradicted", checkpoint_path(origin))
    ]
    assert report.pending.count > 0  # the other side's records wait for this lane


def test_a_head_signed_by_another_key_is_no_head(
    bundle: MemorySource, villages: tuple[Village, Village]
) -> None:
    """The right origin, a right tree, the wrong log key; and the right key for another lane."""
    shop, home = villages
    origin = Origin(shop.community, TRADE, 0)
    root = subtree_root(leaf_hashes(shop.entries[TRADE]))
    head = Checkpoint(origin.text, len(shop.entries[TRADE]), root)
    path = checkpoint_path(origin)
    report = audit(bundle.with_file(path, make_checkpoint_note(head, home.log)))
    assert [finding.code for finding in named(report, path)] == ["note_not_signed"]
    ledger = bundle.files[checkpoint_path(Origin(shop.community, "ledger", 0))]
    assert [f.code for f in named(audit(bundle.with_file(path, ledger)), path)] == ["note_not_signed"]


def test_a_lying_index_is_named(bundle: MemorySource) -> None:
    """Too large, too small, a lane left out, a lane made up, no index at all, and bytes that are none."""
    lines = bundle.files["lanes/index"].decode().splitlines(keepends=True)
    first, size = lines[0].split()
    lies = {
        "too large": [f"{first} {int(size) + 1}\n", *lines[1:]],
        "too small": [f"{first} {int(size) - 1}\n", *lines[1:]],
        "left out": lines[1:],
        "made up": sorted([*lines, f"{first[:54]}/market/pets 7\n"]),
    }
    for lie in lies.values():
        report = audit(bundle.with_file("lanes/index", "".join(lie).encode()))
        assert report.verdict == "findings"
        assert report.records == audit(bundle).records
    report = audit(bundle.with_file("lanes/index", "".join(lies["made up"]).encode()))
    assert report.findings[0].path == f"lanes/{first[:54]}/market/pets/checkpoint"
    for raw in (None, b"nonsense"):
        report = audit(bundle.with_file("lanes/index", raw))
        assert [finding.path for finding in report.findings] == ["lanes/index"]
        assert report.records == audit(bundle).records


def test_a_file_larger_than_its_kind_is_named(
    bundle: MemorySource, villages: tuple[Village, Village]
) -> None:
    """Bounded before it is read."""
    for path, size in (
        (market_path(villages[0], "tile/0/000"), 8_193),
        (market_path(villages[0], "tile/entries/000"), 256 * 65_537 + 1),
        (checkpoint_path(Origin(villages[0].community, TRADE, 0)), 65_537),
    ):
        report = audit(bundle.with_file(path, bytes(size)))
        assert "file_too_large" in {finding.code for finding in named(report, path)}


def test_a_community_without_its_genesis_is_not_believed(
    bundle: MemorySource, villages: tuple[Village, Village]
) -> None:
    """A charter that begins with another record: nothing of that community is audited, and it is said."""
    shop, home = villages
    folder = lane_folder(Origin(shop.community, "charter", 0))
    width = len(shop.entries["charter"])
    path = f"{folder}/tile/entries/000.p/{width}"
    forged = bundle.with_file(path, pack_entries([home.entries["charter"][0], *shop.entries["charter"][1:]]))
    report = audit(forged)
    assert [finding.code for finding in named(report, path)] == ["genesis_mismatch"]
    assert len(report.communities) == 1
    checks = {check.name: check for check in report.checks}
    assert checks["checkpoints"].not_opened == 4
    without = MemorySource({p: raw for p, raw in bundle.files.items() if not p.startswith(folder)})
    lines = bundle.files["lanes/index"].decode().splitlines(keepends=True)
    index = "".join(line for line in lines if folder.removeprefix("lanes/") not in line)
    report = audit(without.with_file("lanes/index", index.encode()))
    assert "genesis_missing" in report.by_code


def test_a_copy_with_too_much_damage_is_not_read_to_its_end(tmp_path: Path) -> None:
    """A signed head of 2^40 records without a file behind it costs a bounded number of reads."""
    shop = Village("shop")
    source = MemorySource.of(write_villages(tmp_path, shop))
    origin = Origin(shop.community, TRADE, 0)
    note = make_checkpoint_note(Checkpoint(origin.text, 2**40, bytes(32)), shop.log)
    index = source.files["lanes/index"].decode().replace("/trade 1\n", f"/trade {2**40}\n")
    source = source.with_file(checkpoint_path(origin), note).with_file("lanes/index", index.encode())
    report = audit(source)
    assert set(report.by_code) == {"file_missing", "copy_abandoned"}
    assert report.by_code["file_missing"] <= 1_001
    assert len(report.findings) <= 101
    assert source.reads_count < 5_000
