"""Sealed payloads and the keys wrapped for their readers, found by commitment (PROTOCOL.md section 15).

They stand beside the lanes, and erasing one leaves the lane and its audit as they are.
"""

from collections.abc import Sequence
from functools import cache
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam

from storage.asking import ask_many, ask_one
from storage.errors import LogForked
from storage.schema.facts import key_wraps, sealed_payloads


class KeyWrap(NamedTuple):
    """The content key of a payload, wrapped for one reader (32-byte X25519 public key)."""

    reader: bytes
    wrapped: bytes


def put_sealed(connection: sa.Connection, commitment: bytes, ciphertext: bytes) -> None:
    """Keep a payload. Equal bytes may come again; other bytes under one commitment raise `LogForked`."""
    known = sealed(connection, commitment)
    if known is None:
        connection.execute(_ADD, {"commitment": commitment, "ciphertext": ciphertext})
    elif known != ciphertext:
        raise LogForked(f"sealed payload {commitment.hex()}")


def sealed(connection: sa.Connection, commitment: bytes) -> bytes | None:
    """Return the ciphertext behind a commitment, or None where it is not here, or erased."""
    return connection.execute(_FIND, {"commitment": commitment}).scalar()


def put_key_wrap(connection: sa.Connection, commitment: bytes, wrap: KeyWrap) -> None:
    """Keep a wrapped key; a reader's newer wrap replaces the older (wrapping is randomized)."""
    connection.execute(_put_wrap(connection.dialect.name), {"commitment": commitment, **wrap._asdict()})


def sealed_for(connection: sa.Connection, commitment: bytes, reader: bytes) -> tuple[bytes, bytes] | None:
    """Return ciphertext and wrapped key of a payload for one reader, or None where either is not here."""
    row = ask_one(connection, _FIND_BOTH, (commitment, reader))
    return None if row is None else (row[0], row[1])


def count_sealed_for(connection: sa.Connection, commitments: Sequence[bytes], reader: bytes) -> int:
    """Return how many of some different payloads are here, each with its key for one reader."""
    return len(ask_many(connection, _FIND_HERE, (reader,), commitments))


def erase_sealed(connection: sa.Connection, commitment: bytes) -> bool:
    """Destroy a payload and all its keys; return whether there was anything.

    SQLite leaves deleted bytes in free pages unless told; a PostgreSQL server lets go of them at its next
    vacuum.
    """
    overwrite = connection.dialect.name == "sqlite"
    if overwrite:
        connection.exec_driver_sql("PRAGMA secure_delete=ON")
    payloads = connection.execute(
        sa.delete(sealed_payloads).where(sealed_payloads.c.commitment == commitment)
    ).rowcount
    wraps = connection.execute(sa.delete(key_wraps).where(key_wraps.c.commitment == commitment)).rowcount
    if overwrite:
        connection.exec_driver_sql("PRAGMA secure_delete=OFF")
    return payloads + wraps > 0


# Built once: every order asks for each of its parts, and building a question costs more than its answer.
_ADD = sa.insert(sealed_payloads)
_FIND = sa.select(sealed_payloads.c.ciphertext).where(sealed_payloads.c.commitment == bindparam("commitment"))
_FIND_BOTH = (
    "SELECT ciphertext, wrapped FROM sealed_payloads"
    " JOIN key_wraps ON key_wraps.commitment = sealed_payloads.commitment"
    " WHERE sealed_payloads.commitment = ? AND reader = ?"
)
_FIND_HERE = (
    "SELECT sealed_payloads.commitment FROM key_wraps"
    " JOIN sealed_payloads ON sealed_payloads.commitment = key_wraps.commitment"
    " WHERE reader = ? AND key_wraps.commitment IN ({})"
)


@cache
def _put_wrap(dialect: str) -> sa.Insert:
    from sqlalchemy.dialects import postgresql, sqlite

    insert = sqlite.insert(key_wraps) if dialect == "sqlite" else postgresql.insert(key_wraps)
    return insert.on_conflict_do_update(
        index_elements=["commitment", "reader"], set_={"wrapped": insert.excluded.wrapped}
    )
