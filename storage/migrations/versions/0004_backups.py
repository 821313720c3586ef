"""What peers keep for each other: encrypted key boxes, copies of sealed payloads, and who was given ours.

Frozen like every revision; see the first one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"

_BYTES = sa.LargeBinary()
_INTEGER = sa.BigInteger()


def upgrade() -> None:
    """Make the five tables."""
    op.create_table(
        "kept_boxes",
        sa.Column("community", _BYTES, primary_key=True, nullable=False),
        sa.Column("key_box", _BYTES, nullable=False),
    )
    op.create_table(
        "box_keys",
        sa.Column("recovery_key", _BYTES, primary_key=True, nullable=False),
        sa.Column("community", _BYTES, primary_key=True, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "kept_copies",
        sa.Column("community", _BYTES, primary_key=True, nullable=False),
        sa.Column("commitment", _BYTES, primary_key=True, nullable=False),
        sa.Column("ciphertext", _BYTES, nullable=False),
        sa.Column("wrapped", _BYTES, nullable=False),
    )
    op.create_table(
        "given_copies",
        sa.Column("keeper", _BYTES, primary_key=True, nullable=False),
        sa.Column("commitment", _BYTES, primary_key=True, nullable=False),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "chosen_successors",
        sa.Column("community", _BYTES, primary_key=True, nullable=False),
        sa.Column("epoch", _INTEGER, primary_key=True, nullable=False),
        sa.Column("note_name", _BYTES, nullable=False),
        sqlite_with_rowid=False,
    )
