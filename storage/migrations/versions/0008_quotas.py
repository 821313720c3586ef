"""How much of whom a steward keeps, where it is not what the settings say.

Frozen like every revision; see the first one.
"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "quotas",
        sa.Column("community", sa.LargeBinary(), primary_key=True, nullable=False),
        sa.Column("bytes_max", sa.BigInteger(), nullable=False),
        sqlite_with_rowid=False,
    )
