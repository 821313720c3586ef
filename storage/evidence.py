"""Notes that travel as files and are never dropped: successor notes, fork proofs, refused branches.

Each is kept once by its bytes, under the community and epoch that it is about.
"""

from collections.abc import Sequence
from hashlib import sha256
from typing import NamedTuple

import sqlalchemy as sa

from storage.schema.facts import evidence


class Evidence(NamedTuple):
    """A note about an epoch of a community; `kind` says which sort, `number` counts arrivals here."""

    number: int
    community: bytes
    epoch: int
    kind: str
    note: bytes


def add_evidence(connection: sa.Connection, community: bytes, epoch: int, kind: str, note: bytes) -> bool:
    """Keep a note; return whether it was new."""
    place = {"community": community, "epoch": epoch, "kind": kind, "note_hash": sha256(note).digest()}
    known = sa.select(evidence.c.evidence_number).filter_by(**place)
    if connection.execute(known).first() is not None:
        return False
    connection.execute(sa.insert(evidence).values(**place, note=note))
    return True


def evidence_about(connection: sa.Connection, community: bytes, kind: str | None = None) -> list[Evidence]:
    """Return the notes about a community, of one kind or all, in order of epoch and arrival."""
    question = _ALL.where(evidence.c.community == community)
    if kind is not None:
        question = question.where(evidence.c.kind == kind)
    question = question.order_by(evidence.c.epoch, evidence.c.evidence_number)
    return [Evidence(*row) for row in connection.execute(question)]


def evidence_after(connection: sa.Connection, number: int) -> list[Evidence]:
    """Return the notes that arrived after `number`, oldest first."""
    question = _ALL.where(evidence.c.evidence_number > number).order_by(evidence.c.evidence_number)
    return [Evidence(*row) for row in connection.execute(question)]


def evidence_digests(connection: sa.Connection, kinds: Sequence[str]) -> dict[bytes, int]:
    """Return the SHA-256 of every note of these kinds, with its number."""
    question = sa.select(evidence.c.note_hash, evidence.c.evidence_number).where(evidence.c.kind.in_(kinds))
    return {row.note_hash: row.evidence_number for row in connection.execute(question)}


def evidence_of_digest(connection: sa.Connection, digest: bytes, kinds: Sequence[str]) -> bytes | None:
    """Return the note of one of these kinds whose SHA-256 this is, or None."""
    question = sa.select(evidence.c.note).where(evidence.c.note_hash == digest, evidence.c.kind.in_(kinds))
    return connection.execute(question).scalars().first()


def evidence_size(connection: sa.Connection) -> int:
    """Return how many notes are kept in all."""
    return connection.execute(sa.select(sa.func.count()).select_from(evidence)).scalar_one()


_ALL = sa.select(
    evidence.c.evidence_number, evidence.c.community, evidence.c.epoch, evidence.c.kind, evidence.c.note
)
