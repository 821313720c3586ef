"""Nothing is kept to be said later: who could not be answered in time was told so, and says it again.

Frozen like every revision; see the first one.
"""

from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Drop the table, which no version ever wrote to."""
    op.drop_table("drafts")
