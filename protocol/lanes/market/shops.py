"""Shops, scoped to their market lane (PROTOCOL.md section 11.1)."""

from typing import Annotated

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.errors import RecordVoid
from protocol.fields import Attributes, ObjectId, Text, Title
from protocol.lanes.kind import Change, Entry, Put, Reader, RecordKind, Tables
from protocol.limits import SHOP_KEEPERS_MAX
from protocol.log.record import Body


class ShopPublished(Body, frozen=True, kw_only=True):
    """`shop.published`: a shop as it now is; the newest in lane order counts.

    Where `keepers` is given, only these members may speak for the shop with a signature of their own.
    """

    shop_id: ObjectId
    name: Title
    about: Text | UnsetType = UNSET
    pickup: Text | UnsetType = UNSET
    delivery: Text | UnsetType = UNSET
    keepers: Annotated[list[ObjectId], Meta(min_length=1, max_length=SHOP_KEEPERS_MAX)] | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Keepers are sorted, each once."""
        if self.keepers is not UNSET and self.keepers != sorted(set(self.keepers)):
            raise ValueError("keepers must be sorted, each once")


class Shop(msgspec.Struct, frozen=True, gc=False):
    """The shop's newest words and where they stand."""

    published: ShopPublished
    epoch: int
    index: int


TABLES: Tables = {"shop": Shop}


def step_published(read: Reader, entry: Entry) -> list[Change]:
    """The newest publication replaces the one before."""
    position, body = entry.position, entry.record.body
    key = (position.community, position.lane, body.shop_id)
    before = read.get("shop", key)
    if before:
        verify_keeper(before.published, entry)
    return [Put("shop", key, Shop(body, position.epoch, position.index))]


def verify_keeper(shop: ShopPublished, entry: Entry) -> None:
    """A member speaks only for shops that count the member among their keepers, where they name any."""
    author = entry.record.author
    if author is not None and shop.keepers is not UNSET and author not in shop.keepers:
        raise RecordVoid("author_not_permitted", "another shop's keeper")


KINDS = (RecordKind("shop.published", "market", ShopPublished, step_published, member_role="shopkeeper"),)
