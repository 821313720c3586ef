"""Vectors of sections 21.2 and 23.4: proofs of forks, everything that accuses nobody, and the list of statements."""

from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any

from protocol.audit.bundle import format_statements_index
from protocol.identity.keys import SigningKey
from protocol.limits import FORK_BYTES_MAX
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.cosignature import make_cosignature
from protocol.log.fork import make_fork
from protocol.log.merkle import CompactRange, consistency_proof, leaf_hashes, subtree_root
from protocol.log.note import format_note, parse_note
from protocol.log.origin import Origin, witness_name
from tests.golden.plain import Vector, Vectors, refused

LOG, WITNESS = SigningKey(bytes(range(32))), SigningKey(b"\x01" * 32)
TRADE = Origin(b"\x0c" * 32, "trade", 0)
OTHER = Origin(b"\x0c" * 32, "ledger", 0)
TOLD_A = [b"told to A %d" % number for number in range(300)]
TOLD_B = [*TOLD_A[:3], *(b"told to B %d" % number for number in range(297))]
A, B = leaf_hashes(TOLD_A), leaf_hashes(TOLD_B)


def fork_vectors() -> Vectors:
    """fork/ and statements/."""
    return {**dict(_vectors()), **dict(_lists())}


def head(leaves: Sequence[bytes], size: int, origin: Origin = TRADE, key: SigningKey = LOG) -> bytes:
    """The signed head of the first `size` leaves."""
    lane = CompactRange()
    lane.extend(leaves[:size])
    return make_checkpoint_note(Checkpoint(origin.text, size, lane.root()), key)


def cosigned(note: bytes) -> bytes:
    """The same head with the line of a witness."""
    parsed = parse_note(note)
    name = witness_name(b"\x0d" * 32)
    return format_note(
        parsed.with_signatures(make_cosignature(parsed.text, name=name, key=WITNESS, time_seconds=1))
    )


def root_at(leaves: Sequence[bytes], size: int) -> bytes:
    lane = CompactRange()
    lane.extend(leaves[:size])
    return lane.root()


def path(leaves: Sequence[bytes], first: int, second: int) -> list[bytes]:
    """The consistency proof between two sizes of one tree."""
    return consistency_proof(
        first, second, lambda level, index: subtree_root(leaves[index << level : (index + 1) << level])
    )


def fork(first: int, second: int) -> bytes:
    """A head of A's history and a head of B's."""
    if first == second:
        return make_fork(head(A, first), head(B, second), LOG.public)
    return make_fork(
        head(A, first),
        head(B, second),
        LOG.public,
        begins_with=root_at(B, first),
        hashes=path(B, first, second),
    )


def _vectors() -> Iterator[tuple[str, Vector]]:
    pairs = [(4, 4), (4, 5), (4, 8), (5, 9), (8, 300), (7, 255), (256, 300), (300, 300)]
    cases: list[dict[str, Any]] = [
        _case(fork(*sizes), {"origin": TRADE.text, "sizes": list(sizes)}) for sizes in pairs
    ]
    with_witness = make_fork(cosigned(head(A, 4)), head(B, 4), LOG.public)
    cases.append(_case(with_witness, {"origin": TRADE.text, "sizes": [4, 4]}))
    yield (
        "fork/valid.json",
        {"must_hold": "The log signed two histories.", "question": "verify_fork", "cases": cases},
    )
    for name, (why, code, raw) in _ways().items():
        yield f"fork/refused/{name}.json", refused("verify_fork", why, code, **_case(raw))


def _lists() -> Iterator[tuple[str, Vector]]:
    """The list of statements of a bundle: digests in hexadecimal, rising, one a line."""
    digests = [sha256(fork(*sizes)).digest() for sizes in ((4, 4), (5, 9), (8, 300))]
    whole = format_statements_index(digests)
    lines = whole.splitlines(keepends=True)
    yield (
        "statements/index.json",
        {
            "must_hold": "The digests of the statements of a bundle.",
            "question": "read_statements_index",
            "cases": [
                {"file": raw.decode(), "answer": [line.decode() for line in raw.split()]}
                for raw in (b"", lines[0], whole)
            ],
        },
    )
    wrong = {
        "unsorted": ("the digests do not rise", lines[1] + lines[0]),
        "repeated": ("a digest twice", lines[0] + lines[0]),
        "upper-case": ("digits in upper case", whole.upper()),
        "short": ("a digest of 31 bytes", lines[0][2:]),
        "no-newline": ("the last line does not end", whole[:-1]),
        "spaced": ("a space within a digest", lines[0][:2] + b" " + lines[0][2:]),
    }
    for name, (why, raw) in wrong.items():
        yield (
            f"statements/refused/{name}.json",
            refused("read_statements_index", why, "index_malformed", file=raw.decode()),
        )


def _case(raw: bytes, answer: dict[str, Any] | None = None) -> dict[str, Any]:
    case: dict[str, Any] = {"file": raw.decode(), "log_key": LOG.public.hex()}
    return case if answer is None else {**case, "answer": answer}


def _ways() -> dict[str, tuple[str, str, bytes]]:
    good, equal = fork(5, 9), fork(4, 4)
    lines = good.split(b"\n")
    other_key = SigningKey(b"\x09" * 32)
    blocks = equal.split(b"\n\n")
    swapped = b"\n".join([b"wildgrass/v1/fork\n", head(B, 9), head(A, 5)])
    hash_of = {name: root_at(leaves, size) for name, leaves, size in (("a5", A, 5), ("b5", B, 5))}

    def two_sizes(begins_with: bytes, hashes: Sequence[bytes], newer: bytes = head(B, 9)) -> bytes:
        return make_fork(head(A, 5), newer, LOG.public, begins_with=begins_with, hashes=hashes)

    return {
        "same-root": ("twice the same head", "fork_not_shown", make_fork(head(A, 4), head(A, 4), LOG.public)),
        "one-history": (
            "a smaller and a larger head of one history",
            "fork_not_shown",
            two_sizes(hash_of["a5"], path(A, 5, 9), head(A, 9)),
        ),
        "no-path": (
            "two sizes, two histories, and no hashes: one of them could be a beginning of the other",
            "fork_malformed",
            make_fork(head(A, 5), head(B, 9), LOG.public),
        ),
        "made-up-root": (
            "a root that the larger tree does not begin with",
            "proof_root_mismatch",
            two_sizes(hash_of["a5"], path(B, 5, 9)),
        ),
        "short-path": (
            "a hash of the path is missing",
            "proof_length",
            two_sizes(hash_of["b5"], path(B, 5, 9)[:-1]),
        ),
        "short-hash": (
            "a hash of 31 bytes",
            "tree_hash_length",
            good.replace(lines[1], b"A" * 42 + b"==", 1),
        ),
        "hashes-for-equal-sizes": (
            "hashes where the two roots say it all",
            "fork_malformed",
            make_fork(head(A, 4), head(B, 4), LOG.public, begins_with=hash_of["b5"]),
        ),
        "backwards": ("the larger head first", "consistency_sizes", swapped),
        "other-lane": (
            "heads of two lanes",
            "fork_other_origin",
            make_fork(head(A, 4), head(B, 4, OTHER), LOG.public),
        ),
        "forged": (
            "the older head signed by somebody else",
            "note_not_signed",
            b"\n".join([blocks[0] + b"\n", head(A, 4, key=other_key), head(B, 4)]),
        ),
        "forged-newer": (
            "the newer head signed by somebody else",
            "note_not_signed",
            b"\n".join([blocks[0] + b"\n", head(A, 4), head(B, 4, key=other_key)]),
        ),
        "false-line": (
            "a signature of another head",
            "note_signature_invalid",
            equal.replace(blocks[2], head(A, 5).split(b"\n\n")[1].rstrip(b"\n"), 1),
        ),
        "first-line": ("another first line", "fork_malformed", equal.replace(b"/fork\n", b"/Fork\n", 1)),
        "one-note": ("only one head", "fork_malformed", b"wildgrass/v1/fork\n\n" + head(A, 4)),
        "trailing": ("a third head behind", "fork_malformed", equal + b"\n" + head(B, 9)),
        "base64": (
            "unused bits that are not zero",
            "base64_malformed",
            good.replace(lines[1][-2:], b"/=", 1),
        ),
        "too-large": ("more bytes than the limit", "fork_too_large", equal + b"\n" * FORK_BYTES_MAX),
        "no-lane": (
            "heads of a log that is no lane of a community",
            "origin_malformed",
            equal.replace(b"wildgrass/v1/", b"wildgrass/v2/").replace(
                b"wildgrass/v2/fork", b"wildgrass/v1/fork"
            ),
        ),
    }
