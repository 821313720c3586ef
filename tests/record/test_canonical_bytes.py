"""The canonical subset of MessagePack: one value, one encoding, and everything else has a code."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from protocol.encoding import decode, encode
from protocol.errors import EncodingError
from protocol.limits import DEPTH_MAX, INTEGER_MAX
from tests.record.bodies import PLAIN_VALUES, canonical

BYTES_MAX = 70_000


def read(raw: bytes) -> Any:
    """Return ("value", it), or ("code", why not)."""
    try:
        return "value", decode(raw, bytes_max=BYTES_MAX)
    except EncodingError as error:
        return "code", error.code


def nested(depth: int, leaf: Any = None) -> Any:
    value = leaf
    for _ in range(depth):
        value = [value]
    return value


def test_of_all_encodings_of_the_public_suite_only_the_canonical_ones_are_read(
    shared_data: Callable[[str], Path],
) -> None:
    """Each value of the subset is read from exactly one of its encodings; floats and extensions from none."""
    suite = json.loads(shared_data("hostile/msgpack-test-suite.json").read_text())
    read_count = 0
    for case in (case for group in suite.values() for case in group):
        encodings = [bytes.fromhex(text.replace("-", "")) for text in case["msgpack"]]
        accepted = [raw for raw in encodings if read(raw)[0] == "value"]
        if {"timestamp", "ext"} & set(case) or isinstance(case.get("number"), float):
            assert accepted == []
            assert {read(raw)[1] for raw in encodings} == {"encoding_type_refused"}
            continue
        value = suite_value(case)
        if isinstance(value, int) and abs(value) > INTEGER_MAX:
            assert accepted == []
            continue
        assert accepted == [encode(value)] == [canonical(value)]
        assert read(accepted[0]) == ("value", value)
        read_count += 1
    assert read_count > 40


def suite_value(case: dict[str, Any]) -> Any:
    if "binary" in case:
        return bytes.fromhex(case["binary"].replace("-", ""))
    if "bignum" in case:
        return int(case["bignum"])
    (value,) = (case[name] for name in case if name != "msgpack")
    return value


@settings(max_examples=400, deadline=None, derandomize=True)
@given(PLAIN_VALUES)
@example({"a": 1, "aa": 2, "b": 3, "é": 4, "𐀀": 5, "￿": 6, "": 7, "Z": 8})
@example([INTEGER_MAX, -INTEGER_MAX, 2**31, 2**32, -(2**31) - 1, "x" * 300, b"x" * 70, list(range(20))])
@example({str(number): None for number in range(40)})
def test_encoding_and_reading_are_inverse(value: Any) -> None:
    """What is encoded is read back, and the bytes are those of a second encoder written from the text."""
    raw = encode(value)
    assert raw == canonical(value)
    assert read(raw) == ("value", value)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(PLAIN_VALUES.map(encode), st.data())
def test_a_changed_byte_gives_a_canonical_value_or_a_code(raw: bytes, data: st.DataObject) -> None:
    """No third thing: never another exception, never two encodings of one value."""
    altered = bytearray(raw)
    place = data.draw(st.integers(0, len(raw) - 1))
    altered[place : place + data.draw(st.integers(0, 1))] = data.draw(st.binary(max_size=2))
    said, value = read(bytes(altered))
    if said == "value":
        assert canonical(value) == bytes(altered)


@settings(max_examples=600, deadline=None, derandomize=True)
@given(st.binary(max_size=40))
def test_any_bytes_at_all_give_a_canonical_value_or_a_code(raw: bytes) -> None:
    """Noise of a stranger."""
    said, value = read(raw)
    if said == "value":
        assert canonical(value) == raw


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "encoding_malformed"),
        (b"\xc1", "encoding_malformed"),
        (b"\xc0\xc0", "encoding_trailing_bytes"),
        (b"\xcc\x05", "encoding_not_canonical"),
        (b"\x82\xa1b\x01\xa1a\x01", "encoding_not_canonical"),
        (b"\x82\xa1a\x01\xa1a\x01", "encoding_not_canonical"),
        (b"\xa1\xff", "encoding_not_utf8"),
        (b"\xa3\xed\xa0\x80", "encoding_not_utf8"),
        (b"\xca\x00\x00\x00\x00", "encoding_type_refused"),
        (b"\xd6\xff\x00\x00\x00\x05", "encoding_type_refused"),
        (b"\x81\x01\x01", "encoding_type_refused"),
        (b"\x81\x90\x01", "encoding_type_refused"),
        (encode(INTEGER_MAX + 1), "encoding_integer_range"),
        (encode(-INTEGER_MAX - 1), "encoding_integer_range"),
        (encode(nested(DEPTH_MAX + 1)), "encoding_too_deep"),
        (b"\x91" * 60_000, "encoding_too_deep"),
        (b"\x81\xa1a" * 20_000, "encoding_too_deep"),
        (b"\xdd\xff\xff\xff\xff", "encoding_malformed"),
        (b"\xdf\xff\xff\xff\xff\xa1a", "encoding_malformed"),
        (b"\xc6\xff\xff\xff\xff", "encoding_malformed"),
        (b"\xdb\xff\xff\xff\xffabc", "encoding_malformed"),
        (bytes(BYTES_MAX + 1), "encoding_too_large"),
    ],
    ids=range(22),
)
def test_each_fault_has_its_code(raw: bytes, code: str) -> None:
    """Also sizes announced by the billion and nesting by the ten thousand."""
    assert read(raw) == ("code", code)


def test_the_bounds_themselves_are_allowed() -> None:
    """The largest integers, the deepest nesting and the largest size pass."""
    for value in (INTEGER_MAX, -INTEGER_MAX, nested(DEPTH_MAX)):
        assert read(encode(value)) == ("value", value)
    whole = encode(bytes(BYTES_MAX - 5))
    assert len(whole) == BYTES_MAX
    assert read(whole)[0] == "value"
