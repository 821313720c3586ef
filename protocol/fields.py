"""Field types that policies and genesis share with the record bodies above them (PROTOCOL.md section 8).

terms: Text | UnsetType = UNSET
"""

import re
from collections.abc import Iterable, Mapping
from functools import lru_cache
from typing import Annotated, Any

from msgspec import Meta

from protocol.encoding import check_types, encode
from protocol.errors import RecordVoid
from protocol.limits import (
    AMOUNT_MINOR_MAX,
    ATTRIBUTE_NAME_BYTES_MAX,
    ATTRIBUTES_BYTES_MAX,
    ATTRIBUTES_MAX,
    INTEGER_MAX,
    LANGUAGE_TAG_CHARACTERS_MAX,
    LANGUAGES_MAX,
    TEXT_CHARACTERS_MAX,
    TITLE_CHARACTERS_MAX,
    TREE_SIZE_MAX,
)

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
PublicKey = Annotated[bytes, Meta(min_length=32, max_length=32)]
CommunityId = Annotated[bytes, Meta(min_length=32, max_length=32)]
ObjectId = Annotated[bytes, Meta(min_length=16, max_length=16)]

_LANGUAGE_TAG = r"\A[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z"
_TAGS_KEPT = 256

LanguageTag = Annotated[str, Meta(pattern=_LANGUAGE_TAG, max_length=LANGUAGE_TAG_CHARACTERS_MAX)]
_TitleWords = Annotated[str, Meta(min_length=1, max_length=TITLE_CHARACTERS_MAX)]
_TextWords = Annotated[str, Meta(min_length=1, max_length=TEXT_CHARACTERS_MAX)]
_Languages = Meta(min_length=1, max_length=LANGUAGES_MAX)
Title = Annotated[dict[LanguageTag, _TitleWords], _Languages]
Text = Annotated[dict[LanguageTag, _TextWords], _Languages]

# The same for listings, most of all records, where patterns take half the time of decoding: their struct calls
# `check_language_tags` itself.
_ShortText = Annotated[str, Meta(max_length=LANGUAGE_TAG_CHARACTERS_MAX)]
TitleOfListing = Annotated[dict[_ShortText, _TitleWords], _Languages]
TextOfListing = Annotated[dict[_ShortText, _TextWords], _Languages]

Code = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,47}\Z")]
Attributes = dict[str, Any]
Milliseconds = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
Size = Annotated[int, Meta(ge=0, le=TREE_SIZE_MAX)]
AmountMinor = Annotated[int, Meta(ge=0, le=AMOUNT_MINOR_MAX)]
Currency = Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]


def check_language_tags(tags: Iterable[str]) -> None:
    """Raise `ValueError` where one of them is no `LanguageTag`; the few that there are, are known by heart."""
    if not all(map(_is_language_tag, tags)):
        raise ValueError("a language tag is malformed")


@lru_cache(_TAGS_KEPT)
def _is_language_tag(tag: str) -> bool:
    return re.search(_LANGUAGE_TAG, tag) is not None


def check_attributes(attributes: Mapping[str, Any], *, depth: int) -> None:
    """Refuse attributes that are empty, too many, too large, of a refused type, or with a name out of bounds.

    `depth` is how many maps and arrays of the record surround them. Raises `EncodingError` or `RecordVoid`.
    """
    check_types(attributes, depth=depth)
    if not 0 < len(attributes) <= ATTRIBUTES_MAX:
        raise RecordVoid("body_refused", f"{len(attributes)} attributes, 1 to {ATTRIBUTES_MAX} allowed")
    if any(not 0 < len(name.encode()) <= ATTRIBUTE_NAME_BYTES_MAX for name in attributes):
        raise RecordVoid("body_refused", f"an attribute's name is not 1 to {ATTRIBUTE_NAME_BYTES_MAX} bytes")
    if len(encode(attributes)) > ATTRIBUTES_BYTES_MAX:
        raise RecordVoid("body_refused", f"attributes are larger than {ATTRIBUTES_BYTES_MAX} bytes")
