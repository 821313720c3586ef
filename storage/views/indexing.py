"""From the fold to the search index: takes changed listings off the queue and gives their words to search."""

from functools import lru_cache

import sqlalchemy as sa

from protocol.identity.keys import from_base32, to_base32
from protocol.lanes.market.listings import Listing
from storage.search import Document, clear_index, index_documents, is_worn, remove_documents
from storage.state import StateStore
from storage.views.search_queue import queue_all_listings, take_listings

_COMMUNITY_BYTES = 32
_LISTING_BYTES = 16


def listing_text_key(community: bytes, lane: str, listing_id: bytes) -> str:
    """Return the one text by which search and stock know a listing."""
    return f"{to_base32(community)}/{lane}/{to_base32(listing_id)}"


def parse_listing_text_key(key: str) -> tuple[bytes, str, bytes]:
    """Return the fold's key of the listing that `listing_text_key` named."""
    community, rest = key.split("/", 1)
    lane, listing_id = rest.rsplit("/", 1)
    return _community_of(community), lane, from_base32(listing_id, _LISTING_BYTES)


@lru_cache(maxsize=1_024)  # the same few communities are named in every answer
def _community_of(text: str) -> bytes:
    return from_base32(text, _COMMUNITY_BYTES)


def index_some(connection: sa.Connection, state: StateStore, limit: int) -> int:
    """Index up to `limit` changed listings, in this transaction; return how many there were.

    A worn index is cleared first, and all listings queued anew: until they are through, some are not found.
    """
    documents, gone = [], []
    if is_worn(connection):
        clear_index(connection)
        queue_all_listings(connection)
    keys = take_listings(connection, limit)
    for community, lane, listing_id in dict.fromkeys(keys):
        listing: Listing = state.get("listing", (community, lane, listing_id))
        text_key = listing_text_key(community, lane, listing_id)  # type: ignore[arg-type]  # parts of a listing's key
        if listing.is_withdrawn:
            gone.append(text_key)
            continue
        body = listing.published
        documents.append(
            Document(text_key, lane, community, body.title, body.text or {}, listing.time_ms)  # type: ignore[arg-type]  # parts of a listing's key
        )
    index_documents(connection, documents)
    remove_documents(connection, gone)
    return len(keys)
