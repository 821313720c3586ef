"""What a node keeps as a relay, and the sealed objects of its own orders on their way.

Frozen like every revision; see the first one.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_BYTES = sa.LargeBinary()
_INTEGER = sa.BigInteger()
_ROW_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make the three tables."""
    _make_shelf()
    _make_sent_parts()


def _make_shelf() -> None:
    op.create_table(
        "relay_recipients",
        sa.Column("community", _BYTES, primary_key=True, nullable=False),
        sa.Column("is_admitted", sa.SmallInteger(), nullable=False),
        sa.Column("senders", _BYTES, nullable=False),
        sa.Column("renewed_ms", _INTEGER, nullable=False),
    )
    op.create_table(
        "relay_deliveries",
        sa.Column("delivery_number", _ROW_NUMBER, primary_key=True, nullable=False),
        sa.Column("recipient", _BYTES, nullable=False),
        sa.Column("sender", _BYTES, nullable=False),
        sa.Column("commitment", _BYTES, nullable=False),
        sa.Column("ciphertext_bytes", _INTEGER, nullable=False),
        sa.Column("expires_ms", _INTEGER, nullable=False),
        sa.Column("receipt", _BYTES),
        sa.Column("wrapped", _BYTES),
        sa.Column("ciphertext", _BYTES),
        sa.UniqueConstraint("recipient", "sender", "commitment", name="relay_deliveries_once"),
        sqlite_autoincrement=True,
    )
    op.create_index("relay_deliveries_by_sender", "relay_deliveries", ["sender"])
    op.create_index("relay_deliveries_by_end", "relay_deliveries", ["expires_ms"])


def _make_sent_parts() -> None:
    op.create_table(
        "sent_parts",
        sa.Column("commitment", _BYTES, primary_key=True, nullable=False),
        sa.Column("recipient", _BYTES, nullable=False),
        sa.Column("order_id", _BYTES, nullable=False),
        sa.Column("state", _TEXT, nullable=False),
        sa.Column("relay", _BYTES),
        sa.Column("until_ms", _INTEGER, nullable=False),
        sa.Column("puts", _INTEGER, nullable=False),
        sa.Column("retry_ms", _INTEGER, nullable=False),
    )
    op.create_index("sent_parts_of_order", "sent_parts", ["order_id"])
    op.create_index("sent_parts_by_state", "sent_parts", ["state", "recipient"])
