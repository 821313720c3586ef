"""Entries that a stranger makes up: each is a record or has a code, and no text is touched."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import msgpack
import pytest

from protocol.encoding import encode
from protocol.errors import ProtocolError
from protocol.lanes import BODY_TYPES
from protocol.limits import (
    ATTRIBUTE_NAME_BYTES_MAX,
    ATTRIBUTES_BYTES_MAX,
    ATTRIBUTES_MAX,
    DEPTH_MAX,
    INTEGER_MAX,
    KIND_BYTES_MAX,
    LANGUAGES_MAX,
    RECORD_BYTES_MAX,
    TEXT_CHARACTERS_MAX,
    TITLE_CHARACTERS_MAX,
)
from protocol.log.record import Record, decode_record
from tests.village import object_id

SHOP = {"shop_id": object_id("shop"), "name": {"en": "Shop"}}


def judge(raw: bytes) -> Record | str:
    try:
        return decode_record(raw, BODY_TYPES)
    except ProtocolError as error:
        return error.code


def shop(**changed: Any) -> Record | str:
    """Judge a `shop.published` with some fields changed."""
    return judge(
        msgpack.packb([1, "shop.published", 5, 0, None, dict(sorted({**SHOP, **changed}.items())), None])
    )


def envelope(place: int, value: Any, body: Any = None) -> Record | str:
    """Judge a record of an unknown kind with one element of the envelope replaced."""
    elements: list[Any] = [1, "moon.risen", 5, 0, None, {} if body is None else body, None]
    elements[place] = value
    return judge(encode(elements))


def test_naughty_strings_survive_as_titles_byte_for_byte(shared_data: Callable[[str], Path]) -> None:
    """A title of 1 to 200 characters is kept as it came; a longer one is refused; no string breaks anything."""
    kept = 0
    for text in json.loads(shared_data("hostile/blns.json").read_text()):
        found = shop(name={"en": text})
        if not 0 < len(text) <= TITLE_CHARACTERS_MAX:
            assert found == "body_refused"
            continue
        assert isinstance(found, Record)
        assert found.body.name == {"en": text}
        assert text.encode() in found.raw
        kept += 1
    assert kept > 450


@pytest.mark.parametrize(
    "text", ["\u202eevil", "a\u0000b", "﷽", "👩‍👩‍👧", "猫粮", "e\u0301", "\ufeff", "￿", " "]
)
def test_texts_are_not_normalised(text: str) -> None:
    """Right-to-left marks, NUL, combining characters and blanks stay what they are."""
    found = shop(name={"en": text})
    assert isinstance(found, Record)
    assert found.body.name["en"].encode() == text.encode()


def test_a_body_nested_by_the_thousand_is_refused_like_any_other() -> None:
    """Found by this test: it ended the fold of whoever followed the lane, by RecursionError."""
    for kind in ("shop.published", "moon.risen"):
        head = b"\x97\x01" + encode(kind) + b"\x05\x00\xc0"
        for nest in (b"\x91", b"\x81\xa1a"):
            assert judge(head + nest * (59_000 // len(nest)) + b"\xc0\xc0") == "encoding_too_deep"
    assert shop(attributes={"a": nested(300)}) == "encoding_too_deep"


def nested(depth: int) -> Any:
    value: Any = 1
    for _ in range(depth):
        value = [value]
    return value


@pytest.mark.parametrize(
    ("attribute", "code"),
    [
        ({5: 1}, "encoding_type_refused"),
        ({5: 1, "a": 2}, "encoding_type_refused"),
        ({None: 1}, "encoding_type_refused"),
        ({b"a": 1}, "encoding_type_refused"),
        ({(1, 2): 1}, "encoding_type_refused"),
        (1.5, "encoding_type_refused"),
        (msgpack.Timestamp(5, 0), "encoding_type_refused"),
        (msgpack.Timestamp(2**40, 7), "encoding_type_refused"),
        (msgpack.ExtType(5, b"a"), "encoding_type_refused"),
        (INTEGER_MAX + 1, "encoding_integer_range"),
    ],
    ids=str,
)
def test_what_attributes_may_not_hold_is_refused_like_anywhere_else(attribute: Any, code: str) -> None:
    """Found by this test: a number as a key inside attributes ended the fold, by TypeError."""
    assert shop(attributes={"x": attribute}) == code


def test_attributes_have_bounds() -> None:
    """Number, names, size and depth; each bound itself is allowed."""
    assert shop(attributes={}) == "body_refused"
    assert shop(attributes={"": 1}) == "body_refused"
    names = [f"{number:03}" for number in range(ATTRIBUTES_MAX + 1)]
    assert isinstance(shop(attributes=dict.fromkeys(names[:-1], 1)), Record)
    assert shop(attributes=dict.fromkeys(names, 1)) == "body_refused"
    name = "é" * (ATTRIBUTE_NAME_BYTES_MAX // 2)
    assert isinstance(shop(attributes={name: 1}), Record)
    assert shop(attributes={name + "x": 1}) == "body_refused"
    room = ATTRIBUTES_BYTES_MAX - len(encode({"a": bytes(1_000)})) + 1_000
    assert isinstance(shop(attributes={"a": bytes(room)}), Record)
    assert shop(attributes={"a": bytes(room + 1)}) == "body_refused"
    assert isinstance(shop(attributes={"a": nested(DEPTH_MAX - 3)}), Record)
    assert shop(attributes={"a": nested(DEPTH_MAX - 2)}) == "encoding_too_deep"


def test_texts_have_bounds_in_characters_and_languages() -> None:
    """200 characters a title, 8192 a text, 16 languages, tags as BCP 47 writes them."""
    assert isinstance(shop(name={"en": "猫" * TITLE_CHARACTERS_MAX}), Record)
    assert shop(name={"en": "猫" * (TITLE_CHARACTERS_MAX + 1)}) == "body_refused"
    assert isinstance(shop(about={"en": "x" * TEXT_CHARACTERS_MAX}), Record)
    assert shop(about={"en": "x" * (TEXT_CHARACTERS_MAX + 1)}) == "body_refused"
    tags = [f"aa-{number:02}" for number in range(LANGUAGES_MAX + 1)]
    assert isinstance(shop(name=dict.fromkeys(tags[:-1], "x")), Record)
    assert shop(name=dict.fromkeys(tags, "x")) == "body_refused"
    for tag in ("zh-Hans", "und", "sr-Latn-RS", "a" * 2 + "-a2" * 11):
        assert isinstance(shop(name={tag: "x"}), Record)
    for tag in ("", "e", "EN", "en_GB", "en-", "english", "en-ééé", "en\n", "aa" + "-a2" * 12):
        assert shop(name={tag: "x"}) == "body_refused"


def test_every_element_of_the_envelope_has_its_bounds() -> None:
    """Format, kind, time, charter size, author and signature: the bound passes, one more is refused."""
    for number in (0, 2, -1, "1", None, True, b"1", [1], INTEGER_MAX):
        assert envelope(0, number) == "format_unknown"
    assert isinstance(envelope(1, "k" * KIND_BYTES_MAX), Record)
    for kind in ("k" * (KIND_BYTES_MAX + 1), "é" * (KIND_BYTES_MAX // 2 + 1), b"kind", 5, None, ["kind"]):
        assert envelope(1, kind) == "record_shape"
    for place in (2, 3):
        assert isinstance(envelope(place, INTEGER_MAX), Record)
        for size in (-1, "5", None, True, b"5", [5], {}):
            assert envelope(place, size) == "record_shape"
    for place in (4, 6):
        for one_alone in (b"", bytes(16), "", 5, [], {}):
            assert envelope(place, one_alone) == "record_shape"
    for size in range(10):
        if size != 7:
            assert judge(encode([1, "moon.risen", 5, 0, None, {}, *[None] * 4][:size])) == "record_shape"
    for other in ({}, {"format": 1}, None, 5, "record", b"record", []):
        assert judge(encode(other)) == "record_shape"


def test_an_author_is_bytes_and_never_text() -> None:
    """Found by this test: base64 text passed as author and signature, a second spelling of one record."""
    for author, signature in (("AAAA", "AAAA"), (b"abc", "AAAA"), ("AAAA", b"abc")):
        for kind, body in (("moon.risen", {}), ("shop.published", SHOP)):
            raw = encode([1, kind, 5, 0, author, body, signature])
            assert judge(raw) == "record_shape"


def test_a_record_has_at_most_sixty_thousand_bytes() -> None:
    """What is larger stays in the lane as evidence and is not read."""
    room = RECORD_BYTES_MAX - len(encode([1, "moon.risen", 5, 0, None, bytes(1_000), None])) + 1_000
    assert isinstance(envelope(5, bytes(room)), Record)
    assert envelope(5, bytes(room + 1)) == "encoding_too_large"


def test_an_unknown_kind_is_read_whatever_its_body_says() -> None:
    """A later version's record is kept as plain values."""
    for body in (None, 5, "x", b"x", [], {"a": [1, {"b": None}]}, True):
        found = envelope(5, body)
        assert isinstance(found, Record)
        assert not found.is_known
        assert found.body == body
