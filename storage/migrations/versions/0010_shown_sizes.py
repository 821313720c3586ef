"""Up to where a peer has shown to hold our own lanes, so that it is known who is behind while it is away.

Frozen like every revision; see the first one.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0010"
down_revision = "0009"

_BYTES = sa.LargeBinary()
_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "shown_sizes",
        sa.Column("peer", _BYTES, primary_key=True, nullable=False),
        sa.Column("lane", _TEXT, primary_key=True, nullable=False),
        sa.Column("epoch", sa.BigInteger(), primary_key=True, nullable=False),
        sa.Column("size", sa.BigInteger(), nullable=False),
        sa.Column("shown_ms", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
