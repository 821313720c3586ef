"""PostgreSQL as this project uses it: one URL, one writer a database, text in UTF-8.

The writer's only session takes an advisory lock when it connects, and again when it has to reconnect: a
writer that lost its session while another took over is refused before it can write.
"""

from typing import Any

import sqlalchemy as sa
from sqlalchemy import event
from sqlalchemy.engine import ExceptionContext

from storage.errors import StorageError

READERS_MAX = 4

_WRITER_LOCK = 0x77696C64  # "wild"; advisory locks are a database's own, so one number is enough
_CONNECT_TIMEOUT_SECONDS = 10
_SCHEMES = ("postgres", "postgresql", "postgresql+psycopg")

_CODES = {
    "08": "storage_unreachable",
    "28": "storage_login_refused",
    "57": "storage_unreachable",
    "25006": "storage_read_only",
    "3D000": "storage_database_missing",
    "42501": "storage_login_refused",
    "53100": "storage_full",
    "53": "storage_unreachable",
    "58030": "storage_io_failed",
    "XX001": "storage_damaged",
    "XX002": "storage_damaged",
}
_CONNECT_SENTENCES = {  # a refused connection carries no code, only the server's sentence
    'role "': "storage_login_refused",
    "authentication failed": "storage_login_refused",
    "no pg_hba.conf entry": "storage_login_refused",
    "does not exist": "storage_database_missing",
}


def postgres_url(text: str) -> sa.URL:
    """Return the URL with the driver that we ship, or raise `StorageError`."""
    try:
        url = sa.make_url(text)
    except (sa.exc.ArgumentError, ValueError) as error:  # ValueError: a port that is no number
        raise StorageError("storage_url_wrong") from error
    if url.drivername not in _SCHEMES or not url.database:
        raise StorageError("storage_url_wrong", url.render_as_string(hide_password=True))
    return url.set(drivername="postgresql+psycopg")


def postgres_refusal(error: BaseException | None) -> StorageError | None:
    """Return what a failure of PostgreSQL means for a person, or None where it is a bug of ours."""
    import psycopg

    if isinstance(error, StorageError) or not isinstance(error, psycopg.Error):
        return None
    detail = str(error).strip().splitlines()[0] if str(error).strip() else ""
    state = error.sqlstate
    if state is not None:
        code = _CODES.get(state) or _CODES.get(state[:2])
        return StorageError(code, detail) if code else None
    if not isinstance(error, psycopg.OperationalError):
        return None
    found = [code for sentence, code in _CONNECT_SENTENCES.items() if sentence in str(error)]
    return StorageError(found[0] if found else "storage_unreachable", detail)


def postgres_engines(url: sa.URL) -> tuple[sa.Engine, sa.Engine]:
    """Return the engine of the writer, one session that holds the lock, and that of the readers."""
    writer = postgres_engine(url)
    reader = postgres_engine(url, connections=READERS_MAX, isolation_level="REPEATABLE READ")

    @event.listens_for(writer, "connect")
    def take_lock(connection: Any, _record: Any) -> None:
        if not _one(connection, f"SELECT pg_try_advisory_lock({_WRITER_LOCK})"):
            connection.close()
            raise StorageError("storage_in_use", f"database {url.database}")

    return writer, reader.execution_options(postgresql_readonly=True)


def postgres_engine(
    url: sa.URL, *, connections: int = 1, isolation_level: Any = "READ COMMITTED"
) -> sa.Engine:
    """Return an engine whose commits are on the server's disk when they return."""
    try:
        engine = sa.create_engine(
            url,
            pool_size=connections,
            max_overflow=0,
            pool_timeout=30,
            isolation_level=isolation_level,
            connect_args={"connect_timeout": _CONNECT_TIMEOUT_SECONDS, "application_name": "wildgrass"},
        )
    except ModuleNotFoundError as error:
        raise StorageError("storage_driver_missing", str(error)) from error

    @event.listens_for(engine, "connect")
    def prepare(connection: Any, _record: Any) -> None:
        encoding = _one(connection, "SHOW server_encoding")
        if encoding != "UTF8":
            connection.close()
            raise StorageError("storage_not_utf8", str(encoding))
        if _one(connection, "SHOW synchronous_commit") == "off":
            _one(connection, "SELECT set_config('synchronous_commit', 'on', false)")

    @event.listens_for(engine, "handle_error")
    def tell(context: ExceptionContext) -> BaseException | None:
        return postgres_refusal(context.original_exception)

    return engine


def _one(connection: Any, statement: str) -> Any:
    """Run one statement outside any transaction of SQLAlchemy and return its only value."""
    with connection.cursor() as cursor:
        cursor.execute(statement)
        value = cursor.fetchone()[0]
    connection.commit()
    return value
