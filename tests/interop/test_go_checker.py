"""A Go program on x/mod, which shares no code with us, checks a lane of ours and refuses a changed byte."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from protocol.identity.keys import SigningKey
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.cosignature import make_cosignature
from protocol.log.merkle import CompactRange, inclusion_proof, leaf_hashes, subtree_root
from protocol.log.note import ED25519, VerifierKey, format_note, parse_note
from protocol.log.proof import TlogProof, format_proof
from protocol.log.tiles import (
    TILE_HEIGHT,
    TILE_WIDTH,
    entry_bundle_path,
    pack_entries,
    pack_tile,
    tile_path,
    tile_width,
)

GO_PATH = Path("/usr/share/gocode")  # where Debian puts Go libraries
ORIGIN = "wildgrass/v1/" + "a" * 52 + "/0/market/food"
KEY = SigningKey(b"\x21" * 32)
WITNESS_KEY = SigningKey(b"\x22" * 32)
VKEY = VerifierKey(ORIGIN, ED25519, KEY.public).vkey
ENTRIES = [b"entry %d " % number * (number % 7) for number in range(700)]
PROVEN = [0, 1, 255, 256, 511, 512, 513, 698, 699]


@pytest.fixture(scope="module")
def checker(tmp_path_factory) -> Path:
    """The compiled Go program, or a skip where Go or x/mod is not installed."""
    go = shutil.which("go")
    if go is None:
        pytest.skip("Go is not installed (Debian: golang-go)")
    if not (GO_PATH / "src/golang.org/x/mod/sumdb/tlog").is_dir():
        pytest.skip("x/mod is not installed (Debian: golang-golang-x-mod-dev)")
    folder = tmp_path_factory.mktemp("go")
    environment = os.environ | {
        "GO111MODULE": "off",
        "GOPATH": str(GO_PATH),
        "GOCACHE": str(folder / "cache"),
        "GOFLAGS": "",
        "CGO_ENABLED": "0",
    }
    program = folder / "check_lane"
    source = Path(__file__).with_name("check_lane.go")
    subprocess.run([go, "build", "-o", program, source], env=environment, check=True, timeout=300)
    return program


@pytest.fixture(scope="module")
def lane(tmp_path_factory) -> Path:
    """A lane of 700 entries as static files: cosigned checkpoint, tiles, bundles and some receipts."""
    folder = tmp_path_factory.mktemp("lane")
    leaves = leaf_hashes(ENTRIES)
    compact = CompactRange()
    compact.extend(leaves)
    checkpoint = make_checkpoint_note(Checkpoint(ORIGIN, compact.size, compact.root()), KEY)
    note = parse_note(checkpoint)
    cosignature = make_cosignature(note.text, name="peer.example/witness", key=WITNESS_KEY, time_seconds=1)
    checkpoint = format_note(note.with_signatures(cosignature))
    files = {"checkpoint": checkpoint}
    for start in range(0, len(ENTRIES), TILE_WIDTH):
        index = start // TILE_WIDTH
        entries = ENTRIES[start : start + TILE_WIDTH]
        files[entry_bundle_path(index, len(entries))] = pack_entries(entries)
    hashes = leaves
    for level in range(2):
        for index in range(0, len(hashes), TILE_WIDTH):
            width = tile_width(len(ENTRIES), level, index // TILE_WIDTH)
            files[tile_path(level, index // TILE_WIDTH, width)] = pack_tile(hashes[index : index + width])
        full = len(hashes) >> TILE_HEIGHT
        hashes = [subtree_root(hashes[at * TILE_WIDTH : (at + 1) * TILE_WIDTH]) for at in range(full)]
    for index in PROVEN:
        path = inclusion_proof(
            index, len(leaves), lambda level, at: subtree_root(leaves[at << level : (at + 1) << level])
        )
        proof = TlogProof(index, tuple(path), checkpoint, ENTRIES[index])
        files[f"proofs/{index}.tlog-proof"] = format_proof(proof)
    for name, raw in files.items():
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(raw)
    return folder


def run(checker: Path, folder: Path, vkey: str = VKEY) -> subprocess.CompletedProcess[str]:
    return subprocess.run([checker, folder, vkey], capture_output=True, text=True, check=False, timeout=60)


def test_go_accepts_a_lane_of_ours(checker, lane):
    """Checkpoint, every tile, every entry and every receipt hold for a checker without our code."""
    result = run(checker, lane)
    assert result.returncode == 0, result.stderr
    lines = result.stdout.splitlines()
    assert lines[:4] == [
        "ok checkpoint 700",
        "ok bundle 0: 256 entries",
        "ok bundle 1: 256 entries",
        "ok bundle 2: 188 entries",
    ]
    assert sorted(lines[4:]) == sorted(f"ok {index}.tlog-proof" for index in PROVEN)


@pytest.mark.parametrize(
    ("name", "place"),
    [
        ("checkpoint", 90),
        ("checkpoint", 150),
        ("tile/0/000", 1000),
        ("tile/0/001", 8191),
        ("tile/0/002.p/188", 0),
        ("tile/1/000.p/2", 40),
        ("tile/entries/000", 5000),
        ("tile/entries/002.p/188", -1),
        ("proofs/513.tlog-proof", 40),
        ("proofs/513.tlog-proof", 150),
        ("proofs/699.tlog-proof", -200),
    ],
)
def test_go_refuses_a_changed_byte(checker, lane, tmp_path, name, place):
    """One byte changed in any kind of file ends the check with 1."""
    copy = tmp_path / "lane"
    shutil.copytree(lane, copy)
    raw = bytearray((copy / name).read_bytes())
    raw[place] ^= 1
    (copy / name).write_bytes(raw)
    result = run(checker, copy)
    assert result.returncode == 1
    assert result.stderr


def test_go_refuses_another_key(checker, lane):
    """A checkpoint is nothing without the key of its lane."""
    other = VerifierKey(ORIGIN, ED25519, WITNESS_KEY.public).vkey
    assert run(checker, lane, other).returncode == 1
