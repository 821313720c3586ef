"""The tlog-proof file: a receipt for one entry that anyone checks offline, and what is refused."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import LogError
from protocol.identity.keys import SigningKey
from protocol.limits import ENTRY_BYTES_MAX, PROOF_BYTES_MAX, PROOF_HASHES_MAX, TREE_SIZE_MAX
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.lines import to_base64
from protocol.log.merkle import inclusion_proof, leaf_hashes, subtree_root
from protocol.log.proof import TlogProof, format_proof, parse_proof, verify_proof

ORIGIN = "wildgrass/v1/abc/0/trade"
KEY = SigningKey(b"\x07" * 32)
ENTRIES = [b"entry %d" % number for number in range(7)]
LEAVES = leaf_hashes(ENTRIES)
CHECKPOINT = make_checkpoint_note(Checkpoint(ORIGIN, 7, subtree_root(LEAVES)), KEY)


def proof_of(index: int) -> TlogProof:
    path = inclusion_proof(index, 7, lambda level, at: subtree_root(LEAVES[at << level : (at + 1) << level]))
    return TlogProof(index, tuple(path), CHECKPOINT, ENTRIES[index])


def refusal(action, *arguments, **named) -> str:
    with pytest.raises(LogError) as caught:
        action(*arguments, **named)
    return caught.value.code


def verify(proof: TlogProof, entry: bytes) -> Checkpoint:
    return verify_proof(proof, entry=entry, origin=ORIGIN, log_public=KEY.public)


def test_every_receipt_comes_back_and_holds():
    """For each entry the file is read back, and its own entry stands at its index."""
    for index, entry in enumerate(ENTRIES):
        raw = format_proof(proof_of(index))
        proof = parse_proof(raw)
        assert proof == proof_of(index)
        assert (
            verify(proof, proof.extra) == verify(proof, entry) == Checkpoint(ORIGIN, 7, subtree_root(LEAVES))
        )
        for other in ENTRIES[:index] + ENTRIES[index + 1 :]:
            assert refusal(verify, proof, other) == "proof_root_mismatch"


def test_a_receipt_has_exactly_these_bytes():
    """The lines of the file are those of the specification; without extra the line is left out."""
    proof = proof_of(6)
    lines = [to_base64(digest) for digest in proof.hashes]
    head = "\n".join(["c2sp.org/tlog-proof@v1", f"extra {to_base64(ENTRIES[6])}", "index 6", *lines])
    assert format_proof(proof) == head.encode() + b"\n\n" + CHECKPOINT
    bare = TlogProof(0, (), CHECKPOINT)
    assert format_proof(bare) == b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + CHECKPOINT
    assert parse_proof(format_proof(bare)) == bare


def test_every_flipped_bit_of_a_receipt_is_refused():
    """There is no bit of the file, its entry included, that may change."""
    raw = format_proof(proof_of(4))
    for place in range(len(raw)):
        for bit in range(8):
            changed = raw[:place] + bytes([raw[place] ^ 1 << bit]) + raw[place + 1 :]
            with pytest.raises(LogError):
                verify_changed(changed)


def verify_changed(raw: bytes) -> None:
    proof = parse_proof(raw)
    verify(proof, proof.extra or b"")


def test_a_receipt_cut_short_is_refused():
    """No truncation of the file holds."""
    raw = format_proof(proof_of(4))
    for end in range(len(raw)):
        with pytest.raises(LogError):
            verify_changed(raw[:end])


@settings(max_examples=200, deadline=None)
@given(
    st.integers(0, TREE_SIZE_MAX - 1),
    st.lists(st.binary(min_size=32, max_size=32), max_size=PROOF_HASHES_MAX),
    st.binary(max_size=40),
    st.none() | st.binary(max_size=40),
)
def test_every_proof_comes_back(index, hashes, checkpoint, extra):
    """Whatever bytes stand for the checkpoint, the file gives the same proof again."""
    proof = TlogProof(index, tuple(hashes), checkpoint, extra)
    assert parse_proof(format_proof(proof)) == proof


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet="index extra\n0129A=", max_size=30))
def test_whatever_proof_is_accepted_formats_to_the_same_bytes(text):
    """Garbage is refused with a code; what is accepted has exactly these bytes."""
    raw = f"c2sp.org/tlog-proof@v1\n{text}\n\nwhatever".encode()
    try:
        proof = parse_proof(raw)
    except LogError:
        return
    assert format_proof(proof) == raw


HASH_LINE = to_base64(b"\x00" * 32)


@pytest.mark.parametrize(
    ("head", "code"),
    [
        ("", "proof_malformed"),
        ("c2sp.org/tlog-proof@v2\nindex 0", "proof_malformed"),
        ("c2sp.org/tlog-proof@v1\r\nindex 0", "proof_malformed"),
        ("c2sp.org/tlog-proof@v1", "proof_malformed"),
        ("c2sp.org/tlog-proof@v1\nextra aGVsbG8=", "proof_malformed"),
        ("c2sp.org/tlog-proof@v1\nindex 0\nextra aGVsbG8=", "base64_malformed"),
        ("c2sp.org/tlog-proof@v1\nextra aGVsbG8=\nextra aGVsbG8=\nindex 0", "proof_malformed"),
        ("c2sp.org/tlog-proof@v1\nextra aGVsbG8\nindex 0", "base64_malformed"),
        ("c2sp.org/tlog-proof@v1\nindex", "proof_malformed"),
        ("c2sp.org/tlog-proof@v1\nindex ", "number_malformed"),
        ("c2sp.org/tlog-proof@v1\nindex 00", "number_malformed"),
        ("c2sp.org/tlog-proof@v1\nindex -1", "number_malformed"),
        ("c2sp.org/tlog-proof@v1\nindex  1", "number_malformed"),
        (f"c2sp.org/tlog-proof@v1\nindex {TREE_SIZE_MAX}", "tree_index_range"),
        (f"c2sp.org/tlog-proof@v1\nindex {TREE_SIZE_MAX + 1}", "number_malformed"),
        (f"c2sp.org/tlog-proof@v1\n{HASH_LINE}\nindex 0", "proof_malformed"),
        ("c2sp.org/tlog-proof@v1\nindex 0\naGVsbG8=", "tree_hash_length"),
        (f"c2sp.org/tlog-proof@v1\nindex 0\n{HASH_LINE} ", "base64_malformed"),
        (f"c2sp.org/tlog-proof@v1\nindex 0\n{HASH_LINE}" + f"\n{HASH_LINE}" * 48, "proof_length"),
        ("c2sp.org/tlog-proof@v1\nindex é", "proof_malformed"),
    ],
)
def test_a_malformed_proof_has_its_code(head, code):
    """What is no proof is refused with the code that says where it fails."""
    assert refusal(parse_proof, head.encode() + b"\n\n" + CHECKPOINT) == code


def test_a_proof_without_its_checkpoint_is_refused():
    """The empty line and a note after it must be there."""
    assert refusal(parse_proof, b"c2sp.org/tlog-proof@v1\nindex 0\n") == "proof_malformed"
    assert refusal(verify, parse_proof(b"c2sp.org/tlog-proof@v1\nindex 0\n\n"), b"x") == "note_malformed"


def test_proofs_are_bounded():
    """The largest receipt fits its limit, and one byte more is not read."""
    largest = TlogProof(0, (b"\x00" * 32,) * PROOF_HASHES_MAX, b"x" * 65_536, b"x" * ENTRY_BYTES_MAX)
    assert len(format_proof(largest)) <= PROOF_BYTES_MAX
    assert refusal(parse_proof, b"x" * (PROOF_BYTES_MAX + 1)) == "proof_too_large"
    assert refusal(TlogProof, 0, (), b"", b"x" * (ENTRY_BYTES_MAX + 1)) == "proof_too_large"
    assert refusal(TlogProof, -1, (), b"") == "tree_index_range"


def test_a_proof_under_another_key_lane_or_size_is_refused():
    """The root that counts is the one that the log of this origin signed."""
    proof = proof_of(3)
    other_key = SigningKey(b"\x08" * 32)
    assert (
        refusal(verify_proof, proof, entry=ENTRIES[3], origin=ORIGIN, log_public=other_key.public)
        == "note_not_signed"
    )
    assert (
        refusal(verify_proof, proof, entry=ENTRIES[3], origin="elsewhere", log_public=KEY.public)
        == "note_not_signed"
    )
    small = make_checkpoint_note(Checkpoint(ORIGIN, 3, subtree_root(LEAVES[:3])), KEY)
    assert refusal(verify, TlogProof(3, proof.hashes, small), ENTRIES[3]) == "tree_index_range"
    assert refusal(verify, TlogProof(2, proof.hashes, small), ENTRIES[2]) == "proof_length"
