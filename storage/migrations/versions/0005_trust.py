"""Who was found and where, the rules for whom to follow, and invites.

Frozen like every revision; see the first one.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_BYTES = sa.LargeBinary()
_INTEGER = sa.BigInteger()
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the four tables."""
    op.create_table(
        "address_book",
        sa.Column("community", _BYTES, primary_key=True, nullable=False),
        sa.Column("found", _TEXT, nullable=False),
        sa.Column("told_by", _BYTES),
        sa.Column("found_ms", _INTEGER, nullable=False),
        sa.Column("genesis", _BYTES, nullable=False),
        sa.Column("record", _BYTES, nullable=False),
        sa.Column("rule_number", _INTEGER),
    )
    op.create_table(
        "follow_rules",
        sa.Column("rule_number", _NUMBER, primary_key=True, nullable=False),
        sa.Column("effect", _TEXT, nullable=False),
        sa.Column("community", _BYTES),
        sa.Column("sector", _TEXT, nullable=False),
        sa.Column("region", _TEXT, nullable=False),
        sa.Column("made_ms", _INTEGER, nullable=False),
    )
    op.create_table(
        "invites",
        sa.Column("invite_key", _BYTES, primary_key=True, nullable=False),
        sa.Column("label", _TEXT, nullable=False),
        sa.Column("made_ms", _INTEGER, nullable=False),
        sa.Column("expires_ms", _INTEGER, nullable=False),
        sa.Column("revoked_ms", _INTEGER),
        sa.Column("used_ms", _INTEGER),
        sa.Column("used_by", _BYTES),
    )
    op.create_table(
        "redemptions",
        sa.Column("inviter", _BYTES, primary_key=True, nullable=False),
        sa.Column("secret", _BYTES, nullable=False),
        sa.Column("expires_ms", _INTEGER, nullable=False),
        sa.Column("accepted_ms", _INTEGER, nullable=False),
        sa.Column("outcome", _TEXT, nullable=False),
    )
