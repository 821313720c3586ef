"""Checkpoints and cosignatures: the frozen vector byte for byte, and what is refused with which code."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import LogError
from protocol.identity.keys import SigningKey
from protocol.limits import TREE_SIZE_MAX
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note, open_checkpoint, parse_checkpoint
from protocol.log.cosignature import cosignature_times, make_cosignature, witnessed_time
from protocol.log.lines import to_base64
from protocol.log.merkle import EMPTY_ROOT, leaf_hash
from protocol.log.note import (
    COSIGNATURE_V1,
    ED25519,
    Note,
    NoteSignature,
    VerifierKey,
    cosignature_time,
    cosigned_message,
    format_note,
    parse_note,
    sign_note,
    verify_note,
)

# The vector that other implementations accepted: one entry `hello`, cosigned at 1,700,000,000.
ORIGIN = "coop.example/greenmarket"
WITNESS_NAME = "peer1.example/witness"
LOG_VKEY = "coop.example/greenmarket+8b9de697+AQOhB7/zzhC+HXDdGOdLwJln5NYwm6UNXx3chmQSVTG4"
WITNESS_VKEY = "peer1.example/witness+6a8c86d8+BIqI4910CfGV/VLbLTy6XXLKZwm/HZQSG/N0iAG0D29c"
TEXT = "coop.example/greenmarket\n1\niipcm3aIJ95alVLDigRMZpWcaPbS8htSYK9U0vh9uCc=\n"
LOG_LINE = (
    "— coop.example/greenmarket i53ml/rsbs3bY323DKtfNDWEQ8PzAOKOpZB0mF6k5VEy+Q7jfE8gfluHlHUv7geA"
    "PwCKnIiKb7R6llLupDdYBvBSQwQ=\n"
)
WITNESS_LINE = (
    "— peer1.example/witness aoyG2AAAAABlU/EADYDzKgvoM7nafMlVL4A++EBF5B3XlqLweGV4YCXiPTb+Ip4CupY"
    "M5uZNZcikjbBQCUMnKbAfK62idDNs5CHFCQ==\n"
)
COSIGNED = (TEXT + "\n" + LOG_LINE + WITNESS_LINE).encode()
COSIGNED_AT = 1_700_000_000

LOG_KEY = SigningKey(bytes(range(32)))
WITNESS_KEY = SigningKey(b"\x01" * 32)
LOG = VerifierKey.from_vkey(LOG_VKEY)
WITNESS = VerifierKey.from_vkey(WITNESS_VKEY)
CHECKPOINT = Checkpoint(ORIGIN, 1, leaf_hash(b"hello"))
ROOT_TEXT = to_base64(CHECKPOINT.root)


def refusal(action, *arguments, **named) -> str:
    with pytest.raises(LogError) as caught:
        action(*arguments, **named)
    return caught.value.code


def witness(number: int) -> tuple[VerifierKey, SigningKey]:
    key = SigningKey(bytes([number]) * 32)
    return VerifierKey(f"peer{number}.example/witness", COSIGNATURE_V1, key.public), key


def cosigned_at(times: dict[int, list[int]]) -> Note:
    """The checkpoint's note with cosignatures of witness `number` at each of its times."""
    note = parse_note(make_checkpoint_note(CHECKPOINT, LOG_KEY))
    for number, seconds in times.items():
        verifier, key = witness(number)
        for time_seconds in seconds:
            note = note.with_signatures(
                make_cosignature(note.text, name=verifier.name, key=key, time_seconds=time_seconds)
            )
    return note


def test_the_frozen_vector_is_made_byte_for_byte():
    """Our signer and our witness write exactly the note that other implementations accepted."""
    raw = make_checkpoint_note(CHECKPOINT, LOG_KEY)
    assert raw == (TEXT + "\n" + LOG_LINE).encode()
    note = parse_note(raw)
    line = make_cosignature(note.text, name=WITNESS_NAME, key=WITNESS_KEY, time_seconds=COSIGNED_AT)
    assert line.line == WITNESS_LINE
    assert format_note(note.with_signatures(line)) == COSIGNED
    assert (LOG_KEY.public, WITNESS_KEY.public) == (LOG.public, WITNESS.public)
    assert (LOG.vkey, WITNESS.vkey) == (LOG_VKEY, WITNESS_VKEY)
    assert (LOG.type, WITNESS.type) == (ED25519, COSIGNATURE_V1)


def test_the_frozen_vector_is_read():
    """Size, root, log signature and cosignature time come out of its bytes."""
    assert open_checkpoint(COSIGNED, ORIGIN, LOG_KEY.public) == CHECKPOINT
    note = parse_note(COSIGNED)
    assert verify_note(note, [WITNESS, LOG]) == (LOG, WITNESS)
    assert cosignature_times(note, [LOG, WITNESS]) == {WITNESS: COSIGNED_AT}
    assert witnessed_time(note, [WITNESS], threshold=1) == COSIGNED_AT
    assert cosigned_message(note.text, COSIGNED_AT) == b"cosignature/v1\ntime 1700000000\n" + TEXT.encode()
    assert cosignature_time(note.signatures[1].signature) == COSIGNED_AT


def test_every_flipped_bit_of_a_cosigned_checkpoint_loses_a_signer():
    """A bit changed anywhere refuses the note or leaves fewer than both signers."""
    for place in range(len(COSIGNED)):
        for bit in range(8):
            changed = COSIGNED[:place] + bytes([COSIGNED[place] ^ 1 << bit]) + COSIGNED[place + 1 :]
            try:
                signers = verify_note(parse_note(changed), [LOG, WITNESS])
            except LogError:
                continue
            assert len(signers) < 2, (place, bit)


@settings(max_examples=100, deadline=None)
@given(st.integers(1, TREE_SIZE_MAX), st.binary(min_size=32, max_size=32))
def test_every_checkpoint_comes_back(size, root):
    """Text and value are each other's inverse for every size."""
    checkpoint = Checkpoint("wildgrass/v1/abc/0/market/food", size, root)
    assert parse_checkpoint(checkpoint.text) == checkpoint


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="o\n0157 =+é", max_size=12).map(lambda start: start + f"\n{ROOT_TEXT}\n"))
def test_whatever_checkpoint_is_accepted_prints_the_same(text):
    """Garbage is refused with a code; what is accepted has exactly this text."""
    try:
        checkpoint = parse_checkpoint(text)
    except LogError:
        return
    assert checkpoint.text == text


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "checkpoint_malformed"),
        ("o\n1\n", "checkpoint_malformed"),
        (f"o\n1\n{ROOT_TEXT}", "checkpoint_malformed"),
        (f"o\n1\n{ROOT_TEXT}\n\n", "checkpoint_malformed"),
        (f"o\n1\n{ROOT_TEXT}\nextension\n", "checkpoint_malformed"),
        (f"\n1\n{ROOT_TEXT}\n", "key_name_malformed"),
        (f"o o\n1\n{ROOT_TEXT}\n", "key_name_malformed"),
        (f"o+o\n1\n{ROOT_TEXT}\n", "key_name_malformed"),
        (f"{'o' * 256}\n1\n{ROOT_TEXT}\n", "key_name_malformed"),
        (f"o\n\n{ROOT_TEXT}\n", "number_malformed"),
        (f"o\n01\n{ROOT_TEXT}\n", "number_malformed"),
        (f"o\n+1\n{ROOT_TEXT}\n", "number_malformed"),
        (f"o\n-1\n{ROOT_TEXT}\n", "number_malformed"),
        (f"o\n1 \n{ROOT_TEXT}\n", "number_malformed"),
        (f"o\n1_0\n{ROOT_TEXT}\n", "number_malformed"),
        (f"o\n١\n{ROOT_TEXT}\n", "number_malformed"),
        (f"o\n0x1\n{ROOT_TEXT}\n", "number_malformed"),
        (f"o\n{TREE_SIZE_MAX + 1}\n{ROOT_TEXT}\n", "number_malformed"),
        (f"o\n1\n{ROOT_TEXT[:-1]}\n", "base64_malformed"),
        (f"o\n1\n{ROOT_TEXT.rstrip('=')}\n", "base64_malformed"),
        ("o\n1\naGVsbG8=\n", "tree_hash_length"),
        ("o\n1\n\n", "tree_hash_length"),
        (f"o\n0\n{ROOT_TEXT}\n", "checkpoint_empty_root"),
    ],
)
def test_a_malformed_checkpoint_has_its_code(text, code):
    """Whoever holds the log key and signs this gets no further than the parser."""
    assert refusal(parse_checkpoint, text) == code
    if text.endswith("\n"):
        raw = format_note(sign_note(Note(text), name=ORIGIN, key=LOG_KEY))
        assert refusal(open_checkpoint, raw, ORIGIN, LOG_KEY.public) == code


def test_an_illegal_checkpoint_cannot_be_made():
    """Construction validates, so nothing that stands in a variable is out of range."""
    assert refusal(Checkpoint, ORIGIN, -1, EMPTY_ROOT) == "tree_size_range"
    assert refusal(Checkpoint, ORIGIN, TREE_SIZE_MAX + 1, EMPTY_ROOT) == "tree_size_range"
    assert Checkpoint(ORIGIN, 0, EMPTY_ROOT).text.endswith(
        "\n0\n47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU=\n"
    )


def test_a_checkpoint_of_another_lane_or_key_is_refused():
    """The origin that was asked for, its key name and its key must all be the ones in the note."""
    raw = make_checkpoint_note(CHECKPOINT, LOG_KEY)
    assert refusal(open_checkpoint, raw, ORIGIN, WITNESS_KEY.public) == "note_not_signed"
    assert refusal(open_checkpoint, raw, "coop.example/other", LOG_KEY.public) == "note_not_signed"
    other = Checkpoint("coop.example/other", 1, CHECKPOINT.root)
    moved = format_note(sign_note(Note(other.text), name=ORIGIN, key=LOG_KEY))
    assert refusal(open_checkpoint, moved, ORIGIN, LOG_KEY.public) == "checkpoint_other_origin"


def test_the_logs_line_may_stand_anywhere():
    """Signature 0 is not always the log's: the key id decides."""
    note = parse_note(COSIGNED)
    turned = Note(note.text, note.signatures[::-1])
    assert open_checkpoint(format_note(turned), ORIGIN, LOG_KEY.public) == CHECKPOINT
    assert witnessed_time(turned, [WITNESS], threshold=1) == COSIGNED_AT


def test_a_cosignature_binds_its_time_and_its_checkpoint():
    """Moving a cosignature to another time or another checkpoint refuses the note."""
    note = parse_note(COSIGNED)
    line = note.signatures[1]
    for time_seconds in (0, COSIGNED_AT + 1, 2**63 - 1, 2**63, 2**64 - 1):
        moved = NoteSignature(line.name, line.key_id, time_seconds.to_bytes(8, "big") + line.signature[8:])
        assert refusal(cosignature_times, Note(note.text, (moved,)), [WITNESS]) == "note_signature_invalid"
    grown = Note(Checkpoint(ORIGIN, 2, CHECKPOINT.root).text, note.signatures)
    assert refusal(cosignature_times, grown, [WITNESS]) == "note_signature_invalid"


def test_a_time_past_the_largest_is_refused_though_it_is_signed():
    """A cosignature's time ends at 2^63 - 1 in every implementation's numbers."""
    note = parse_note(COSIGNED)
    for time_seconds, verdict in ((2**63 - 1, None), (2**63, "note_signature_invalid")):
        signature = WITNESS_KEY.sign(cosigned_message(note.text, time_seconds))
        line = NoteSignature(WITNESS.name, WITNESS.key_id, time_seconds.to_bytes(8, "big") + signature)
        late = Note(note.text, (line,))
        if verdict is None:
            assert cosignature_times(late, [WITNESS]) == {WITNESS: time_seconds}
        else:
            assert refusal(cosignature_times, late, [WITNESS]) == verdict


def test_the_witnessed_time_is_what_enough_witnesses_agree_on():
    """Of each witness the newest time counts, of the witnesses the lowest among the newest q."""
    note = cosigned_at({1: [100, 300, 200], 2: [250], 3: [900]})
    witnesses = [witness(number)[0] for number in (1, 2, 3, 4)]
    assert cosignature_times(note, witnesses) == dict(zip(witnesses, [300, 250, 900], strict=False))
    assert [witnessed_time(note, witnesses, threshold=q) for q in (1, 2, 3)] == [900, 300, 250]
    assert refusal(witnessed_time, note, witnesses, threshold=4) == "cosignatures_too_few"
    assert refusal(witnessed_time, note, witnesses, threshold=0) == "cosignatures_too_few"
    assert witnessed_time(note, witnesses[:2], threshold=2) == 250


def test_only_pinned_witnesses_count():
    """Nobody's cosignature counts who was not named, the log's own signature never does."""
    note = cosigned_at({1: [100], 2: [200]})
    assert refusal(witnessed_time, note, [witness(3)[0]], threshold=1) == "note_not_signed"
    assert refusal(witnessed_time, note, [LOG], threshold=1) == "note_not_signed"
    assert witnessed_time(note, [LOG, witness(1)[0], witness(3)[0]], threshold=1) == 100
