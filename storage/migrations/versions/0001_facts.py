"""The facts as they were in the first version.

Frozen: it says what was, not what is, so it imports none of today's tables. A new store is made from
`storage/schema/facts.py` without it; a test compares the two ways.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None

_TEXT = sa.Text().with_variant(postgresql.TEXT(collation="C"), "postgresql")
_BYTES = sa.LargeBinary()
_INTEGER = sa.BigInteger()
_NUMBER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    """Make every table."""
    _make_lanes()
    _make_heads()
    _make_sealed()
    _make_acquaintances()
    _make_own()


def _column(name: str, kind: sa.types.TypeEngine[Any], *, key: bool = False) -> sa.Column[Any]:
    return sa.Column(name, kind, primary_key=key, nullable=False)


def _optional(name: str, kind: sa.types.TypeEngine[Any]) -> sa.Column[Any]:
    return sa.Column(name, kind)


def _of_lane(*, key: bool = False) -> sa.Column[Any]:
    return sa.Column(
        "lane_key",
        _INTEGER,
        sa.ForeignKey("lanes.lane_key"),
        primary_key=key,
        nullable=False,
        autoincrement=False,
    )


def _make_lanes() -> None:
    op.create_table(
        "lanes",
        _column("lane_key", _NUMBER, key=True),
        _column("community", _BYTES),
        _column("lane", _TEXT),
        _column("epoch", _INTEGER),
        sa.UniqueConstraint("community", "lane", "epoch", name="lanes_named_once"),
    )
    op.create_table(
        "bundles",
        _column("bundle_key", _NUMBER, key=True),
        _of_lane(),
        _column("bundle_index", _INTEGER),
        _column("subtree_root", _BYTES),
        _column("entries", _BYTES),
        sa.UniqueConstraint("lane_key", "bundle_index", name="bundles_in_order"),
    )
    op.create_table(
        "tiles",
        _of_lane(key=True),
        _column("level", _INTEGER, key=True),
        _column("tile_index", _INTEGER, key=True),
        _column("subtree_root", _BYTES),
        _column("hashes", _BYTES),
    )
    op.create_table(
        "tail",
        _of_lane(key=True),
        _column("entry_index", _INTEGER, key=True),
        _column("entry", _BYTES),
        sqlite_with_rowid=False,
    )


def _make_heads() -> None:
    op.create_table(
        "store",
        sa.Column("only_row", sa.SmallInteger(), sa.CheckConstraint("only_row = 1"), primary_key=True),
        _column("instance", _BYTES),
        _column("change_number", _INTEGER),
        _column("views_version", _INTEGER),
    )
    op.create_table(
        "heads",
        _of_lane(key=True),
        _column("size", _INTEGER),
        _column("root", _BYTES),
        _column("note", _BYTES),
        sa.Column("change_number", _INTEGER, nullable=False, unique=True),
    )
    op.create_table(
        "remembered_heads",
        _of_lane(key=True),
        _column("note", _BYTES),
    )
    op.create_table(
        "signing_marks",
        _column("community", _BYTES, key=True),
        _column("lane", _TEXT, key=True),
        _column("epoch", _INTEGER, key=True),
        _column("size", _INTEGER),
        _column("root", _BYTES),
        _column("lease", _BYTES),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "evidence",
        _column("evidence_number", _NUMBER, key=True),
        _column("community", _BYTES),
        _column("epoch", _INTEGER),
        _column("kind", _TEXT),
        _column("note_hash", _BYTES),
        _column("note", _BYTES),
        sa.UniqueConstraint("community", "epoch", "kind", "note_hash", name="evidence_once"),
    )


def _make_sealed() -> None:
    op.create_table("sealed_payloads", _column("commitment", _BYTES, key=True), _column("ciphertext", _BYTES))
    op.create_table(
        "key_wraps",
        _column("commitment", _BYTES, key=True),
        _column("reader", _BYTES, key=True),
        _column("wrapped", _BYTES),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "blobs", _column("sha256", _BYTES, key=True), _column("media_type", _TEXT), _column("content", _BYTES)
    )


def _make_acquaintances() -> None:
    op.create_table(
        "peers",
        _column("community", _BYTES, key=True),
        _column("label", _TEXT),
        _column("addresses", _BYTES),
        _optional("genesis", _BYTES),
        _column("trust", _TEXT),
        _optional("last_seen_ms", _INTEGER),
        _optional("instance", _BYTES),
        _column("change_number", _INTEGER),
    )
    op.create_table(
        "auditors",
        _column("token_hash", _BYTES, key=True),
        _column("label", _TEXT),
        _column("lanes", _BYTES),
        _column("expires_ms", _INTEGER),
        _optional("revoked_ms", _INTEGER),
    )


def _make_own() -> None:
    op.create_table(
        "drafts",
        _column("draft_number", _NUMBER, key=True),
        _column("lane", _TEXT),
        _column("kind", _TEXT),
        _column("body", _BYTES),
        _column("made_ms", _INTEGER),
    )
    op.create_table(
        "stock",
        _column("listing_key", _TEXT, key=True),
        sa.Column(
            "on_hand", _INTEGER, sa.CheckConstraint("on_hand >= 0", name="stock_on_hand"), nullable=False
        ),
        sa.Column(
            "committed",
            _INTEGER,
            sa.CheckConstraint("committed >= 0", name="stock_committed"),
            nullable=False,
        ),
    )
    op.create_table("settings", _column("name", _TEXT, key=True), _column("value", _TEXT))
