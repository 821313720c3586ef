"""The frames that carry lanes: heads, tiles, entries, news (PROTOCOL.md sections 17.5 and 18)."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.exchange.frames.fields import (
    Count,
    Epoch,
    FilledSize,
    Hash,
    Instance,
    KeyName,
    LaneName,
    LaneNumber,
    Packed,
    Signature,
    Size,
)
from protocol.identity.keys import HASH_BYTES
from protocol.limits import (
    HEADS_PAGE_MAX,
    NEWS_BYTES_MAX,
    SUMMARY_BITS_MAX,
    SUMMARY_BUCKETS_MAX,
    SUMMARY_BYTES_MAX,
    SUMMARY_ITEMS_BYTES_MAX,
    TILE_WIDTH,
    TILES_PAGE_MAX,
    WITNESSES_MAX,
)
from protocol.log.origin import Origin

COSIGNATURE_BYTES = 76  # key id, time, signature
SUMMARY_KEY_BYTES = 16


class StatedCosignature(Struct, frozen=True, array_like=True):
    """A witness's line: its key name (of a community: a zero byte and the id), then key id, time, signature."""

    witness: KeyName
    signature: Annotated[bytes, Meta(min_length=COSIGNATURE_BYTES, max_length=COSIGNATURE_BYTES)]


class StatedHead(Struct, frozen=True, array_like=True):
    """A checkpoint in few bytes: whoever knows the log's key writes its note again, byte for byte."""

    community: Hash
    lane: LaneNumber | LaneName
    epoch: Epoch
    size: FilledSize
    root: Hash
    signature: Signature
    cosignatures: Annotated[tuple[StatedCosignature, ...], Meta(max_length=WITNESSES_MAX)]


class HeadsSince(Struct, frozen=True, array_like=True, tag="heads_since"):
    """Asks which heads changed after change `after` of store `instance`; all zeros: never asked before."""

    number: Count
    instance: Instance
    after: Count


class Heads(Struct, frozen=True, array_like=True, tag="heads"):
    """A page of heads; `through` is the place in the list behind it. With `number` 0 it was not asked for."""

    number: Count
    instance: Instance
    through: Count
    has_more: bool
    heads: Annotated[tuple[StatedHead, ...], Meta(max_length=HEADS_PAGE_MAX)]


SummaryKey = Annotated[bytes, Meta(min_length=SUMMARY_KEY_BYTES, max_length=SUMMARY_KEY_BYTES)]
SummaryBits = Annotated[int, Meta(ge=1, le=SUMMARY_BITS_MAX)]


class HeadsCompare(Struct, frozen=True, array_like=True, tag="heads_compare"):
    """Asks for one hash a bucket over all heads that the asker may read, under a key that is new each time."""

    number: Count
    key: SummaryKey
    bits: SummaryBits


class HeadsSummary(Struct, frozen=True, array_like=True, tag="heads_summary"):
    """The bucket hashes in order, how many heads they are over, and the place in the list that they stand for."""

    number: Count
    instance: Instance
    through: Count
    count: Count
    hashes: Annotated[bytes, Meta(max_length=SUMMARY_BYTES_MAX)]


class HeadsBesides(Struct, frozen=True, array_like=True, tag="heads_besides"):
    """Asks for the heads in these buckets, but those whose item hash is among `items`."""

    number: Count
    key: SummaryKey
    bits: SummaryBits
    buckets: Annotated[
        tuple[Annotated[int, Meta(ge=0, lt=1 << SUMMARY_BITS_MAX)], ...],
        Meta(min_length=1, max_length=SUMMARY_BUCKETS_MAX),
    ]
    items: Annotated[bytes, Meta(max_length=SUMMARY_ITEMS_BYTES_MAX)]


class TileWanted(Struct, frozen=True, array_like=True):
    """The first `width` hashes of one tile."""

    level: Annotated[int, Meta(ge=0, le=6)]
    index: Size
    width: Annotated[int, Meta(ge=1, le=TILE_WIDTH)]


class TilesGet(Struct, frozen=True, array_like=True, tag="tiles_get"):
    """Asks for hash tiles of one log."""

    number: Count
    origin: Origin
    tiles: Annotated[tuple[TileWanted, ...], Meta(min_length=1, max_length=TILES_PAGE_MAX)]


class Tiles(Struct, frozen=True, array_like=True, tag="tiles"):
    """The tiles asked for, in that order, each `width` times 32 bytes."""

    number: Count
    tiles: Annotated[
        tuple[Annotated[bytes, Meta(min_length=HASH_BYTES, max_length=TILE_WIDTH * HASH_BYTES)], ...],
        Meta(min_length=1, max_length=TILES_PAGE_MAX),
    ]


class EntriesGet(Struct, frozen=True, array_like=True, tag="entries_get"):
    """Asks for the entries [start, end) of one bundle; both count within the bundle, 0 to 256."""

    number: Count
    origin: Origin
    bundle: Size
    start: Annotated[int, Meta(ge=0, lt=TILE_WIDTH)]
    end: Annotated[int, Meta(ge=1, le=TILE_WIDTH)]


class Entries(Struct, frozen=True, array_like=True, tag="entries"):
    """The first `count` of the entries asked for, packed as in a bundle: as many as fit, at least one."""

    number: Count
    count: Annotated[int, Meta(ge=1, le=TILE_WIDTH)]
    packed: Packed


class YourHeads(Struct, frozen=True, array_like=True, tag="your_heads"):
    """The heads of the receiver's own lanes that the sender holds, said first when a session opens."""

    has_more: bool
    heads: Annotated[tuple[StatedHead, ...], Meta(max_length=HEADS_PAGE_MAX)]


class News(Struct, frozen=True, array_like=True, tag="news"):
    """A new head with the entries from `start` to its size, pushed while they are few and small."""

    head: StatedHead
    start: Size
    packed: Annotated[bytes, Meta(min_length=2, max_length=NEWS_BYTES_MAX)]


class Prune(Struct, frozen=True, array_like=True, tag="prune"):
    """Asks to be sent no more news of a community with its entries: announcements only, or nothing at all."""

    community: Hash
    is_followed: bool


class Graft(Struct, frozen=True, array_like=True, tag="graft"):
    """Takes a `prune` back: news of this community is to come with its entries again."""

    community: Hash
