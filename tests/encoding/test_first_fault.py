"""Bytes that are refused have one code: that of the first fault from the first byte on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding import decode, encode
from protocol.encoding_faults import first_fault
from protocol.errors import EncodingError
from protocol.limits import DEPTH_MAX

PLAIN = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53) + 1, 2**53 - 1) | st.binary(max_size=300) | st.text(),
    lambda inner: st.lists(inner, max_size=18) | st.dictionaries(st.text(max_size=3), inner, max_size=18),
    max_leaves=12,
).filter(lambda value: levels(value) <= DEPTH_MAX)


def levels(value: object) -> int:
    if not isinstance(value, list | dict):
        return 0
    return 1 + max(map(levels, value.values() if isinstance(value, dict) else value), default=0)


def refusal(raw: bytes) -> str | None:
    try:
        decode(raw, bytes_max=len(raw))
    except EncodingError as error:
        return error.code
    return None


def explanation(raw: bytes) -> str | None:
    try:
        return first_fault(raw).code
    except AssertionError:
        return None


# name, bytes, code: each wrong in one way
ALONE = [
    ("nothing", "", "encoding_malformed"),
    ("the byte that is never used", "c1", "encoding_malformed"),
    ("an integer cut short", "cd01", "encoding_malformed"),
    ("a text cut short", "a26f", "encoding_malformed"),
    ("an array cut short", "92c0", "encoding_malformed"),
    ("a map without its last value", "81a161", "encoding_malformed"),
    ("the byte that is never used as a key", "81c1c0", "encoding_malformed"),
    ("a second value", "c0c0", "encoding_trailing_bytes"),
    ("a float", "cb0000000000000000", "encoding_type_refused"),
    ("a short float", "ca00000000", "encoding_type_refused"),
    ("a timestamp", "d6ff00000000", "encoding_type_refused"),
    ("an extension of a timestamp's type and another length", "c703ff000000", "encoding_type_refused"),
    ("an extension", "d40100", "encoding_type_refused"),
    ("a map key of bytes", "81c40161c0", "encoding_type_refused"),
    ("a map key that is an array", "8190c0", "encoding_type_refused"),
    ("a map key that is an integer", "8101c0", "encoding_type_refused"),
    ("2 to the 53", "cf0020000000000000", "encoding_integer_range"),
    ("minus 2 to the 53", "d3ffe0000000000000", "encoding_integer_range"),
    ("the largest of 64 bits", "cfffffffffffffffff", "encoding_integer_range"),
    ("nine arrays in one another", "91" * 9 + "c0", "encoding_too_deep"),
    ("a nesting without end", "91" * 5_000, "encoding_too_deep"),
    ("a byte with a sign", "d005", "encoding_not_canonical"),
    ("5 in two bytes", "cd0005", "encoding_not_canonical"),
    ("-1 in two bytes", "d1ffff", "encoding_not_canonical"),
    ("a positive number in a signed form", "d200010000", "encoding_not_canonical"),
    ("a short text in the long form", "d90161", "encoding_not_canonical"),
    ("short bytes in the long form", "c5000161", "encoding_not_canonical"),
    ("a short array in the long form", "dc0001c0", "encoding_not_canonical"),
    ("a short map in the long form", "de0001a161c0", "encoding_not_canonical"),
    ("unsorted keys", "82a162c0a161c0", "encoding_not_canonical"),
    ("a key that stands twice", "82a161c0a161c0", "encoding_not_canonical"),
    ("a longer key before its beginning", "82a26161c0a161c0", "encoding_not_canonical"),
    ("a text that is not UTF-8", "a1ff", "encoding_not_utf8"),
    ("half of a surrogate pair", "a3eda080", "encoding_not_utf8"),
    ("a key that is not UTF-8", "81a1ffc0", "encoding_not_utf8"),
]

# Two faults each; the one that stands first counts.
TOGETHER = [
    ("a float, then a cut", "92cb0000000000000000", "encoding_type_refused"),
    ("a cut within an array of too many", "dcffff01", "encoding_malformed"),
    ("bad text, then a cut", "92a1ff", "encoding_not_utf8"),
    ("a long form, then a float", "92cd0005cb0000000000000000", "encoding_not_canonical"),
    ("a large integer, then a key of bytes", "82a161cf0020000000000000c40162c0", "encoding_integer_range"),
    ("a repeated key with a float behind it", "82a161c0a161cb00", "encoding_not_canonical"),
    ("a float in a key that is repeated later", "82a161cb0000000000000000a161c0", "encoding_type_refused"),
    ("too deep, and cut", "91" * 9, "encoding_too_deep"),
]


@pytest.mark.parametrize(("name", "text", "code"), [*ALONE, *TOGETHER])
def test_the_first_fault_gives_the_code(name: str, text: str, code: str) -> None:
    """One code for each, whichever library reads the bytes."""
    with pytest.raises(EncodingError) as refused:
        decode(bytes.fromhex(text), bytes_max=60_000)
    assert refused.value.code == code, name


@settings(max_examples=300, deadline=None)
@given(PLAIN)
def test_what_is_encoded_is_read_back_and_has_no_fault(value: object) -> None:
    """Both readers accept canonical bytes; asking for their first fault is a bug, and says so."""
    raw = encode(value)
    assert decode(raw, bytes_max=len(raw)) == value
    with pytest.raises(AssertionError):
        first_fault(raw)


@settings(max_examples=500, deadline=None)
@given(PLAIN, st.data())
def test_altered_bytes_are_canonical_or_have_a_fault(value: object, data: st.DataObject) -> None:
    """The quick reader and the scan never disagree: what one refuses, the other explains."""
    raw = bytearray(encode(value))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(raw) - 1))
        raw[place : place + data.draw(st.integers(0, 2))] = data.draw(st.binary(min_size=1, max_size=3))
    assert refusal(bytes(raw)) == explanation(bytes(raw))


def test_too_many_bytes_are_refused_unread() -> None:
    """The size is looked at first."""
    with pytest.raises(EncodingError) as refused:
        decode(b"\xc1" * 11, bytes_max=10)
    assert refused.value.code == "encoding_too_large"
