"""The frames that carry lanes: heads, tiles, entries, news (PROTOCOL.md sections 17.5 and 18)."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.exchange.frames.fields import Count, Hash, Instance, NoteBytes, Packed, Size
from protocol.identity.keys import HASH_BYTES
from protocol.limits import HEADS_PAGE_MAX, NEWS_BYTES_MAX, TILE_WIDTH, TILES_PAGE_MAX
from protocol.log.origin import Origin


class HeadsSince(Struct, frozen=True, array_like=True, tag="heads_since"):
    """Asks which heads changed after change `after` of store `instance`; all zeros: never asked before."""

    number: Count
    instance: Instance
    after: Count


class Heads(Struct, frozen=True, array_like=True, tag="heads"):
    """A page of checkpoint notes; `through` is the cursor behind it. With `number` 0 it was not asked for."""

    number: Count
    instance: Instance
    through: Count
    has_more: bool
    notes: Annotated[tuple[NoteBytes, ...], Meta(max_length=HEADS_PAGE_MAX)]


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


class News(Struct, frozen=True, array_like=True, tag="news"):
    """A new head with the entries from `start` to its size, pushed while they are few and small."""

    note: NoteBytes
    start: Size
    packed: Annotated[bytes, Meta(min_length=2, max_length=NEWS_BYTES_MAX)]


class Prune(Struct, frozen=True, array_like=True, tag="prune"):
    """Asks to be sent no more news of a community with its entries: announcements only, or nothing at all."""

    community: Hash
    is_followed: bool


class Graft(Struct, frozen=True, array_like=True, tag="graft"):
    """Takes a `prune` back: news of this community is to come with its entries again."""

    community: Hash
