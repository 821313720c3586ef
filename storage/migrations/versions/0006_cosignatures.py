"""The newest cosignature of each witness on a lane.

Frozen like every revision; see the first one.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0006"
down_revision = "0005"

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_INTEGER = sa.BigInteger()


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "cosignatures",
        sa.Column("lane_key", _INTEGER, sa.ForeignKey("lanes.lane_key"), primary_key=True, nullable=False),
        sa.Column("witness", _TEXT, primary_key=True, nullable=False),
        sa.Column("size", _INTEGER, nullable=False),
        sa.Column("time_seconds", _INTEGER, nullable=False),
        sa.Column("note", sa.LargeBinary(), nullable=False),
        sqlite_with_rowid=False,
    )
