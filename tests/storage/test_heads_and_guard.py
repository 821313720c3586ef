"""Heads are numbered and only grow; the guard lets nobody sign a second history."""

import pytest

from storage.engine import Store, open_store
from storage.errors import LogForked, StorageError
from storage.guard import Guard, Mark, Move, SigningMarks, behind, open_guard
from storage.heads import HeadStore
from storage.lanes import LaneStore

COMMUNITY = bytes(32)


def mark(size: int, root: bytes = b"r", lease: bytes = b"me", lane: str = "trade") -> Mark:
    return Mark(COMMUNITY, lane, 0, size, root * 32, lease)


def test_head_changes_are_numbered_in_one_row(store: Store) -> None:
    """Each change of a head gets the next number; who knows a number is told what came after."""
    with store.write() as connection:
        lanes, heads = LaneStore(connection), HeadStore(connection)
        keys = [lanes.open_lane(COMMUNITY, lane, 0) for lane in ("charter", "trade", "ledger")]
        for key in keys:
            lanes.append(key, 0, [b"a", b"b", b"c"])
        assert [heads.set_head(key, 1, b"r1", b"note") for key in keys] == [1, 2, 3]
        assert heads.set_head(keys[0], 2, b"r2", b"note 2") == 4
        assert heads.set_head(keys[0], 2, b"r2", b"note 2") == 4  # nothing new
        assert heads.set_head(keys[0], 2, b"r2", b"note 2, cosigned") == 5
    with store.read() as connection:
        heads = HeadStore(connection)
        assert heads.change_number() == 5
        assert [(head.lane, head.change_number) for head in heads.heads_after(0, 10)] == [
            ("trade", 2),
            ("ledger", 3),
            ("charter", 5),
        ]
        assert [head.lane for head in heads.heads_after(2, 1)] == ["ledger"]
        assert heads.heads_after(5, 10) == []
        assert [head.lane for head in heads.heads()] == ["charter", "ledger", "trade"]
        found = heads.head(keys[0])
        assert found is not None
        assert (found.size, found.root, found.note) == (2, b"r2", b"note 2, cosigned")
        assert len(heads.instance()) == 16


def test_a_head_never_goes_back_forks_or_runs_ahead(store: Store) -> None:
    """Smaller, contradicting and unfetched heads are refused, and the stored one stays."""
    with store.write() as connection:
        lanes, heads = LaneStore(connection), HeadStore(connection)
        key = lanes.open_lane(COMMUNITY, "trade", 0)
        lanes.append(key, 0, [b"a", b"b"])
        assert heads.head(key) is None
        heads.set_head(key, 2, b"root", b"note")
        for size, root, code in (
            (1, b"root", "head_backwards"),
            (2, b"other", "lane_forked"),
            (3, b"x", "head_ahead"),
        ):
            with pytest.raises(StorageError) as error:
                heads.set_head(key, size, root, b"new")
            assert error.value.code == code
            assert isinstance(error.value, LogForked) == (code == "lane_forked")
        head = heads.head(key)
        assert head is not None
        assert (head.size, head.note, heads.change_number()) == (2, b"note", 1)


def test_marks_move_only_from_what_they_were(place: str) -> None:
    """Compare-and-swap: a stale view, a smaller size and another root at one size are refused."""
    with open_guard(place) if "://" not in place else open_store(place) as opened:
        opened.close()
    with open_guard(place) as guard:
        guard.advance([Move(None, mark(1))])
        guard.advance([Move(mark(1), mark(5))])
        guard.advance([Move(mark(5), mark(5, lease=b"you"))])  # a new lease on the same history
        now = mark(5, lease=b"you")
        for move in (
            Move(None, mark(9)),
            Move(mark(5), mark(9)),
            Move(now, mark(4)),
            Move(now, mark(5, root=b"s")),
            Move(mark(3), mark(9)),
        ):
            with pytest.raises(StorageError) as error:
                guard.advance([move])
            assert error.value.code == "guard_conflict"
        assert guard.marks() == [now]


def test_several_lanes_move_together_or_not_at_all(guard: Guard) -> None:
    """One conflict keeps every lane of the batch where it was."""
    guard.advance([Move(None, mark(1)), Move(None, mark(1, lane="ledger"))])
    with pytest.raises(StorageError):
        guard.advance([Move(mark(1), mark(2)), Move(mark(7, lane="ledger"), mark(8, lane="ledger"))])
    assert {found.lane: found.size for found in guard.marks()} == {"trade": 1, "ledger": 1}


def test_a_conflict_undoes_the_records_of_its_transaction(store: Store) -> None:
    """The main store's marks move with the records they cover, or neither does."""
    with store.write() as connection:
        SigningMarks(connection).advance([Move(None, mark(1))])
    with pytest.raises(StorageError), store.write() as connection:  # noqa: PT012  the block is a transaction
        lanes = LaneStore(connection)
        lanes.append(lanes.open_lane(COMMUNITY, "trade", 0), 0, [b"x"])
        SigningMarks(connection).advance([Move(mark(1, lease=b"old"), mark(2))])
    with store.read() as connection:
        assert LaneStore(connection).lanes() == []
        assert SigningMarks(connection).mark(COMMUNITY, "trade", 0) == mark(1)
        assert SigningMarks(connection).mark(COMMUNITY, "ledger", 0) is None


def test_an_old_copy_is_behind_its_guard() -> None:
    """Smaller, missing, or other history: behind. Equal or ahead: not."""
    assert behind([mark(5)], [mark(5)]) == []
    assert behind([mark(6, root=b"s")], [mark(5)]) == []
    assert behind([mark(5)], []) == []
    assert behind([mark(4)], [mark(5)]) == [mark(5)]
    assert behind([mark(5, root=b"s")], [mark(5)]) == [mark(5)]
    assert behind([mark(5)], [mark(5), mark(1, lane="ledger")]) == [mark(1, lane="ledger")]


def test_the_guard_is_a_database_of_its_own(place: str) -> None:
    """On a server the first start makes it beside the main one; it can be named outright as well."""
    with open_store(place), open_guard(place) as guard:
        guard.advance([Move(None, mark(1))])
    again = f"{place}_guard" if "://" in place else place
    with open_guard(again) as guard:
        assert guard.marks() == [mark(1)]


def test_a_user_who_may_not_make_the_guard_is_told(request: pytest.FixtureRequest) -> None:
    """Without the right to create databases the sentence names what to create."""
    server = request.getfixturevalue("postgres_server")
    with server.database() as url:
        server.run("CREATE ROLE modest LOGIN")
        modest = url.replace(f"{server.user}@", "modest@")
        with pytest.raises(StorageError) as error:
            open_guard(modest)
        assert error.value.code == "guard_missing"
        assert "_guard" in error.value.detail
        server.run("DROP ROLE modest")
