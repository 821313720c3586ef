"""Auditors whom a steward admitted: a token's hash, the lanes it opens, and until when.

The token itself is shown once and never stored. Looking one up says what was granted; whether that still
holds now is `Auditor.may_read`, because storage has no clock.
"""

from dataclasses import dataclass

import sqlalchemy as sa

from protocol.encoding import decode, encode
from storage.schema.facts import auditors

_LANES_BYTES_MAX = 65_536


@dataclass(frozen=True, slots=True)
class Auditor:
    """Someone who may read lanes that are not public. Times are milliseconds since 1970."""

    token_hash: bytes
    label: str
    lanes: tuple[str, ...]
    expires_ms: int
    revoked_ms: int | None = None

    def may_read(self, lane: str, now_ms: int) -> bool:
        """Whether the token opens `lane` at `now_ms`."""
        return self.revoked_ms is None and now_ms < self.expires_ms and lane in self.lanes


def admit_auditor(connection: sa.Connection, auditor: Auditor) -> None:
    """Keep a new auditor; token hashes are random, so a second one with the same is a bug of ours."""
    connection.execute(
        sa.insert(auditors).values(
            token_hash=auditor.token_hash,
            label=auditor.label,
            lanes=encode(list(auditor.lanes)),
            expires_ms=auditor.expires_ms,
            revoked_ms=auditor.revoked_ms,
        )
    )


def auditor_of(connection: sa.Connection, token_hash: bytes) -> Auditor | None:
    """Return whose token has this hash, or None."""
    row = connection.execute(sa.select(auditors).where(auditors.c.token_hash == token_hash)).one_or_none()
    return None if row is None else _auditor(row)


def all_auditors(connection: sa.Connection) -> list[Auditor]:
    """Return all auditors, revoked ones too, by label and expiry."""
    question = sa.select(auditors).order_by(auditors.c.label, auditors.c.expires_ms, auditors.c.token_hash)
    return [_auditor(row) for row in connection.execute(question)]


def revoke_auditor(connection: sa.Connection, label: str, now_ms: int) -> int:
    """Close every open token of this label, and return how many that were."""
    open_ones = (auditors.c.label == label) & auditors.c.revoked_ms.is_(None)
    return connection.execute(sa.update(auditors).where(open_ones).values(revoked_ms=now_ms)).rowcount


def _auditor(row: sa.Row[*tuple[object, ...]]) -> Auditor:
    values = dict(row._mapping)  # noqa: SLF001  SQLAlchemy's public name for it
    return Auditor(**{**values, "lanes": tuple(decode(row.lanes, bytes_max=_LANES_BYTES_MAX))})
