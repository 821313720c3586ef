"""Questions put to the driver itself are answered, and refused, as the engine's own are."""

from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.asking import ask, ask_many, ask_one, tell_many
from storage.engine import Store, open_store
from storage.errors import StorageError
from storage.schema.facts import stock

_ADD = "INSERT INTO stock (listing_key, on_hand, committed) VALUES (?, ?, 0)"


def _fill(store: Store, count: int) -> None:
    rows = [{"listing_key": f"key-{number:03}", "on_hand": number, "committed": 0} for number in range(count)]
    with store.write() as connection:
        connection.execute(sa.insert(stock), rows)


def _tell_and_stop(store: Store) -> None:
    with store.write() as connection:
        tell_many(connection, _ADD, [("later", 4)])
        raise KeyboardInterrupt


def test_rows_of_both_engines_are_the_same_tuples(store: Store) -> None:
    """Question marks stand for the values on both engines, and a row is a tuple in the order asked."""
    _fill(store, 5)
    with store.read() as connection:
        rows = ask(
            connection,
            "SELECT listing_key, on_hand FROM stock WHERE on_hand > ? ORDER BY on_hand LIMIT ?",
            (1, 2),
        )
        assert [tuple(row) for row in rows] == [("key-002", 2), ("key-003", 3)]
        assert ask_one(connection, "SELECT on_hand FROM stock WHERE listing_key = ?", ("none",)) is None
        assert ask_one(connection, "SELECT on_hand FROM stock WHERE listing_key = ?", ("key-004",)) == (4,)


@pytest.mark.parametrize("count", [0, 1, 7, 8, 9, 33])
def test_a_list_of_any_length_finds_each_row_once(store: Store, count: int) -> None:
    """A list that is filled up with its last value answers with each row once, and nothing for an empty one."""
    _fill(store, 40)
    wanted = [f"key-{number:03}" for number in range(count)]
    with store.read() as connection:
        question = "SELECT listing_key FROM stock WHERE committed = ? AND listing_key IN ({})"
        assert sorted(row[0] for row in ask_many(connection, question, (0,), wanted)) == wanted


def test_a_value_is_never_read_as_sql(store: Store) -> None:
    """Hostile text is a value on both engines: it finds nothing and changes nothing."""
    _fill(store, 3)
    hostile = ["' OR 1=1 --", "%s", "?", "key-000'; DROP TABLE stock; --", "{}"]
    with store.read() as connection:
        assert (
            ask_many(
                connection, "SELECT 1 FROM stock WHERE listing_key IN ({}) AND on_hand >= 0", (), hostile
            )
            == []
        )
        assert ask_one(connection, "SELECT count(*) FROM stock") == (3,)


def test_rows_told_together_stand_as_they_were_told_and_go_with_an_undone_transaction(store: Store) -> None:
    """Every row is written once, values as they are; what was told in a transaction that fails was never said."""
    rows = [("%s", 1), ("'); DROP TABLE stock; --", 2), ("猫粮", 3)]
    with store.write() as connection:
        tell_many(connection, _ADD, rows)
    with pytest.raises(KeyboardInterrupt):
        _tell_and_stop(store)
    with store.read() as connection:
        assert ask(connection, "SELECT listing_key, on_hand FROM stock ORDER BY on_hand") == rows


def test_a_row_told_to_a_reader_is_refused_as_the_engine_refuses_it(tmp_path: Path) -> None:
    """What the driver says of a store that cannot be written reaches a person as `storage_read_only`."""
    with open_store(tmp_path) as store, store.read() as connection:
        with pytest.raises(StorageError) as refused:
            tell_many(connection, _ADD, [("key", 1)])
        assert refused.value.code == "storage_read_only"


def test_a_damaged_file_is_told_as_damaged(tmp_path: Path) -> None:
    """What the driver says of a broken database reaches a person as `storage_damaged`, not as a bug of ours."""
    with open_store(tmp_path) as store:
        _fill(store, 2_000)
    file = tmp_path / "wildgrass.db"
    with open_store(tmp_path, writer=False) as store, store.read() as connection:
        root = ask(connection, "SELECT rootpage FROM sqlite_master WHERE name = ?", ("stock",))[0][0]
    raw = bytearray(file.read_bytes())
    raw[(root - 1) * 4096 : root * 4096] = b"\xff" * 4096
    file.write_bytes(raw)
    with open_store(tmp_path, writer=False) as store:
        with pytest.raises(StorageError) as told, store.read() as connection:
            ask(connection, "SELECT count(*) FROM stock WHERE on_hand >= ?", (0,))
        assert told.value.code == "storage_damaged"
