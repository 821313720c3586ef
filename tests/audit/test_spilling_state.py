"""The auditor's state past its bound: on disk the same as in a dict, in memory a bounded number of rows."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.audit import audit_sources, open_source
from node.audit.state import SpillingState
from protocol.audit import sums
from protocol.audit.sums import KEPT
from protocol.dict_state import DictState
from protocol.fold import Fold
from protocol.lanes.kind import Key, Lane, Position
from protocol.waiting import Link
from tests.bundles import write_villages
from tests.market_day import market_day
from tests.synthetic import write_synthetic
from tests.village import Village, VillageEntries, fold_all

TABLE = "queue_link"

keys = st.tuples(st.binary(min_size=0, max_size=2), st.integers(0, 3), st.sampled_from(["a", "b"]))
changes = st.lists(st.tuples(keys, st.none() | st.integers(0, 1_000)), max_size=60)


def link(number: int) -> Link:
    return Link(Position(bytes(32), "trade", 0, number))


@settings(max_examples=150, deadline=None)
@given(changes, st.integers(1, 9))
def test_any_changes_leave_what_a_dict_would_hold(told: list[tuple[Key, int | None]], rows_held: int) -> None:
    """Set, replaced, removed, read between: however few rows fit into memory."""
    expected: dict[Key, Link] = {}
    with SpillingState(rows_held) as state:
        for key, number in told:
            if number is None:
                state.remove(TABLE, key)
                expected.pop(key, None)
            else:
                state.put(TABLE, key, link(number))
                expected[key] = link(number)
            assert state.get(TABLE, key) == expected.get(key)
        assert {key: state.get(TABLE, key) for key in expected} == expected
        assert dict(state.items(TABLE)) == expected
        assert dict(state.items("move")) == {}


def test_a_fold_on_disk_is_the_fold_in_memory() -> None:
    """Every row of every table, with four rows in memory."""
    shop, home = market_day()
    expected, _ = fold_all(shop, home)
    with SpillingState(4) as state:
        fold = Fold(state, VillageEntries([shop, home]))
        feed_all(fold, shop, home)
        for table in {table for table, _ in expected.rows}:
            rows = {key: value for (name, key), value in expected.rows.items() if name == table}
            kept = KEPT.get(table)
            assert dict(state.items(table)) == {
                key: kept.of(row) if kept else row for key, row in rows.items()
            }


def feed_all(fold: Fold, *villages: Village) -> None:
    for lane in ("charter", "market/food", "trade", "ledger"):
        for village in villages:
            entries = village.entries[lane]
            fold.feed(Lane(village.community, lane), epoch=0, start=0, entries=entries)


def test_audits_in_memory_and_on_disk_say_the_same(tmp_path: Path) -> None:
    """A report does not depend on how much memory there was."""
    bundle = write_villages(tmp_path, *market_day())
    with open_source(str(bundle)) as source:
        assert audit_sources([source], rows_held=8) == audit_sources([source], rows_held=10**6)


def test_sums_that_do_not_fit_into_memory_come_out_the_same(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Shares and accounts are added up in portions of one as in one portion."""
    write_synthetic(tmp_path, records=340)
    with open_source(str(tmp_path)) as source:
        expected = audit_sources([source])
        monkeypatch.setattr(sums, "SUMS_HELD_MAX", 1)
        assert audit_sources([source], rows_held=8) == expected
    assert {check.name: check.passed for check in expected.checks}["splits"] > 10


def test_a_synthetic_bundle_is_clean_and_counted(tmp_path: Path) -> None:
    """The bench's own input: all records take effect, every seventeenth is an order's first."""
    write_synthetic(tmp_path, records=3_400)
    with open_source(str(tmp_path)) as source:
        report = audit_sources([source], rows_held=100)
    assert (report.verdict, report.records) == ("clean", 3_400)
    assert sum(each.listings for each in report.communities) == 1_990
    assert report.pending.count == 0


def test_the_state_keeps_a_bounded_number_of_rows() -> None:
    """However many are put and read, no more than three times the bound are in memory."""
    with SpillingState(10) as state:
        for number in range(1_000):
            state.put(TABLE, (number,), link(number))
            assert state.get(TABLE, (number // 2,)) == link(number // 2)
            assert state.rows_in_memory <= 30
    assert DictState().get(TABLE, (1,)) is None
