"""The guard: what this community has signed, kept a second time, so that no second history is ever signed.

Before a signature leaves, (lane, size, root, lease) moves by compare-and-swap in the main store and in the
guard: a small file beside the database, or a second PostgreSQL database. A store that was restored from an
old copy stands behind its guard, and then its node does not sign.

    marks = SigningMarks(connection)                 # in the transaction that appends the records
    marks.advance([Move(before, after)])
    guard.advance([Move(before, after)])             # after its commit, before the signature
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple, Self

import sqlalchemy as sa
from sqlalchemy import bindparam
from sqlalchemy.exc import SQLAlchemyError

from storage.errors import StorageError
from storage.postgres import postgres_engine, postgres_url
from storage.schema.facts import signing_marks
from storage.sqlite import check_folder, sqlite_engine

GUARD_FILE = "guard.db"
GUARD_SUFFIX = "_guard"

_CACHE_KIB = 64
_JOURNAL_PAGES = 100


class Mark(NamedTuple):
    """What was signed last for a lane. `lease` is 16 random bytes of the node process that did."""

    community: bytes
    lane: str
    epoch: int
    size: int
    root: bytes
    lease: bytes

    @property
    def place(self) -> tuple[bytes, str, int]:
        """Which lane."""
        return (self.community, self.lane, self.epoch)


class Move(NamedTuple):
    """From what was signed last (None: nothing) to what is signed next."""

    previous: Mark | None
    next: Mark


class SigningMarks:
    """The marks within one transaction, of the main store or of the guard."""

    def __init__(self, connection: sa.Connection) -> None:
        """Take a connection in a write transaction."""
        self._connection = connection

    def mark(self, community: bytes, lane: str, epoch: int) -> Mark | None:
        """Return what was signed last for a lane."""
        row = self._connection.execute(
            _MARK, {"community": community, "lane": lane, "epoch": epoch}
        ).one_or_none()
        return None if row is None else Mark(*row)

    def marks(self) -> list[Mark]:
        """Return all marks by community, lane and epoch."""
        return [Mark(*row) for row in self._connection.execute(_MARKS)]

    def advance(self, moves: Iterable[Move]) -> None:
        """Move each lane from `previous` to `next`, or raise `guard_conflict` and undo the transaction.

        A size may stay only with its root, so a heartbeat or a new lease is fine and a second history is not.
        """
        for previous, following in moves:
            if previous is not None:
                assert previous.place == following.place, "a move stays within its lane"
            _check_growth(previous, following)
            values = following._asdict()
            if previous is None:
                moved = self._connection.execute(_ADD, values).rowcount
            else:
                old = {"old_size": previous.size, "old_root": previous.root, "old_lease": previous.lease}
                moved = self._connection.execute(_SWAP, {**_named(values), **old}).rowcount
            if moved != 1:
                raise StorageError("guard_conflict", f"lane {following.lane}, size {following.size}")


class Guard:
    """The open guard of a store, for the writer's thread."""

    def __init__(self, engine: sa.Engine) -> None:
        """Take a ready engine; use `open_guard`."""
        self._engine = engine

    def advance(self, moves: Sequence[Move]) -> None:
        """Move some lanes in one synced transaction: all of them, or none and `guard_conflict`."""
        with self._engine.begin() as connection:
            SigningMarks(connection).advance(moves)

    def mark(self, community: bytes, lane: str, epoch: int) -> Mark | None:
        """Return what was signed last for a lane."""
        with self._engine.begin() as connection:
            return SigningMarks(connection).mark(community, lane, epoch)

    def marks(self) -> list[Mark]:
        """Return all marks."""
        with self._engine.begin() as connection:
            return SigningMarks(connection).marks()

    def close(self) -> None:
        """Close the connection."""
        self._engine.dispose()

    def __enter__(self) -> Self:
        """Return the guard."""
        return self

    def __exit__(self, *_: object) -> None:
        """Close the guard."""
        self.close()


def behind(stored: Iterable[Mark], guarded: Iterable[Mark]) -> list[Mark]:
    """Return the guard's marks that the store does not reach: then it is an old copy, and must not sign.

    A store may be ahead of its guard: a node that died between the two commits signed nothing in between.
    """
    known = {mark.place: mark for mark in stored}
    return [mark for mark in guarded if not _reaches(known.get(mark.place), mark)]


def open_guard(where: str | Path) -> Guard:
    """Open the guard of the store at a folder or PostgreSQL URL; the first time makes it.

    For a URL it is the database of that name followed by `_guard`, on the same server; a URL whose database
    already ends so is taken as it is, wherever it points.
    """
    engine = (
        _postgres_guard(where) if isinstance(where, str) and "://" in where else _sqlite_guard(Path(where))
    )
    try:
        with engine.begin() as connection:
            signing_marks.create(connection, checkfirst=True)
    except BaseException:
        engine.dispose()
        raise
    return Guard(engine)


def _sqlite_guard(folder: Path) -> sa.Engine:
    check_folder(folder, make=True)
    return sqlite_engine(folder / GUARD_FILE, cache_kib=_CACHE_KIB, journal_pages=_JOURNAL_PAGES)


def _postgres_guard(where: str) -> sa.Engine:
    main = postgres_url(where)
    assert main.database is not None
    if main.database.endswith(GUARD_SUFFIX):
        return postgres_engine(main)
    name = main.database + GUARD_SUFFIX
    with _autocommit(main) as connection:
        if not connection.execute(_HAS_DATABASE, {"name": name}).scalar_one():
            _make_database(connection, name)
    return postgres_engine(main.set(database=name))


def _make_database(connection: sa.Connection, name: str) -> None:
    quoted = connection.dialect.identifier_preparer.quote_identifier(name)
    try:
        connection.exec_driver_sql(f"CREATE DATABASE {quoted} ENCODING 'UTF8' TEMPLATE template0")
    except (StorageError, SQLAlchemyError) as error:
        raise StorageError("guard_missing", name) from error


@contextmanager
def _autocommit(url: sa.URL) -> Iterator[sa.Connection]:
    engine = postgres_engine(url, isolation_level="AUTOCOMMIT")
    try:
        with engine.connect() as connection:
            yield connection
    finally:
        engine.dispose()


def _reaches(stored: Mark | None, guarded: Mark) -> bool:
    if stored is None or stored.size < guarded.size:
        return False
    return stored.size > guarded.size or stored.root == guarded.root


def _check_growth(previous: Mark | None, following: Mark) -> None:
    if previous is None or following.size > previous.size:
        return
    if following.size < previous.size or following.root != previous.root:
        raise StorageError("guard_conflict", f"lane {following.lane}: {previous.size} was signed already")


def _named(values: dict[str, object]) -> dict[str, object]:
    return {f"new_{name}": value for name, value in values.items()}


_HAS_DATABASE = sa.text("SELECT EXISTS (SELECT FROM pg_database WHERE datname = :name)")
_MARKS = sa.select(signing_marks).order_by(
    signing_marks.c.community, signing_marks.c.lane, signing_marks.c.epoch
)
_MARK = sa.select(signing_marks).where(
    signing_marks.c.community == bindparam("community"),
    signing_marks.c.lane == bindparam("lane"),
    signing_marks.c.epoch == bindparam("epoch"),
)
_ADD = sa.text(
    "INSERT INTO signing_marks (community, lane, epoch, size, root, lease)"
    " VALUES (:community, :lane, :epoch, :size, :root, :lease) ON CONFLICT DO NOTHING"
)
_SWAP = (
    sa.update(signing_marks)
    .where(
        signing_marks.c.community == bindparam("new_community"),
        signing_marks.c.lane == bindparam("new_lane"),
        signing_marks.c.epoch == bindparam("new_epoch"),
        signing_marks.c.size == bindparam("old_size"),
        signing_marks.c.root == bindparam("old_root"),
        signing_marks.c.lease == bindparam("old_lease"),
    )
    .values(size=bindparam("new_size"), root=bindparam("new_root"), lease=bindparam("new_lease"))
)
