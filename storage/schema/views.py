"""Views: whatever the fold makes of the lanes. Dropped and built again at will, never migrated.

A change to a table here, or to what the fold writes into one, raises `VERSION`; the next start drops them all
and the writer folds the lanes again. `storage/views` fills and asks the tables that people see.
`search_terms` is the one table that is not the same on both engines; `storage/search` hides it.
"""

import sqlalchemy as sa

from storage.schema.columns import Bytes, Integer, PlainText, RowNumber

VERSION = 6

metadata = sa.MetaData()

state = sa.Table(  # what the fold's steps read and write, by key; with a rowid, because values are large
    "state",
    metadata,
    sa.Column("table_name", PlainText, primary_key=True),
    sa.Column("key", Bytes, primary_key=True),
    sa.Column("value", Bytes, nullable=False),
)

search_documents = sa.Table(
    "search_documents",
    metadata,
    sa.Column("document_number", RowNumber, primary_key=True, autoincrement=False),
    sa.Column("document_key", PlainText, nullable=False, unique=True),
    sa.Column("time_ms", Integer, nullable=False),
    sa.Column("words_hash", Bytes, nullable=False),
)

search_progress = sa.Table(
    "search_progress",
    metadata,
    sa.Column("only_row", sa.SmallInteger, sa.CheckConstraint("only_row = 1"), primary_key=True),
    sa.Column("next_document", Integer, nullable=False),  # numbers are never given twice
    sa.Column("stale_documents", Integer, nullable=False),  # removed, but their terms still lie in the index
)

orders = sa.Table(  # one row an order, from `placement` and `deal`
    "orders",
    metadata,
    sa.Column("buyer", Bytes, primary_key=True),
    sa.Column("order_id", Bytes, primary_key=True),
    sa.Column("seller", Bytes, nullable=False),
    sa.Column("status", PlainText, nullable=False),
    sa.Column("cancellation", PlainText, nullable=False),
    sa.Column("code", PlainText),
    sa.Column("currency", PlainText, nullable=False),
    sa.Column("total_minor", Integer, nullable=False),
    sa.Column("placed_ms", Integer, nullable=False),
    sa.Column("moved_ms", Integer, nullable=False),
    sa.Column("respond_by_ms", Integer, nullable=False),
    sa.Column("group_id", Bytes),
    sa.Index("orders_by_seller", "seller", "placed_ms"),
    sa.Index(  # the few among the many: the desk asks for them with every look
        "open_orders_by_seller",
        "seller",
        "status",
        "placed_ms",
        sqlite_where=sa.text("status <> 'completed'"),
        postgresql_where=sa.text("status <> 'completed'"),
    ),
    sa.Index("orders_by_buyer", "buyer", "placed_ms"),
)

search_queue = sa.Table(  # changed listings that the index has yet to look at; one may stand there twice
    "search_queue",
    metadata,
    sa.Column("queue_number", RowNumber, primary_key=True),
    sa.Column("listing", Bytes, nullable=False),
)

_SEARCH_TERMS = {
    # `ascii` takes every character past 127 as part of a token: what we tokenized, it leaves alone.
    "sqlite": "CREATE VIRTUAL TABLE IF NOT EXISTS search_terms USING fts5"
    "(terms, content='', detail=none, columnsize=0, tokenize='ascii')",
    "postgresql": "CREATE TABLE IF NOT EXISTS search_terms"
    " (document_number bigint PRIMARY KEY, terms tsvector NOT NULL)",
}
_SEARCH_SETTINGS = {
    # Merging sixteen segments at once instead of four writes less, to flash too; asking reads a few more.
    "sqlite": "INSERT INTO search_terms (search_terms, rank) VALUES ('automerge', 16)",
    "postgresql": "CREATE INDEX IF NOT EXISTS search_terms_by_term ON search_terms USING gin (terms)",
}


def create_views(connection: sa.Connection) -> None:
    """Make every view that is not there yet, empty."""
    metadata.create_all(connection)
    dialect = connection.dialect.name
    connection.exec_driver_sql(_SEARCH_TERMS[dialect])
    connection.exec_driver_sql(_SEARCH_SETTINGS[dialect])


def drop_views(connection: sa.Connection) -> None:
    """Drop every view with all that is in it; the lanes can bring it back."""
    connection.exec_driver_sql("DROP TABLE IF EXISTS search_terms")
    metadata.drop_all(connection)
