"""Which signatures hold is one rule, the same for every implementation and every odd key."""

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import IdentityError
from protocol.identity.keys import (
    SigningKey,
    check_sealing_key,
    check_signing_key,
    is_signature_valid,
    verify_signature,
)
from protocol.identity.sealing import ReaderKey
from tests.identity import ed25519_by_the_book as by_the_book
from tests.worked_examples import worked_example

SEEDS = st.binary(min_size=32, max_size=32)
P = by_the_book.P


def is_refused(check, public):
    try:
        check(public)
    except IdentityError as refusal:
        return refusal.code == "key_refused"
    return False


def small_order_encodings():
    """Every 32-byte string that some decoder reads as a point of small order, found without a list."""
    generator = next(
        candidate
        for candidate in (by_the_book.decompress(y.to_bytes(32, "little")) for y in range(2, 200))
        if candidate
        and by_the_book.compress(by_the_book.multiply(4 * by_the_book.L, candidate))
        != by_the_book.compress(by_the_book.NEUTRAL)
    )
    torsion = by_the_book.multiply(by_the_book.L, generator)
    canonical = [by_the_book.compress(by_the_book.multiply(times, torsion)) for times in range(8)]
    ys = {int.from_bytes(raw, "little") & ((1 << 255) - 1) for raw in canonical}
    spellings = [y + more for y in ys for more in (0, P) if y + more < 1 << 255]
    return {(y | sign << 255).to_bytes(32, "little") for y in spellings for sign in (0, 1)}


@given(SEEDS, st.binary(max_size=100))
@settings(max_examples=30)
def test_a_signature_holds_by_the_text_of_the_specification(seed, message):
    """What is signed holds here and in the second implementation, and one more byte breaks it."""
    key = SigningKey(seed)
    signature = key.sign(message)
    verify_signature(key.public, message, signature)
    assert by_the_book.is_valid(key.public, message, signature)
    assert not is_signature_valid(key.public, message + b"x", signature)


@given(SEEDS, st.integers(0, 511), st.integers(0, 255))
@settings(max_examples=100)
def test_one_changed_bit_breaks_a_signature(seed, signature_bit, key_bit):
    """No bit of signature or key is without meaning."""
    key = SigningKey(seed)
    signature = key.sign(b"message")
    flipped = bytearray(signature)
    flipped[signature_bit // 8] ^= 1 << signature_bit % 8
    assert not is_signature_valid(key.public, b"message", bytes(flipped))
    other = bytearray(key.public)
    other[key_bit // 8] ^= 1 << key_bit % 8
    assert not is_signature_valid(bytes(other), b"message", signature)


def test_a_signature_that_does_not_hold_is_refused_with_its_code():
    """The one code for it is `signature_invalid`."""
    with pytest.raises(IdentityError) as refusal:
        verify_signature(SigningKey(bytes(32)).public, b"message", bytes(64))
    assert refusal.value.code == "signature_invalid"


@pytest.mark.parametrize("length", [0, 31, 33, 63, 65])
def test_keys_and_signatures_of_other_lengths_are_refused(length):
    """Neither shortened nor padded bytes are looked at."""
    key = SigningKey(bytes(32))
    assert not is_signature_valid(key.public, b"", bytes(length))
    assert not is_signature_valid(bytes(length), b"", key.sign(b""))
    assert is_refused(check_signing_key, bytes(length))
    assert is_refused(check_sealing_key, bytes(length))


def test_every_spelling_of_a_point_of_small_order_is_refused():
    """All eight points, in all their spellings, are no keys: they make signatures that fit any message."""
    encodings = small_order_encodings()
    assert len(encodings) == 14
    for public in encodings:
        assert is_refused(check_signing_key, public)
        for r in encodings:
            assert not is_signature_valid(public, b"any message", r + bytes(32))


def test_every_key_that_is_not_canonical_is_refused():
    """y from p to 2^255 - 1 is another spelling of a small y, in either sign."""
    for y in range(P, 1 << 255):
        for sign in (0, 1):
            assert is_refused(check_signing_key, (y | sign << 255).to_bytes(32, "little"))


def test_a_declared_key_is_refused_exactly_where_no_point_is():
    """The check of a declared key and the second implementation agree on every small y."""
    for y in range(2, 300):
        public = y.to_bytes(32, "little")
        assert is_refused(check_signing_key, public) == (by_the_book.decompress(public) is None)


def test_the_specification_prints_the_numbers_of_small_order():
    """The printed y and u are refused; they are those of points of order 8."""
    for number in worked_example("small-order").values():
        public = int(number, 16).to_bytes(32, "little")
        assert by_the_book.has_small_order(by_the_book.decompress(public))
        assert is_refused(check_signing_key, public)
    for number in worked_example("small-order-x25519").values():
        assert is_refused(check_sealing_key, int(number, 16).to_bytes(32, "little"))


def test_a_secret_does_not_stand_in_what_a_key_prints():
    """A key that lands in a log line shows its public half."""
    seed = bytes(range(32))
    for key in (SigningKey(seed), ReaderKey(seed)):
        assert seed.hex() not in repr(key)
        assert not hasattr(key, "__dict__")


def test_the_wycheproof_cases_have_their_verdicts(shared_data):
    """Each public case comes out as its authors say, and as the second implementation says."""
    groups = json.loads(shared_data("hostile/wycheproof_ed25519_test.json").read_text())["testGroups"]
    cases = [(bytes.fromhex(group["publicKey"]["pk"]), case) for group in groups for case in group["tests"]]
    assert len(cases) == 151
    for public, case in cases:
        message, signature = bytes.fromhex(case["msg"]), bytes.fromhex(case["sig"])
        verdict = is_signature_valid(public, message, signature)
        assert verdict == (case["result"] == "valid"), case["comment"]
        assert verdict == by_the_book.is_valid(public, message, signature), case["comment"]


def test_the_speccheck_cases_come_out_as_section_4_says(shared_data):
    """Of twelve cases on which libraries differ, those with a usable key and a match of R hold."""
    cases = json.loads(shared_data("hostile/ed25519_speccheck_cases.json").read_text())
    verdicts = []
    for case in cases:
        public, message, signature = (bytes.fromhex(case[key]) for key in ("pub_key", "message", "signature"))
        verdicts.append(is_signature_valid(public, message, signature))
        assert verdicts[-1] == by_the_book.is_valid(public, message, signature)
    assert verdicts == [False, False, True, True] + [False] * 8


def test_the_wycheproof_exchange_keys_without_a_secret_are_refused(shared_data):
    """A reader's key with which every exchange gives zero is refused before anything is wrapped for it."""
    groups = json.loads(shared_data("hostile/wycheproof_x25519_test.json").read_text())["testGroups"]
    cases = [case for group in groups for case in group["tests"]]
    assert len(cases) == 518
    for case in cases:
        public = bytes.fromhex(case["public"])
        weak = "LowOrderPublic" in case["flags"] or "ZeroSharedSecret" in case["flags"]
        canonical = int.from_bytes(public, "little") < P
        assert is_refused(check_sealing_key, public) == (weak or not canonical), case["comment"]
