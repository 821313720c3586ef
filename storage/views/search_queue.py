"""Which listings the search index has yet to look at: written with the fold, emptied by the indexer.

Search runs behind the fold, so that a backfill is not held up by tokenizing; how many rows wait here is its
lag. A key is the fold's key of the listing, in canonical bytes; one that changes often may wait twice.
"""

import sqlalchemy as sa

from protocol.encoding import decode
from protocol.lanes.kind import Key
from storage.schema.views import search_queue

_KEY_BYTES_MAX = 256


QUEUE_LISTING = "INSERT INTO search_queue (listing) VALUES (?)"  # for the state, which asks the driver itself


def queue_all_listings(connection: sa.Connection) -> None:
    """Note every listing that is known, for an index that is filled anew."""
    connection.exec_driver_sql(
        "INSERT INTO search_queue (listing) SELECT key FROM state WHERE table_name = 'listing'"
    )


def take_listings(connection: sa.Connection, limit: int) -> list[Key]:
    """Take up to `limit` changed listings off the queue, in the transaction that indexes them."""
    number = search_queue.c.queue_number
    rows = connection.execute(sa.select(number, search_queue.c.listing).order_by(number).limit(limit)).all()
    if rows:
        connection.execute(sa.delete(search_queue).where(number <= rows[-1].queue_number))
    return [tuple(decode(row.listing, bytes_max=_KEY_BYTES_MAX)) for row in rows]


def queued_count(connection: sa.Connection) -> int:
    """Return how many listings wait for the indexer."""
    return connection.execute(sa.select(sa.func.count()).select_from(search_queue)).scalar_one()
