"""Blobs: pictures and other media, found by the SHA-256 of their bytes.

Who may bring how much is decided in `node`.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import sqlalchemy as sa

from storage.schema.facts import blobs


class Blob(NamedTuple):
    """Bytes with their media type, such as `image/webp`."""

    media_type: str
    content: bytes


def put_blob(connection: sa.Connection, media_type: str, content: bytes) -> bytes:
    """Keep a blob and return its hash. The media type of the first time stays."""
    digest = sha256(content).digest()
    if missing_blobs(connection, [digest]):
        connection.execute(sa.insert(blobs).values(sha256=digest, media_type=media_type, content=content))
    return digest


def blob(connection: sa.Connection, digest: bytes) -> Blob | None:
    """Return the blob with this hash, or None."""
    question = sa.select(blobs.c.media_type, blobs.c.content).where(blobs.c.sha256 == digest)
    row = connection.execute(question).one_or_none()
    return None if row is None else Blob(*row)


def media_type_of(connection: sa.Connection, digest: bytes) -> str | None:
    """Return the media type of the blob with this hash, or None; its bytes stay on the disk."""
    question = sa.select(blobs.c.media_type).where(blobs.c.sha256 == digest)
    return connection.execute(question).scalar()


def missing_blobs(connection: sa.Connection, digests: Sequence[bytes]) -> list[bytes]:
    """Return those of some hashes whose bytes are not here, in the order given."""
    question = sa.select(blobs.c.sha256).where(blobs.c.sha256.in_(digests))
    known = set(connection.execute(question).scalars())
    return [digest for digest in digests if digest not in known]


def remove_blob(connection: sa.Connection, digest: bytes) -> None:
    """Drop a blob; it may be absent."""
    connection.execute(sa.delete(blobs).where(blobs.c.sha256 == digest))
