"""Questions and rows given to the driver itself, on the connection of SQLAlchemy that the caller has.

SQLAlchemy takes two to five times as long over a small question as its answer does, and a page asks dozens.
Question marks stand for the values, whichever the engine; what a failure means is said as everywhere.

    ask(connection, "SELECT value FROM state WHERE table_name = ? AND key = ?", ("listing", key))
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cache
from typing import Any

import sqlalchemy as sa
from sqlalchemy.engine.interfaces import DBAPICursor

from storage.postgres import postgres_refusal
from storage.sqlite import sqlite_refusal

_MARKS_STEP = 8


def ask(connection: sa.Connection, question: str, values: Sequence[object] = ()) -> list[tuple[Any, ...]]:
    """Return all rows of the answer. Raises `StorageError` as the engine's own questions do."""
    with _driven(connection) as (cursor, is_sqlite):
        cursor.execute(question if is_sqlite else question.replace("?", "%s"), values)
        return list(cursor.fetchall())


def ask_one(
    connection: sa.Connection, question: str, values: Sequence[object] = ()
) -> tuple[Any, ...] | None:
    """Return the row of an answer that has one at most, or None."""
    rows = ask(connection, question, values)
    return rows[0] if rows else None


def ask_many(
    connection: sa.Connection, question: str, values: Sequence[object], wanted: Sequence[object]
) -> list[tuple[Any, ...]]:
    """Ask with `{}` in the question in place of a list of `wanted` values, behind the other `values`.

    A list is filled up with its last one, so that few questions differ and the driver knows them again.
    """
    if not wanted:
        return []
    marks = -(-len(wanted) // _MARKS_STEP) * _MARKS_STEP
    spare = [wanted[-1]] * (marks - len(wanted))
    return ask(connection, _with_marks(question, marks), [*values, *wanted, *spare])


def tell_many(connection: sa.Connection, statement: str, rows: Sequence[Sequence[object]]) -> None:
    """Run a statement that answers nothing once for each row. Raises `StorageError` as `ask` does."""
    with _driven(connection) as (cursor, is_sqlite):
        cursor.executemany(statement if is_sqlite else statement.replace("?", "%s"), rows)


@contextmanager
def _driven(connection: sa.Connection) -> Iterator[tuple[DBAPICursor, bool]]:
    """Yield a cursor of the driver, and whether it is SQLite's; say what a failure means."""
    is_sqlite = connection.dialect.name == "sqlite"
    cursor = connection.connection.cursor()
    try:
        yield cursor, is_sqlite
    except connection.dialect.loaded_dbapi.Error as error:
        refusal = sqlite_refusal(error) if is_sqlite else postgres_refusal(error)
        if refusal is None:
            raise
        raise refusal from error
    finally:
        cursor.close()


@cache
def _with_marks(question: str, marks: int) -> str:
    return question.format(", ".join("?" * marks))
