"""Signed notes: the frozen vector byte for byte, and what is refused with which code."""

import re
from base64 import b64decode, b64encode

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import IdentityError, LogError
from protocol.identity.keys import SigningKey
from protocol.limits import NOTE_BYTES_MAX, NOTE_SIGNATURES_MAX, TREE_SIZE_MAX
from protocol.log.lines import check_key_name, from_base64, parse_decimal, to_base64
from protocol.log.note import (
    COSIGNATURE_V1,
    ED25519,
    Note,
    NoteSignature,
    VerifierKey,
    format_note,
    key_id,
    parse_note,
    parse_signature_lines,
    sign_note,
    verify_note,
)

NAME = "coop.example"
KEY = SigningKey(bytes(range(32)))
VERIFIER = VerifierKey(NAME, ED25519, KEY.public)
OTHER_KEY = SigningKey(b"\x02" * 32)
OTHER = VerifierKey("other.example", ED25519, OTHER_KEY.public)
NOTE = sign_note(Note("hello\n"), name=NAME, key=KEY)

# What the Unicode property White_Space lists from U+0020 on; PROTOCOL.md section 5 prints the same.
SPACES = "\u0020\u0085\u00a0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006\u2007\u2008\u2009\u200a"
SPACES += "\u2028\u2029\u202f\u205f\u3000"


def refusal(action, *arguments, **named) -> str:
    with pytest.raises(LogError) as caught:
        action(*arguments, **named)
    return caught.value.code


def signature_line(name: str = "a", raw: bytes = b"12345") -> str:
    return f"— {name} {b64encode(raw).decode()}\n"


def test_a_note_comes_back_and_verifies():
    """Format and parse are each other's inverse; the verifier names who signed."""
    raw = format_note(NOTE)
    assert parse_note(raw) == NOTE
    assert format_note(parse_note(raw)) == raw
    assert verify_note(parse_note(raw), [OTHER, VERIFIER]) == (VERIFIER,)


def test_the_text_may_hold_empty_lines():
    """The last empty line parts text and signatures, whatever the text looks like."""
    for text in ("\n", "\n\n", "one\n\ntwo\n", "— looks like a line\n", "one\n\n— b MTIzNDU=\n"):
        note = sign_note(Note(text), name=NAME, key=KEY)
        assert parse_note(format_note(note)) == note


@settings(max_examples=200, deadline=None)
@given(st.text(max_size=60), st.lists(st.sampled_from(["a", "b.example/x", "名"]), min_size=1, max_size=4))
def test_every_legal_note_comes_back(text, names):
    """Any text without control characters survives the bytes of a note."""
    text = re.sub(r"[\x00-\x09\x0b-\x1f\ud800-\udfff]", "", text) + "\n"
    note = Note(text, tuple(NoteSignature(name, b"\x00\x01\x02\x03", name.encode()) for name in names))
    assert parse_note(format_note(note)) == note


@settings(max_examples=300, deadline=None)
@given(st.binary(max_size=80) | st.text(alphabet="a\n— 5=Q", max_size=40).map(str.encode))
def test_whatever_note_is_accepted_formats_to_the_same_bytes(raw):
    """Garbage is refused with a code; what is accepted has exactly these bytes."""
    try:
        note = parse_note(raw)
    except LogError:
        return
    assert format_note(note) == raw


def test_every_flipped_bit_of_a_note_is_refused():
    """With one signer there is no bit that may change: text, name, key id, signature or padding."""
    raw = format_note(NOTE)
    for place in range(len(raw)):
        for bit in range(8):
            changed = raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]
            with pytest.raises(LogError):
                verify_note(parse_note(changed), [VERIFIER])


@pytest.mark.parametrize(
    ("raw", "code"),
    [
        (b"", "note_malformed"),
        (b"hello\n", "note_malformed"),
        (b"hello\n\n", "note_malformed"),
        ("\n" + signature_line(), "note_malformed"),
        ("hello\n" + signature_line(), "note_malformed"),
        ("hello\n\n" + signature_line()[:-1], "note_malformed"),
        (b"\xff\n\n" + signature_line().encode(), "note_malformed"),
        ("hello\r\n\n" + signature_line(), "text_character_refused"),
        ("hel\tlo\n\n" + signature_line(), "text_character_refused"),
        ("hello\n\n" + signature_line("a\x00"), "text_character_refused"),
        ("hello\n\n- a MTIzNDU=\n", "note_signature_malformed"),
        ("hello\n\n—a MTIzNDU=\n", "note_signature_malformed"),
        ("hello\n\n— a\n", "note_signature_malformed"),
        ("hello\n\n— a MTIzNA==\n", "note_signature_malformed"),
        ("hello\n\n— a MTI=\n", "note_signature_malformed"),
        ("hello\n\n— a \n", "note_signature_malformed"),
        ("hello\n\n—  MTIzNDU=\n", "key_name_malformed"),
        ("hello\n\n— a+b MTIzNDU=\n", "key_name_malformed"),
        ("hello\n\n— a\u00a0b MTIzNDU=\n", "key_name_malformed"),
        ("hello\n\n" + signature_line("x" * 256), "key_name_malformed"),
        ("hello\n\n— a MTIzNDU\n", "base64_malformed"),
        ("hello\n\n— a MTIzNDV=\n", "base64_malformed"),
        ("hello\n\n— a MTIzNDU= \n", "base64_malformed"),
        ("hello\n\n— a b MTIzNDU=\n", "base64_malformed"),
        ("hello\n\n" + signature_line() * (NOTE_SIGNATURES_MAX + 1), "note_signatures_too_many"),
        ("x" * NOTE_BYTES_MAX + "\n\n" + signature_line(), "note_too_large"),
    ],
)
def test_a_malformed_note_has_its_code(raw, code):
    """What is no note is refused with the code that says where it fails."""
    assert refusal(parse_note, raw.encode() if isinstance(raw, str) else raw) == code


def test_a_note_holds_sixteen_signatures_and_more():
    """The specification asks for 16; ours holds 64, of which unknown ones are ignored."""
    crowd = [NoteSignature(f"w{number}", b"abcd", b"x") for number in range(NOTE_SIGNATURES_MAX - 1)]
    note = parse_note(format_note(NOTE.with_signatures(*crowd)))
    assert verify_note(note, [VERIFIER]) == (VERIFIER,)
    assert refusal(note.with_signatures, crowd[0]) == "note_signatures_too_many"


def test_unknown_signers_are_ignored_and_a_known_one_that_fails_is_not():
    """A stranger cannot spoil a note with his own name; a false line of a known key refuses it whole."""
    stranger = NoteSignature("stranger.example", b"abcd", b"x" * 64)
    same_name = NoteSignature(NAME, b"abcd", b"x" * 64)
    same_id = NoteSignature("stranger.example", VERIFIER.key_id, b"x" * 64)
    note = NOTE.with_signatures(stranger, same_name, same_id)
    assert verify_note(note, [VERIFIER]) == (VERIFIER,)
    forged = NoteSignature(NAME, VERIFIER.key_id, b"x" * 64)
    assert refusal(verify_note, NOTE.with_signatures(forged), [VERIFIER]) == "note_signature_invalid"
    assert refusal(verify_note, Note("hello\n", (forged, *NOTE.signatures)), [VERIFIER]) == (
        "note_signature_invalid"
    )
    empty = NoteSignature(NAME, VERIFIER.key_id, b"x")
    assert refusal(verify_note, Note("hello\n", (empty,)), [VERIFIER]) == "note_signature_invalid"


def test_a_note_that_no_known_key_signed_is_refused():
    """None verified is as bad as one that fails."""
    assert refusal(verify_note, NOTE, [OTHER]) == "note_not_signed"
    assert refusal(verify_note, NOTE, []) == "note_not_signed"
    assert refusal(verify_note, Note("hello\n"), [VERIFIER]) == "note_not_signed"
    assert refusal(format_note, Note("hello\n")) == "note_malformed"


def test_several_signers_are_named_once_each_in_order():
    """A quorum counts distinct keys: signing twice does not count twice."""
    note = sign_note(sign_note(NOTE, name=OTHER.name, key=OTHER_KEY), name=NAME, key=KEY)
    assert len(note.signatures) == 3
    assert verify_note(note, [OTHER, VERIFIER, OTHER]) == (VERIFIER, OTHER)


def test_two_known_keys_of_one_name_and_id_are_refused():
    """Key ids have 32 bits, so two keys can share one; no line could say which is meant."""
    seen: dict[bytes, VerifierKey] = {}
    key = VERIFIER
    for number in range(400_000):
        key = VerifierKey("a", ED25519, number.to_bytes(32, "big"))
        if key.key_id in seen:
            break
        seen[key.key_id] = key
    else:
        pytest.fail("no collision among 400,000 key ids, against odds of e^18")
    twin = seen[key.key_id]
    assert twin != key
    assert refusal(verify_note, NOTE, [VERIFIER, key, twin]) == "verifier_keys_ambiguous"


def test_a_key_signs_only_under_its_own_type():
    """An Ed25519 note signature is not a cosignature: the key ids differ, and so do the messages."""
    as_witness = VerifierKey(NAME, COSIGNATURE_V1, KEY.public)
    assert as_witness.key_id != VERIFIER.key_id
    assert refusal(verify_note, NOTE, [as_witness]) == "note_not_signed"
    line = NOTE.signatures[0]
    for signature in (line.signature, b"\x00" * 8 + line.signature, b"\xff" * 8 + line.signature, b"\x00"):
        moved = NoteSignature(NAME, as_witness.key_id, signature)
        assert refusal(verify_note, Note(NOTE.text, (moved,)), [as_witness]) == "note_signature_invalid"


def test_verifier_keys_have_one_text():
    """vkey texts come back; each way of being wrong is refused."""
    vkey = "coop.example/greenmarket+8b9de697+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
    key = VerifierKey.from_vkey(vkey)
    assert key == VerifierKey("coop.example/greenmarket", ED25519, KEY.public)
    assert key.vkey == vkey
    assert key.key_id == key_id(key.name, ED25519, KEY.public) == bytes.fromhex("8b9de697")
    name, hexadecimal, encoded = vkey.split("+", 2)
    for wrong, code in [
        (f"{name}+8b9de698+{encoded}", "verifier_key_malformed"),
        (f"{name}+8B9DE697+{encoded}", "verifier_key_malformed"),
        (f"{name}x+{hexadecimal}+{encoded}", "verifier_key_malformed"),
        (f"{name}+{hexadecimal}+{encoded}+", "base64_malformed"),
        (f"{name}+{hexadecimal}+", "verifier_key_malformed"),
        (f"{name}+{hexadecimal}", "verifier_key_malformed"),
        (f"{name}+{hexadecimal}+{encoded[:-4]}", "verifier_key_malformed"),
        (f"{name}+{hexadecimal}+Bg{encoded[2:]}", "verifier_key_malformed"),
        (f"+{hexadecimal}+{encoded}", "key_name_malformed"),
        (f"a b+{hexadecimal}+{encoded}", "key_name_malformed"),
        ("", "verifier_key_malformed"),
    ]:
        assert refusal(VerifierKey.from_vkey, wrong) == code, wrong
    unusable = VerifierKey("a", ED25519, b"\x01" + b"\x00" * 31)
    with pytest.raises(IdentityError) as caught:
        VerifierKey.from_vkey(unusable.vkey)
    assert caught.value.code == "key_refused"


def test_a_witness_answers_with_signature_lines_alone():
    """The end of a note is read by itself, with the same rules."""
    lines = "".join(signature.line for signature in NOTE.signatures)
    assert parse_signature_lines(lines) == NOTE.signatures
    assert refusal(parse_signature_lines, "") == "note_malformed"
    assert refusal(parse_signature_lines, "\n") == "note_signature_malformed"
    assert refusal(parse_signature_lines, lines + "\n") == "note_signature_malformed"


def test_names_hold_no_space_of_any_script():
    """Python's notion of a space is the listed one, and each is refused in a name."""
    spaces = {chr(point) for point in range(0x20, 0x110000) if chr(point).isspace()}
    assert spaces == set(SPACES)
    for character in [*SPACES, "+", "\n", "\x00", "\x1f", "\ud800"]:
        assert refusal(check_key_name, f"a{character}b") in ("key_name_malformed", "text_character_refused")
    check_key_name("x" * 255)
    assert refusal(check_key_name, "名" * 86) == "key_name_malformed"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="0123456789+-_ .٣²x", max_size=18) | st.integers(-5, 2**60).map(str))
def test_a_number_is_accepted_only_if_printing_it_gives_the_same_text(text):
    """Signs, zeros in front, spaces, underscores and digits of other scripts are refused."""
    try:
        number = parse_decimal(text, maximum=TREE_SIZE_MAX)
    except LogError:
        assert not re.fullmatch(r"0|[1-9][0-9]{0,13}", text)
        return
    assert str(number) == text
    assert 0 <= number <= TREE_SIZE_MAX


def test_numbers_end_at_their_maximum():
    """The largest is accepted, the next is not."""
    assert parse_decimal(str(TREE_SIZE_MAX), maximum=TREE_SIZE_MAX) == TREE_SIZE_MAX
    assert refusal(parse_decimal, str(TREE_SIZE_MAX + 1), maximum=TREE_SIZE_MAX) == "number_malformed"
    assert refusal(parse_decimal, "9" * 5000, maximum=TREE_SIZE_MAX) == "number_malformed"


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="ABQgw+/=-_\n é", max_size=9))
def test_base64_is_accepted_only_in_its_one_spelling(text):
    """Missing padding, stray bits, other alphabets and line breaks are refused."""
    try:
        raw = from_base64(text)
    except LogError:
        return
    assert to_base64(raw) == text
    assert b64decode(text) == raw
