"""Shapes that bodies of several rooms share: language maps, plain texts, attributes (PROTOCOL.md section 8).

They check values that are already canonical MessagePack; a failure voids the record that carries them.

    check_language_map({"en": "Greengrocer", "zh-Hans": "菜铺"}, bytes_max=TITLE_BYTES_MAX)
"""

import re
from collections.abc import Mapping
from typing import Any

from protocol.encoding import encode
from protocol.errors import RecordVoid
from protocol.limits import (
    ATTRIBUTE_NAME_BYTES_MAX,
    ATTRIBUTES_BYTES_MAX,
    ATTRIBUTES_MAX,
    LANGUAGES_MAX,
)

_LANGUAGE_TAG = re.compile(r"[a-z]{2,3}(-[A-Z][a-z]{3})?(-([A-Z]{2}|[0-9]{3}))?")
_CONTROL = re.compile(r"[\x00-\x09\x0b-\x1f\x7f-\x9f]")  # everything below space but the newline, and C1


def check_language_map(texts: Mapping[str, str], *, bytes_max: int) -> None:
    """Refuse a map that is not 1 to `LANGUAGES_MAX` BCP 47 tags in canonical case, each with a plain text."""
    if not 1 <= len(texts) <= LANGUAGES_MAX:
        raise RecordVoid("languages_out_of_range", f"{len(texts)} languages")
    for tag, text in texts.items():
        if _LANGUAGE_TAG.fullmatch(tag) is None:
            raise RecordVoid("language_tag_malformed", repr(tag[:40]))
        check_text(text, bytes_max=bytes_max)


def check_text(text: str, *, bytes_max: int) -> None:
    """Refuse a text that is empty, longer than `bytes_max` in UTF-8, or holds controls but newlines."""
    size = len(text.encode())
    if not 1 <= size <= bytes_max:
        raise RecordVoid("text_out_of_range", f"{size} bytes, 1 to {bytes_max} allowed")
    if _CONTROL.search(text) is not None:
        raise RecordVoid("text_control_character")


def check_attributes(attributes: Mapping[str, Any]) -> None:
    """Refuse an attributes map that is empty, too many, too large, or has a name too long or empty."""
    if not 1 <= len(attributes) <= ATTRIBUTES_MAX:
        raise RecordVoid("attributes_out_of_range", f"{len(attributes)} attributes")
    for name in attributes:
        if not 1 <= len(name.encode()) <= ATTRIBUTE_NAME_BYTES_MAX:
            raise RecordVoid("attributes_out_of_range", f"the name {name[:40]!r}")
    size = len(encode(attributes))
    if size > ATTRIBUTES_BYTES_MAX:
        raise RecordVoid("attributes_out_of_range", f"{size} bytes, at most {ATTRIBUTES_BYTES_MAX}")
