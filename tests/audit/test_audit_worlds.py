"""Random worlds of honest, erring and cheating communities: the audit against the plain fold in memory."""

from collections import Counter
from pathlib import Path

import pytest

from node.audit import audit_sources
from protocol.audit.findings import Place
from protocol.identity.keys import to_base32
from protocol.lanes.kind import Position
from tests.bundles import MemorySource, write_villages
from tests.village import fold_all
from tests.worlds import make_world


def place_of(key: tuple[object, ...], record_id: bytes) -> Place:
    position = Position(*key)
    return Place(
        community=to_base32(position.community),
        lane=position.lane,
        epoch=position.epoch,
        index=position.index,
        record_id=to_base32(record_id),
    )


@pytest.mark.parametrize("seed_number", range(8))
def test_the_audit_says_what_the_fold_of_all_lanes_says(tmp_path: Path, seed_number: int) -> None:
    """Void records, pending ones, orders by status, balances: as a fold of another order of lanes has them."""
    world = make_world(seed_number, steps=80)
    villages = list(world.villages)
    report = audit_sources([MemorySource.of(write_villages(tmp_path, *villages))], rows_held=1)
    state, folded = fold_all(*villages)
    rows = {
        table: {key: row for (name, key), row in state.rows.items() if name == table}
        for table in ("void", "pending", "deal", "account", "awaited", "listing")
    }
    voids = {(place_of(key, row.record_id), row.code) for key, row in rows["void"].items()}
    found = [(finding.place, finding.code) for finding in report.findings if finding.place.index is not None]
    assert sorted(found, key=repr) == sorted(voids, key=repr)
    unfed = report.records - sum(part.consumed for part in folded)
    assert report.pending.count == len(rows["pending"]) + unfed
    overdue = report.by_code.get("posting_overdue", 0)
    assert report.awaited.count + overdue == len(rows["awaited"])
    for totals in report.communities:
        sold = Counter(
            row.status for key, row in rows["deal"].items() if to_base32(key[0]) == totals.community
        )
        assert {status: n for status, n in totals.orders_sold.items() if status != "placed"} == {
            status: n for status, n in sold.items() if status != "placed"
        }
        listings = [row for key, row in rows["listing"].items() if to_base32(key[0]) == totals.community]
        assert totals.listings == sum(not row.is_withdrawn for row in listings)
        owed = {
            (to_base32(key[3]), key[1]): row.balance_minor
            for key, row in rows["account"].items()
            if to_base32(key[0]) == totals.community and key[2] == "due"
        }
        assert {(each.counterparty, each.currency): each.amount_minor for each in totals.owed} == owed
    assert not {"posting_unshared", "balance_mismatch", "due_unmirrored"} & report.by_code.keys()


@pytest.mark.parametrize("seed_number", range(8, 12))
def test_what_an_audit_keeps_on_disk_is_enough(tmp_path: Path, seed_number: int) -> None:
    """One row in memory or all of them: the same report, though less of a listing goes to disk."""
    source = MemorySource.of(write_villages(tmp_path, *make_world(seed_number, steps=120).villages))
    assert audit_sources([source], rows_held=1) == audit_sources([source], rows_held=10**6)


def test_the_worlds_have_something_to_say(tmp_path: Path) -> None:
    """Else the tests above would show nothing."""
    codes: Counter[str] = Counter()
    for seed_number in range(4):
        world = make_world(seed_number, steps=80)
        bundle = write_villages(tmp_path / str(seed_number), *world.villages)
        report = audit_sources([MemorySource.of(bundle)])
        codes.update(report.by_code)
        codes.update(f"check {check.name}" for check in report.checks if check.passed)
    assert len([code for code in codes if not code.startswith("check")]) > 5
    assert {"check splits", "check accounts", "check dues", "check member_signatures"} <= codes.keys()
