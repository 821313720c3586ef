"""Shapes that several actions share, and the way from text ids to bytes and back."""

import secrets
from functools import lru_cache
from typing import Annotated

import msgspec
from msgspec import Meta

from node.errors import NodeError
from protocol.errors import IdentityError
from protocol.identity.keys import from_base32, to_base32
from protocol.lanes.kind import SECTORS, Reference

IdText = Annotated[str, Meta(pattern=r"^[a-z2-7]{26}$", description="16 bytes in lower-case base32")]
HashText = Annotated[str, Meta(pattern=r"^[a-z2-7]{52}$", description="32 bytes in lower-case base32")]
Sector = Annotated[str, Meta(pattern=r"^[a-z]{2,16}$", description="One of: " + ", ".join(SECTORS))]

_ID_BYTES = 16
_TIME_BYTES = 6
_HASH_BYTES = 32


class Request(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an action is asked; unknown fields are refused."""


class Answer(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What an action answers; absent facts are left out."""


class RecordPlace(Answer, frozen=True, kw_only=True):
    """Where a record stands, and its id."""

    community: str
    lane: str
    epoch: int
    index: int
    record_id: str


class Said(Answer, frozen=True, kw_only=True):
    """The record that an action wrote: synced, and in the next checkpoint."""

    record: RecordPlace


def place_of(reference: Reference) -> RecordPlace:
    """Return a reference as answers show it."""
    return RecordPlace(
        community=to_base32(reference.community),
        lane=reference.lane,
        epoch=reference.epoch,
        index=reference.index,
        record_id=to_base32(reference.record_id),
    )


def said(reference: Reference) -> Said:
    """Return the answer of an action that wrote one record."""
    return Said(record=place_of(reference))


def id_of(text: str) -> bytes:
    """Return the 16 bytes of an id in text."""
    return _from_text(text, _ID_BYTES)


def hash_of(text: str) -> bytes:
    """Return the 32 bytes of an id in text."""
    return _from_text(text, _HASH_BYTES)


def is_id(text: str) -> bool:
    """Tell whether a text is the one spelling of 16 bytes."""
    return _is_text_of(text, _ID_BYTES)


def is_hash(text: str) -> bool:
    """Tell whether a text is the one spelling of 32 bytes."""
    return _is_text_of(text, _HASH_BYTES)


def new_id(now_ms: int) -> bytes:
    """Return 16 bytes that nothing else is called by: the time in 6 of them, then 10 random ones.

    What is made together stands together in tables and indexes, which then change a few pages, not one a row.
    Only for what is published at once, where the record tells the time as well.
    """
    return now_ms.to_bytes(_TIME_BYTES, "big") + secrets.token_bytes(_ID_BYTES - _TIME_BYTES)


def market_of(sector: str) -> str:
    """Return the lane of a sector, or raise `NodeError`."""
    if sector not in SECTORS:
        raise NodeError("sector_unknown", sector)
    return f"market/{sector}"


def _is_text_of(text: str, bytes_count: int) -> bool:
    try:
        return len(from_base32(text, bytes_count)) == bytes_count
    except IdentityError:
        return False


@lru_cache(maxsize=1_024)  # the same few shops and communities are named over and over
def _from_text(text: str, bytes_count: int) -> bytes:
    try:
        return from_base32(text, bytes_count)
    except IdentityError as error:
        raise NodeError("request_field_refused", f"{text[:60]!r} is no id") from error
