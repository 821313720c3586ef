"""One copy is wrong in itself, another is whole: the whole one tells which tile and record are at fault."""

import pytest

from node.audit import audit_sources
from protocol.audit.bundle import lane_folder
from protocol.audit.findings import Report
from protocol.lanes.kind import TRADE
from protocol.log.merkle import leaf_hashes
from protocol.log.origin import Origin
from protocol.log.tiles import pack_entries, pack_tile, unpack_entries
from tests.bundles import MemorySource, write_villages
from tests.market_day import market_day, publish
from tests.village import MARKET, Village


@pytest.fixture(scope="module")
def villages() -> tuple[Village, Village]:
    shop, home = market_day()
    for number in range(300):
        publish(shop, f"more {number}")
    return shop, home


@pytest.fixture(scope="module")
def whole(villages: tuple[Village, Village], tmp_path_factory: pytest.TempPathFactory) -> MemorySource:
    return MemorySource.of(write_villages(tmp_path_factory.mktemp("whole"), *villages))


def flipped(whole: MemorySource, folder: str, tile: str, index: int) -> MemorySource:
    """One bit of one entry, with the hash tile made anew from it, as a node serves what its disk gives."""
    entries_path, tile_path = f"{folder}/tile/entries/{tile}", f"{folder}/tile/0/{tile}"
    width = int(tile.partition(".p/")[2] or 256)
    entries = unpack_entries(whole.files[entries_path], width)
    entries[index] = bytes([*entries[index][:-9], entries[index][-9] ^ 1, *entries[index][-8:]])
    damaged = whole.with_file(entries_path, pack_entries(entries))
    return damaged.with_file(tile_path, pack_tile(leaf_hashes(entries)))


def places(report: Report) -> set[tuple[str, str | None, int | None]]:
    return {(finding.code, finding.path, finding.place.index) for finding in report.findings}


def test_a_byte_in_a_short_lane_is_named_by_tile_and_record(
    whole: MemorySource, villages: tuple[Village, Village]
) -> None:
    """Without the other copy only the signed head could be called contradicted."""
    origin = Origin(villages[1].community, TRADE, 0)
    folder, tile = lane_folder(origin), f"000.p/{len(villages[1].entries[TRADE])}"
    report = audit_sources([flipped(whole, folder, tile, 2), whole])
    assert places(report) == {
        ("tile_damaged", f"{folder}/tile/0/{tile}", 2),
        ("entries_damaged", f"{folder}/tile/entries/{tile}", 2),
    }
    assert report.pending.count == 0  # what is folded is the whole copy


def test_a_byte_in_a_full_bundle_is_named_by_tile_and_record(
    whole: MemorySource, villages: tuple[Village, Village]
) -> None:
    """The tile above proves the right one; without the other copy it could not be said which record it is."""
    folder = lane_folder(Origin(villages[0].community, MARKET, 0))
    report = audit_sources([whole, flipped(whole, folder, "000", 77)])
    assert places(report) == {
        ("tile_damaged", f"{folder}/tile/0/000", 77),
        ("entries_damaged", f"{folder}/tile/entries/000", 77),
    }
