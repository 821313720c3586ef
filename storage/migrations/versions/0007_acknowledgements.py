"""Who has ever acknowledged a head of ours; and forks in the one form in which they travel.

Before, two notes and a proof stood together as one canonical array, without the root at which the proof begins.
Two heads of one size are complete all the same and become a file of today; others are kept under another name.
Frozen like every revision; see the first one.
"""

from hashlib import sha256

import msgspec
import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"

_BYTES = sa.LargeBinary()
_evidence = sa.table(
    "evidence",
    sa.column("evidence_number"),
    sa.column("kind"),
    sa.column("note_hash", _BYTES),
    sa.column("note", _BYTES),
)


def upgrade() -> None:
    """Make the table, and bring the forks into their form."""
    op.create_table(
        "acknowledgements",
        sa.Column("peer", _BYTES, primary_key=True, nullable=False),
        sa.Column("first_ms", sa.BigInteger(), nullable=False),
    )
    connection = op.get_bind()
    for row in connection.execute(sa.select(_evidence).where(_evidence.c.kind == "fork")).all():
        older, newer, hashes = msgspec.msgpack.decode(row.note)
        values: dict[str, str | bytes] = {"kind": "fork_notes"}
        if not hashes:
            note = b"\n".join([b"wildgrass/v1/fork\n", older, newer])
            values = {"note": note, "note_hash": sha256(note).digest()}
        this = _evidence.c.evidence_number == row.evidence_number
        connection.execute(sa.update(_evidence).where(this).values(**values))
