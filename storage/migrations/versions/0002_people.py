"""The people who log in to the pages: their links, their sessions and their orders.

Frozen like every revision; see the first one.
"""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_BYTES = sa.LargeBinary()
_INTEGER = sa.BigInteger()


def upgrade() -> None:
    """Make the four tables."""
    _make_people()
    _make_ways_in()
    _make_orders()


def _make_people() -> None:
    op.create_table(
        "people",
        sa.Column("person_id", _BYTES, primary_key=True, nullable=False),
        sa.Column("name", _TEXT, nullable=False),
        sa.Column("name_key", _TEXT, nullable=False),
        sa.Column("role", _TEXT, nullable=False),
        sa.Column("password_hash", _TEXT),
        sa.Column("created_ms", _INTEGER, nullable=False),
        sa.Column("dismissed_ms", _INTEGER),
    )
    op.create_index(
        "people_named_once",
        "people",
        ["name_key"],
        unique=True,
        sqlite_where=sa.text("dismissed_ms IS NULL"),
        postgresql_where=sa.text("dismissed_ms IS NULL"),
    )


def _make_ways_in() -> None:
    op.create_table(
        "login_links",
        sa.Column("token_hash", _BYTES, primary_key=True, nullable=False),
        sa.Column("person_id", _BYTES, sa.ForeignKey("people.person_id"), nullable=False),
        sa.Column("expires_ms", _INTEGER, nullable=False),
        sa.Column("used_ms", _INTEGER),
    )
    op.create_table(
        "web_sessions",
        sa.Column("token_hash", _BYTES, primary_key=True, nullable=False),
        sa.Column("person_id", _BYTES, sa.ForeignKey("people.person_id"), nullable=False),
        sa.Column("user_agent", _TEXT, nullable=False),
        sa.Column("opened_ms", _INTEGER, nullable=False),
        sa.Column("seen_ms", _INTEGER, nullable=False),
        sa.Column("expires_ms", _INTEGER, nullable=False),
    )
    op.create_index("web_sessions_of_person", "web_sessions", ["person_id"])


def _make_orders() -> None:
    op.create_table(
        "orders_of_people",
        sa.Column("order_id", _BYTES, primary_key=True, nullable=False),
        sa.Column("person_id", _BYTES, sa.ForeignKey("people.person_id"), nullable=False),
        sa.Column("noted_ms", _INTEGER, nullable=False),
    )
    op.create_index("orders_of_people_by_time", "orders_of_people", ["person_id", "noted_ms"])
