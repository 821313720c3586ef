"""The worked examples of PROTOCOL.md sections 5 to 7 are what the code computes."""

from pathlib import Path

import pytest

from protocol.identity.keys import SigningKey
from protocol.limits import TILE_HEIGHT
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.cosignature import make_cosignature
from protocol.log.merkle import (
    EMPTY_ROOT,
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hash,
    leaf_hashes,
    range_root,
    subtree_root,
)
from protocol.log.note import COSIGNATURE_V1, ED25519, VerifierKey, format_note, parse_note
from protocol.log.proof import TlogProof, format_proof
from protocol.log.tiles import entry_bundle_path, pack_entries, right_edge, tile_path

LOG_KEY = SigningKey(bytes(range(32)))
WITNESS_KEY = SigningKey(b"\x01" * 32)
ORIGIN = "coop.example/greenmarket"
WITNESS_NAME = "peer1.example/witness"

ENTRIES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
LEAVES = leaf_hashes(ENTRIES)


@pytest.fixture(scope="module")
def section():
    """`section(5)` is the text of that section of PROTOCOL.md."""
    text = (Path(__file__).resolve().parents[2] / "PROTOCOL.md").read_text("utf-8")

    def of(number: int) -> str:
        return text[text.index(f"\n## {number}. ") : text.index(f"\n## {number + 1}. ")]

    return of


def perfect(level: int, index: int) -> bytes:
    return subtree_root(LEAVES[index << level : (index + 1) << level])


def test_the_note_of_section_5_is_ours(section):
    """Keys, key ids, the checkpoint and the cosignature stand in the text as the code makes them."""
    text = section(5)
    log = VerifierKey(ORIGIN, ED25519, LOG_KEY.public)
    witness = VerifierKey(WITNESS_NAME, COSIGNATURE_V1, WITNESS_KEY.public)
    for key in (log, witness):
        assert f"{key.public.hex()}\n" in text
        assert f" {key.key_id.hex()}\n" in text
        assert f" {key.vkey}\n" in text
    assert leaf_hash(b"hello").hex() in text
    raw = make_checkpoint_note(Checkpoint(ORIGIN, 1, leaf_hash(b"hello")), LOG_KEY)
    note = parse_note(raw)
    line = make_cosignature(note.text, name=WITNESS_NAME, key=WITNESS_KEY, time_seconds=1_700_000_000)
    assert f"```\n{format_note(note.with_signatures(line)).decode()}```\n" in text
    assert f"`{line.signature[:8].hex()}`" in text


def test_the_tree_of_section_6_is_ours(section):
    """Leaf hashes, roots, the compact range, a bundle and the right edges stand in the text."""
    text = section(6)
    assert EMPTY_ROOT.hex() in text
    for index, entry in enumerate(ENTRIES):
        shown = f"`{entry.hex()}`" if entry else "(empty)"
        root = subtree_root(LEAVES[: index + 1])
        assert f"| {index} | {shown} | `{LEAVES[index].hex()}` | `{root.hex()}` |\n" in text
    compact = CompactRange()
    compact.extend(LEAVES[:7])
    assert all(digest.hex() in text for digest in compact.hashes)
    assert f"`{entry_bundle_path(0, 4)}`" in text
    assert f"`{pack_entries(ENTRIES[:4]).hex()}`" in text
    for index in (0, 1000, 1234067):
        assert f"{index} is `{tile_path(0, index, 1 << TILE_HEIGHT).removeprefix('tile/0/')}`" in text
    for size in (0, 1, 255, 256, 257, 70_000):
        assert f"| {size:,} | {', '.join(map(str, right_edge(size))) or 'none'} |\n" in text


def test_the_proofs_of_section_7_are_ours(section):
    """Each proof of the table and the receipt stand in the text."""
    text = section(7)
    assert f"`{range_root(4, 7, perfect)[:4].hex()}`" in text
    proofs = {
        "inclusion of index 4 in size 7": inclusion_proof(4, 7, perfect),
        "inclusion of index 6 in size 7": inclusion_proof(6, 7, perfect),
        "inclusion of index 0 in size 1": inclusion_proof(0, 1, perfect),
        "consistency from 3 to 7": consistency_proof(3, 7, perfect),
        "consistency from 4 to 7": consistency_proof(4, 7, perfect),
        "consistency from 7 to 7": consistency_proof(7, 7, perfect),
    }
    for what, hashes in proofs.items():
        shown = " ".join(f"`{digest[:4].hex()}`" for digest in hashes) or "none"
        assert f"| {what} | {shown} |\n" in text
    raw = make_checkpoint_note(Checkpoint(ORIGIN, 1, leaf_hash(b"hello")), LOG_KEY)
    assert f"```\n{format_proof(TlogProof(0, (), raw, b'hello')).decode()}```\n" in text


def test_the_codes_of_the_log_stand_in_the_text(section):
    """Whoever writes a second implementation finds each code where it is raised."""
    text = section(5) + section(6) + section(7)
    source = Path(__file__).resolve().parents[2] / "protocol" / "log"
    for module in ("lines", "note", "checkpoint", "cosignature", "proof", "merkle", "tiles"):
        for part in (source / f"{module}.py").read_text("utf-8").split('LogError("')[1:]:
            assert f"`{part.split(chr(34))[0]}`" in text, part[:40]
