"""Field types that record bodies share, with their bounds (PROTOCOL.md section 8.3)."""

from typing import Annotated, Any

from msgspec import Meta

from protocol.limits import (
    AMOUNT_MINOR_MAX,
    INTEGER_MAX,
    LANGUAGE_TAG_CHARACTERS_MAX,
    LANGUAGES_MAX,
    REASON_CHARACTERS_MAX,
    TEXT_CHARACTERS_MAX,
    TITLE_CHARACTERS_MAX,
    TREE_SIZE_MAX,
)

Hash = Annotated[bytes, Meta(min_length=32, max_length=32)]
PublicKey = Annotated[bytes, Meta(min_length=32, max_length=32)]
CommunityId = Annotated[bytes, Meta(min_length=32, max_length=32)]
ObjectId = Annotated[bytes, Meta(min_length=16, max_length=16)]

LanguageTag = Annotated[
    str,
    Meta(pattern=r"\A[a-z]{2,3}(-[A-Za-z0-9]{2,8})*\Z", max_length=LANGUAGE_TAG_CHARACTERS_MAX),
]
Title = Annotated[
    dict[LanguageTag, Annotated[str, Meta(min_length=1, max_length=TITLE_CHARACTERS_MAX)]],
    Meta(min_length=1, max_length=LANGUAGES_MAX),
]
Text = Annotated[
    dict[LanguageTag, Annotated[str, Meta(min_length=1, max_length=TEXT_CHARACTERS_MAX)]],
    Meta(min_length=1, max_length=LANGUAGES_MAX),
]
Reason = Annotated[str, Meta(min_length=1, max_length=REASON_CHARACTERS_MAX)]
Code = Annotated[str, Meta(pattern=r"\A[a-z][a-z0-9_]{0,47}\Z")]
Attributes = dict[str, Any]
Milliseconds = Annotated[int, Meta(ge=0, le=INTEGER_MAX)]
Size = Annotated[int, Meta(ge=0, le=TREE_SIZE_MAX)]
AmountMinor = Annotated[int, Meta(ge=0, le=AMOUNT_MINOR_MAX)]
SignedAmountMinor = Annotated[int, Meta(ge=-AMOUNT_MINOR_MAX, le=AMOUNT_MINOR_MAX)]
Currency = Annotated[str, Meta(pattern=r"\A[A-Z]{3}\Z")]
