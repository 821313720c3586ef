"""Vectors of sections 5 to 7: notes, checkpoints, cosignatures, trees, proofs, tiles, bundles, receipts."""

from collections.abc import Iterator
from typing import Any

from protocol.identity.keys import SigningKey
from protocol.limits import NOTE_SIGNATURES_MAX, TREE_SIZE_MAX
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.cosignature import make_cosignature
from protocol.log.merkle import (
    CompactRange,
    consistency_proof,
    inclusion_proof,
    leaf_hashes,
    subtree_root,
)
from protocol.log.note import (
    COSIGNATURE_V1,
    ED25519,
    Note,
    NoteSignature,
    VerifierKey,
    format_note,
    parse_note,
    sign_note,
)
from protocol.log.proof import TlogProof, format_proof
from protocol.log.tiles import TileAddress, pack_entries, pack_tile, right_edge
from tests.golden.plain import Vector, Vectors, refused

LOG, WITNESS, SECOND_WITNESS = (
    SigningKey(bytes(range(32))),
    SigningKey(b"\x01" * 32),
    SigningKey(b"\x02" * 32),
)
ORIGIN = "coop.example/greenmarket"
LOG_KEY = VerifierKey(ORIGIN, ED25519, LOG.public)
WITNESS_KEY = VerifierKey("peer1.example/witness", COSIGNATURE_V1, WITNESS.public)
SECOND_KEY = VerifierKey("peer2.example/witness", COSIGNATURE_V1, SECOND_WITNESS.public)
ENTRIES = [b"entry %d" % number for number in range(300)]
LEAVES = leaf_hashes(ENTRIES)
SMALL = 9
Cases = list[dict[str, Any]]
COSIGNED_SECONDS = 1_700_000_000


def log_vectors() -> Vectors:
    """log/."""
    return dict([*_trees(), *_tiles(), *_notes(), *_checkpoints(), *_receipts()])


def node(level: int, index: int) -> bytes:
    return subtree_root(LEAVES[index << level : (index + 1) << level])


def root_of(size: int) -> bytes:
    return subtree_root(LEAVES[:size]) if size else CompactRange().root()


def _trees() -> Iterator[tuple[str, Vector]]:
    compact = CompactRange()
    cases = []
    for size in range(SMALL + 1):
        ranges = [digest.hex() for digest in compact.hashes]
        cases.append(
            {"entries": _hex(ENTRIES[:size]), "answer": {"root": compact.root().hex(), "range": ranges}}
        )
        compact.append(LEAVES[size])
    yield "log/root.json", _holds("The root of these entries, and the compact range.", "root", cases)
    cases = [
        {**_inclusion(index, size), "answer": "holds"}
        for size in range(1, SMALL + 1)
        for index in range(size)
    ]
    cases += [{**_inclusion(index, 300), "answer": "holds"} for index in (0, 255, 256, 299)]
    yield "log/inclusion.json", _holds("The leaf stands at its index.", "verify_inclusion", cases)
    cases = [
        {**_consistency(first, second), "answer": "holds"}
        for second in range(1, SMALL + 1)
        for first in range(1, second + 1)
    ]
    cases += [{**_consistency(first, 300), "answer": "holds"} for first in (1, 255, 256, 257)]
    yield (
        "log/consistency.json",
        _holds("The larger tree begins with the smaller.", "verify_consistency", cases),
    )
    yield from _refused_proofs()


def _refused_proofs() -> Iterator[tuple[str, Vector]]:
    good, more = _inclusion(4, 7), _consistency(3, 7)
    swapped = [good["proof"][1], good["proof"][0], *good["proof"][2:]]
    ways: dict[str, tuple[str, str, dict[str, Any]]] = {
        "size": ("a tree above the limit", "tree_size_range", {"size": TREE_SIZE_MAX + 1}),
        "index": ("the index is the size", "tree_index_range", {"index": 7}),
        "hash": ("a hash of 12 bytes", "tree_hash_length", {"root": "00" * 12}),
        "short": ("a hash is missing", "proof_length", {"proof": good["proof"][:-1]}),
        "long": ("a hash too many", "proof_length", {"proof": [*good["proof"], "00" * 32]}),
        "other-leaf": ("another entry", "proof_root_mismatch", {"leaf": LEAVES[5].hex()}),
        "other-index": ("another index", "proof_root_mismatch", {"index": 5}),
        "swapped": ("two hashes in the wrong order", "proof_root_mismatch", {"proof": swapped}),
    }
    for name, (why, code, changed) in ways.items():
        yield (
            f"log/refused/inclusion-{name}.json",
            refused("verify_inclusion", why, code, **{**good, **changed}),
        )
    ways = {
        "from-nothing": ("from size 0", "consistency_sizes", {"first": 0, "proof": []}),
        "backwards": ("to a smaller size", "consistency_sizes", {"first": 8}),
        "equal": ("equal sizes with two roots", "proof_root_mismatch", {"first": 7, "proof": []}),
        "equal-long": ("equal sizes with a hash", "proof_length", {"first": 7, "proof": ["00" * 32]}),
        "hash": ("a hash of 33 bytes", "tree_hash_length", {"proof": ["00" * 33, *more["proof"][1:]]}),
        "short": ("a hash is missing", "proof_length", {"proof": more["proof"][:-1]}),
        "first-root": ("another first root", "proof_root_mismatch", {"first_root": root_of(4).hex()}),
        "second-root": ("another second root", "proof_root_mismatch", {"second_root": root_of(8).hex()}),
    }
    for name, (why, code, changed) in ways.items():
        vector = refused("verify_consistency", why, code, **{**more, **changed})
        yield f"log/refused/consistency-{name}.json", vector


def _inclusion(index: int, size: int) -> dict[str, Any]:
    proof = _hex(inclusion_proof(index, size, node))
    return {
        "proof": proof,
        "leaf": LEAVES[index].hex(),
        "index": index,
        "size": size,
        "root": root_of(size).hex(),
    }


def _consistency(first: int, second: int) -> dict[str, Any]:
    return {
        "proof": _hex(consistency_proof(first, second, node)),
        "first": first,
        "second": second,
        "first_root": root_of(first).hex(),
        "second_root": root_of(second).hex(),
    }


def _tiles() -> Iterator[tuple[str, Vector]]:
    cases: Cases = []
    addresses = [
        *((0, 0, 256), (0, 273, 112), (1, 0, 1), (5, 0, 1), (0, 999, 256), (0, 1000, 256), (0, 1_234_067, 5)),
        *((None, 0, 256), (None, 1_000_000, 1)),
    ]
    for level, index, width in addresses:
        address = TileAddress(level, index, width)
        cases.append({"path": address.path, "answer": {"level": level, "index": index, "width": width}})
    yield "log/tile-paths.json", _holds("The path is the address, and back.", "parse_tile_path", cases)
    sizes = (0, 1, 255, 256, 257, 300, 65_536, 70_000)
    cases = [{"size": size, "answer": [list(tile) for tile in right_edge(size)]} for size in sizes]
    yield "log/right-edge.json", _holds("The partial tiles of this size.", "right_edge", cases)
    edge: dict[str, Any] = {"size": 300, "tiles": [_hex([node(8, 0)]), _hex(LEAVES[256:300])]}
    cases = [{**edge, "answer": root_of(300).hex()}]
    yield "log/right-edge-root.json", _holds("The right edge states the root.", "root_from_right_edge", cases)
    wrong = refused(
        "root_from_right_edge",
        "a tile of another width",
        "tile_edge_mismatch",
        **{**edge, "tiles": [edge["tiles"][0], edge["tiles"][1][:-1]]},
    )
    yield "log/refused/right-edge-width.json", wrong
    cases = [{"hex": pack_tile(LEAVES[256:300]).hex(), "width": 44, "answer": _hex(LEAVES[256:300])}]
    yield "log/tile.json", _holds("The hashes of a tile.", "unpack_tile", cases)
    short = pack_tile(LEAVES[256:300])[:-1].hex()
    yield (
        "log/refused/tile-length.json",
        refused("unpack_tile", "a byte short", "tile_length", hex=short, width=44),
    )
    yield from _bundles()
    paths = {
        "capital": ("tile/0/X001/000", "tile_path_malformed"),
        "leading-group": ("tile/0/x000/001", "tile_path_malformed"),
        "long-group": ("tile/0/1000", "tile_path_malformed"),
        "slash": ("/tile/0/000", "tile_path_malformed"),
        "level-two-digits": ("tile/00/000", "tile_path_malformed"),
        "width-0": ("tile/0/000.p/0", "tile_address_range"),
        "width-300": ("tile/0/000.p/300", "tile_address_range"),
        "width-full": ("tile/0/000.p/256", "tile_path_malformed"),
        "width-zero-first": ("tile/0/000.p/01", "tile_path_malformed"),
        "beyond": ("tile/6/000.p/2", "tile_address_range"),
        "endless": ("tile/0/" + "x001/" * 12 + "000", "tile_path_malformed"),
    }
    for name, (path, code) in paths.items():
        yield f"log/refused/path-{name}.json", refused("parse_tile_path", name, code, path=path)


def _bundles() -> Iterator[tuple[str, Vector]]:
    entries = [b"", b"\x00", b"\x20\x21", bytes(300)]
    packed = pack_entries(entries)
    cases = [{"hex": packed.hex(), "width": 4, "answer": _hex(entries)}]
    yield "log/entry-bundle.json", _holds("The entries of a bundle.", "unpack_entries", cases)
    ways: dict[str, tuple[str, bytes, int, str]] = {
        "count": ("a bundle of no entries", b"", 0, "bundle_count_range"),
        "short": ("the last entry is cut", packed[:-1], 4, "bundle_length"),
        "long": ("bytes behind the last entry", packed + b"\x00", 4, "bundle_length"),
        "fewer": ("fewer entries than the size says", packed, 5, "bundle_length"),
    }
    for name, (why, raw, width, code) in ways.items():
        yield (
            f"log/refused/bundle-{name}.json",
            refused("unpack_entries", why, code, hex=raw.hex(), width=width),
        )


def checkpoint_note() -> bytes:
    return make_checkpoint_note(Checkpoint(ORIGIN, 9, root_of(9)), LOG)


def cosigned_note() -> bytes:
    note = parse_note(checkpoint_note())
    first = make_cosignature(note.text, name=WITNESS_KEY.name, key=WITNESS, time_seconds=COSIGNED_SECONDS)
    second = make_cosignature(
        note.text, name=SECOND_KEY.name, key=SECOND_WITNESS, time_seconds=COSIGNED_SECONDS + 60
    )
    return format_note(note.with_signatures(first, second))


def _notes() -> Iterator[tuple[str, Vector]]:
    keys = [LOG_KEY.vkey, WITNESS_KEY.vkey]
    signed = [LOG_KEY.vkey, WITNESS_KEY.vkey]
    stranger = parse_note(checkpoint_note()).with_signatures(NoteSignature("stranger", b"abcd", b"x"))
    cases = [
        {"note": cosigned_note().decode(), "keys": keys, "answer": {"signed_by": signed}},
        {"note": format_note(stranger).decode(), "keys": keys, "answer": {"signed_by": signed[:1]}},
    ]
    yield "log/note.json", _holds("The keys that signed, others ignored.", "open_note", cases)
    good = checkpoint_note().decode()
    head, _ = good.split("\n\n")
    twisted = sign_note(Note(good.split("\n\n")[0] + "\n!\n"), name=ORIGIN, key=LOG)
    false = format_note(Note(head + "\n", twisted.signatures)).decode()
    ways: dict[str, tuple[str, str, str]] = {
        "no-signature": ("no signature", "note_malformed", head + "\n"),
        "no-newline": ("no newline at the end", "note_malformed", good[:-1]),
        "carriage-return": (
            "a control character",
            "text_character_refused",
            good.replace("\n9\n", "\r\n9\n"),
        ),
        "hyphen": ("a hyphen for U+2014", "note_signature_malformed", good.replace("\u2014", "-")),
        "short": ("a signature of no bytes", "note_signature_malformed", f"{head}\n\n\u2014 a MTI=\n"),
        "name": ("a plus in the name", "key_name_malformed", f"{head}\n\n\u2014 a+b MTIzNDU=\n"),
        "base64": ("unused bits that are not zero", "base64_malformed", f"{head}\n\n\u2014 a MTIzNDV=\n"),
        "crowd": (
            "65 signatures",
            "note_signatures_too_many",
            f"{head}\n\n" + "\u2014 a MTIzNDU=\n" * (NOTE_SIGNATURES_MAX + 1),
        ),
        "unsigned": ("only strangers signed", "note_not_signed", f"{head}\n\n\u2014 a MTIzNDU=\n"),
        "false": ("a known key that did not sign this", "note_signature_invalid", false),
        "false-besides": (
            "one good line of a known key, and one false line of another",
            "note_signature_invalid",
            good + NoteSignature(WITNESS_KEY.name, WITNESS_KEY.key_id, bytes(72)).line,
        ),
    }
    for name, (why, code, text) in ways.items():
        yield f"log/refused/note-{name}.json", refused("open_note", why, code, note=text, keys=keys)
    cases = [{"vkey": key.vkey, "answer": _vkey_json(key)} for key in (LOG_KEY, WITNESS_KEY)]
    yield "log/vkey.json", _holds("A verifier key in text.", "read_vkey", cases)
    wrong = LOG_KEY.vkey.replace("+8b9de697+", "+8B9DE697+")
    yield (
        "log/refused/vkey.json",
        refused("read_vkey", "capital digits", "verifier_key_malformed", vkey=wrong),
    )


def _vkey_json(key: VerifierKey) -> dict[str, Any]:
    return {"name": key.name, "type": key.type, "public": key.public.hex(), "key_id": key.key_id.hex()}


def _checkpoints() -> Iterator[tuple[str, Vector]]:
    asked = {"origin": ORIGIN, "log_key": LOG.public.hex()}
    answer: dict[str, Any] = {"size": 9, "root": root_of(9).hex()}
    cases = [
        {"note": raw.decode(), **asked, "answer": answer} for raw in (checkpoint_note(), cosigned_note())
    ]
    yield (
        "log/checkpoint.json",
        _holds("A checkpoint of the lane that was asked for.", "open_checkpoint", cases),
    )
    root = checkpoint_note().decode().split("\n")[2]
    texts = {
        "lines": ("a fourth line", "checkpoint_malformed", f"{ORIGIN}\n9\n{root}\nmore\n"),
        "size": ("a leading zero", "number_malformed", f"{ORIGIN}\n09\n{root}\n"),
        "root": ("a root of 31 bytes", "tree_hash_length", f"{ORIGIN}\n9\n{'A' * 42}==\n"),
        "empty": ("size 0 with a root", "checkpoint_empty_root", f"{ORIGIN}\n0\n{root}\n"),
    }
    for name, (why, code, text) in texts.items():
        note = format_note(sign_note(Note(text), name=ORIGIN, key=LOG)).decode()
        yield f"log/refused/checkpoint-{name}.json", refused("open_checkpoint", why, code, note=note, **asked)
    other = format_note(sign_note(Note(f"elsewhere\n9\n{root}\n"), name=ORIGIN, key=LOG)).decode()
    yield (
        "log/refused/checkpoint-origin.json",
        refused(
            "open_checkpoint",
            "another origin, signed by this log",
            "checkpoint_other_origin",
            note=other,
            **asked,
        ),
    )
    witnesses: dict[str, Any] = {
        "note": cosigned_note().decode(),
        "witnesses": [WITNESS_KEY.vkey, SECOND_KEY.vkey],
    }
    times: Cases = [{**witnesses, "threshold": q, "answer": COSIGNED_SECONDS + 60 * (2 - q)} for q in (1, 2)]
    yield (
        "log/witnessed-time.json",
        _holds("The q-th newest time of known witnesses.", "witnessed_time", times),
    )
    yield from _answers_of_a_witness()
    few = refused(
        "witnessed_time",
        "two witnesses where three are asked",
        "cosignatures_too_few",
        **witnesses,
        threshold=3,
    )
    yield "log/refused/witnessed-time.json", few


def _answers_of_a_witness() -> Iterator[tuple[str, Vector]]:
    """What a witness says over HTTP (27.4) about the head of `checkpoint_note`."""
    text = parse_note(checkpoint_note()).text
    lines = [
        make_cosignature(
            text, name=WITNESS_KEY.name, key=WITNESS, time_seconds=COSIGNED_SECONDS + number
        ).line
        for number in range(2)
    ]
    other = parse_note(cosigned_note()).signatures[-1].line
    asked = {"checkpoint": text, "witness": WITNESS_KEY.vkey}
    cases: Cases = [
        {**asked, "status": 200, "body": body, "answer": lines[at]}
        for body, at in ((lines[0], 0), (other + lines[0] + lines[1], 1))
    ]
    yield "log/cosigned.json", _holds("The newest line of the witness counts.", "read_cosigned", cases)
    altered = make_cosignature(text + "x\n", name=WITNESS_KEY.name, key=WITNESS, time_seconds=1).line
    ways = {
        "other-head": ("a line over another head", "note_signature_invalid", 200, altered),
        "one-of-two": ("a second line that does not hold", "note_signature_invalid", 200, lines[0] + altered),
        "stranger": ("a line of another witness alone", "note_not_signed", 200, other),
        "size": ("another size was cosigned last", "witness_size_mismatch", 409, "7\n"),
        "unknown": ("the witness does not know the lane", "witness_log_unknown", 404, ""),
        "redirect": ("the witness sends elsewhere", "witness_refused", 302, ""),
    }
    for name, (why, code, status, body) in ways.items():
        yield (
            f"log/refused/cosigned-{name}.json",
            refused("read_cosigned", why, code, status=status, body=body, **asked),
        )


def _receipts() -> Iterator[tuple[str, Vector]]:
    asked = {"origin": ORIGIN, "log_key": LOG.public.hex()}
    proof = TlogProof(4, tuple(inclusion_proof(4, 9, node)), checkpoint_note(), ENTRIES[4])
    good = format_proof(proof).decode()
    answer = {"index": 4, "entry": ENTRIES[4].hex(), "size": 9}
    cases = [{"file": good, **asked, "answer": answer}]
    yield "log/receipt.json", _holds("A receipt proves its entry.", "open_receipt", cases)
    ways = {
        "header": ("another first line", "proof_malformed", good.replace("@v1", "@v2")),
        "index": ("an index with a sign", "number_malformed", good.replace("index 4", "index +4")),
        "other-index": ("another index", "proof_root_mismatch", good.replace("index 4", "index 5")),
        "other-entry": ("another entry", "proof_root_mismatch", good.replace("ZW50cnkgNA==", "ZW50cnkgNQ==")),
        "cut": ("no empty line", "proof_malformed", good.split("\n\n", maxsplit=1)[0]),
        "checkpoint": (
            "a checkpoint of another size",
            "note_signature_invalid",
            good.replace("\n9\n", "\n8\n"),
        ),
    }
    for name, (why, code, text) in ways.items():
        yield f"log/refused/receipt-{name}.json", refused("open_receipt", why, code, file=text, **asked)


def _holds(sentence: str, question: str, cases: Cases) -> Vector:
    return {"must_hold": sentence, "question": question, "cases": cases}


def _hex(parts: list[bytes]) -> list[str]:
    return [part.hex() for part in parts]
