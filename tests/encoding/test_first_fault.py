"""Bytes that are refused have one code: that of the first fault from the first byte on."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.encoding import decode, encode
from protocol.encoding_faults import first_fault
from protocol.errors import EncodingError
from protocol.limits import DEPTH_MAX
from tests.golden.encoding_vectors import ALONE, TOGETHER

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


@pytest.mark.parametrize(("name", "what", "text", "code"), [*ALONE, *TOGETHER])
def test_the_first_fault_gives_the_code(name: str, what: str, text: str, code: str) -> None:
    """One code for each, whichever library reads the bytes."""
    assert refusal(bytes.fromhex(text)) == code, f"{name}: {what}"


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
