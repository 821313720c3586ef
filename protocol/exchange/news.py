"""News pushed with its entries: the receiver extends its range and compares (PROTOCOL.md section 18.2).

steps = steps_from_news(held, news, head)   # None: does not fit on what is held, fetch it instead
"""

from protocol.errors import LogError
from protocol.exchange.frames import News
from protocol.exchange.heads import state_head
from protocol.exchange.holding import (
    AdoptHead,
    HeldLane,
    SignedHead,
    StoreEntries,
    StoreStep,
    completed_bundle_root,
)
from protocol.limits import NEWS_BYTES_MAX, TILE_WIDTH
from protocol.log.merkle import leaf_hashes
from protocol.log.tiles import pack_entries, unpack_entries


def make_news(note: bytes, start: int, packed: bytes, count: int) -> News | None:
    """Return the push of `count` packed entries from `start` on; None if they are too many or too large."""
    if not 1 <= count <= TILE_WIDTH or len(packed) > NEWS_BYTES_MAX:
        return None
    return News(state_head(note), start, packed)


def steps_from_news(held: HeldLane, news: News, head: SignedHead) -> list[StoreStep] | None:
    """Return the steps that bring `held` to `head`, or None where the news does not lead there by itself.

    That is no offence: we may be behind, or the entries may be wrong; the fetch tells the one from the other.
    """
    if not news.start <= held.size < head.size <= news.start + TILE_WIDTH:
        return None
    if held.remembered and held.adopted_size < held.remembered.size <= head.size:
        return None  # only a fetch holds the two against each other
    try:
        entries = unpack_entries(news.packed, head.size - news.start)[held.size - news.start :]
    except LogError:
        return None
    lane = held.make_range()
    steps: list[StoreStep] = []
    while entries:
        room = TILE_WIDTH - lane.size % TILE_WIDTH
        part, entries = entries[:room], entries[room:]
        start, hashes = lane.size, leaf_hashes(part)
        root = completed_bundle_root(lane, hashes) if len(part) == room else None
        lane.extend(hashes)
        steps.append(StoreEntries(held.origin, start, len(part), pack_entries(part), tuple(hashes), root))
    if lane.root() != head.root:
        return None
    return [*steps, AdoptHead(held.origin, head, lane.hashes)]
