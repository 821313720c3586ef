"""Ids have one spelling in text."""

import base64
import contextlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import IdentityError
from protocol.identity.keys import from_base32, to_base32


@given(st.binary(min_size=1, max_size=40))
@settings(max_examples=200)
def test_an_id_survives_its_text(raw):
    """Text of an id gives the id again, in the length that base32 has without padding."""
    text = to_base32(raw)
    assert from_base32(text, len(raw)) == raw
    assert len(text) == -(-len(raw) * 8 // 5)
    assert set(text) <= set("abcdefghijklmnopqrstuvwxyz234567")


@given(st.binary(min_size=1, max_size=70))
@settings(max_examples=200)
def test_the_text_of_an_id_is_what_the_standard_library_says(raw):
    """RFC 4648, in lower case and without padding, at every length."""
    assert to_base32(raw) == base64.b32encode(raw).decode("ascii").rstrip("=").lower()


def test_ids_have_the_lengths_that_the_specification_states():
    """32 bytes are 52 characters, 16 bytes are 26."""
    assert (len(to_base32(bytes(32))), len(to_base32(bytes(16)))) == (52, 26)


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a" * 25,
        "a" * 27,
        "A" * 26,
        "a" * 25 + "A",
        "a" * 25 + "b",  # bits beyond the last byte
        "a" * 25 + "1",
        "a" * 25 + "=",
        "a" * 25 + " ",
        "a" * 25 + "\n",
        "a" * 25 + "ı",
        "a" * 24 + "ß",
        "а" * 26,  # Cyrillic
        "\ud800" * 26,
    ],
)
def test_another_spelling_of_an_id_is_refused(text):
    """Length, case, padding, spare bits and look-alikes: one text for each id."""
    with pytest.raises(IdentityError) as refusal:
        from_base32(text, 16)
    assert refusal.value.code == "id_malformed"


@given(st.binary(min_size=32, max_size=32), st.integers(0, 51), st.characters())
@settings(max_examples=200)
def test_no_two_texts_are_one_id(raw, position, character):
    """A text with one character changed is refused, or it is another id."""
    text = to_base32(raw)
    changed = text[:position] + character + text[position + 1 :]
    if changed == text:
        return
    with contextlib.suppress(IdentityError):
        assert from_base32(changed, 32) != raw
