"""The file that proves a fork: one log key signed two histories (PROTOCOL.md section 23.4).

Two signed heads of one lane, and hashes which show that the larger tree begins with another one than the smaller
head states. Anyone checks it offline with the log's public key, and nobody can make one against a log that kept
its word: a consistency proof cannot be found for a root that the larger tree does not begin with.

    raw = make_fork(older_note, newer_note, log_public, begins_with=root, hashes=proof)
    verify_fork(parse_fork(raw), log_public)
"""

from collections.abc import Sequence
from dataclasses import dataclass, replace

from protocol.errors import LogError
from protocol.limits import FORK_BYTES_MAX
from protocol.log.checkpoint import Checkpoint, open_checkpoint, parse_checkpoint
from protocol.log.lines import from_base64, to_base64
from protocol.log.merkle import verify_consistency
from protocol.log.note import ED25519, Note, VerifierKey, format_note, parse_note
from protocol.log.origin import Origin, parse_origin

FIRST_LINE = b"wildgrass/v1/fork"
_BLOCKS = 5  # hashes, then text and signatures of either note


@dataclass(frozen=True, slots=True)
class ForkProof:
    """Two heads of `origin` as they stand in a file, not yet verified; `older` has at most the size of `newer`.

    `hashes` are empty for equal sizes; else the root with which the tree of `newer` begins at the size of `older`,
    and the consistency proof from there.
    """

    origin: Origin
    older: Checkpoint
    newer: Checkpoint
    older_note: bytes
    newer_note: bytes
    hashes: tuple[bytes, ...]


def make_fork(
    older_note: bytes,
    newer_note: bytes,
    log_public: bytes,
    *,
    begins_with: bytes = b"",
    hashes: Sequence[bytes] = (),
) -> bytes:
    """Return the file of a fork; `begins_with` and `hashes` are for heads of two sizes.

    Of each note it keeps the log's own signature line, and as many others, those of witnesses, as find room.
    Raises `LogError` (`fork_too_large`) where not even the log's own do: no community fills a lane so large.
    """
    lines = [begins_with, *hashes] if begins_with else []
    head = FIRST_LINE + b"\n" + b"".join(to_base64(line).encode() + b"\n" for line in lines)
    notes = [parse_note(older_note), parse_note(newer_note)]
    raw = b""
    for others_max in range(max(len(note.signatures) for note in notes)):
        longer = b"\n".join([head, *(_with_lines(note, log_public, others_max) for note in notes)])
        if len(longer) > FORK_BYTES_MAX:
            break
        raw = longer
    if not raw:
        raise LogError("fork_too_large", f"{len(longer)} bytes, at most {FORK_BYTES_MAX}")
    return raw


def parse_fork(raw: bytes) -> ForkProof:
    """Return what a file states, not yet verified, or raise `LogError`, `IdentityError` for an id in it."""
    if len(raw) > FORK_BYTES_MAX:
        raise LogError("fork_too_large", f"{len(raw)} bytes, at most {FORK_BYTES_MAX}")
    blocks = raw.split(b"\n\n")
    if len(blocks) != _BLOCKS:
        raise LogError("fork_malformed", f"{len(blocks)} blocks instead of {_BLOCKS}")
    hashes = _parse_head(blocks[0])
    older_note = blocks[1] + b"\n\n" + blocks[2] + b"\n"
    newer_note = blocks[3] + b"\n\n" + blocks[4]
    older, newer = (parse_checkpoint(parse_note(note).text) for note in (older_note, newer_note))
    origin = parse_origin(older.origin)
    if newer.origin != older.origin:
        raise LogError("fork_other_origin", f"{older.origin} and {newer.origin}")
    return ForkProof(origin, older, newer, older_note, newer_note, hashes)


def verify_fork(proof: ForkProof, log_public: bytes) -> None:
    """Check that the log key signed both heads and that they contradict each other, or raise `LogError`."""
    for note in (proof.older_note, proof.newer_note):
        open_checkpoint(note, proof.origin.text, log_public)
    older, newer = proof.older, proof.newer
    if not 0 < older.size <= newer.size:
        raise LogError("consistency_sizes", f"from {older.size} to {newer.size}")
    if bool(proof.hashes) != (older.size < newer.size):
        raise LogError("fork_malformed", "hashes belong to heads of two sizes, and to no others")
    begins_with = proof.hashes[0] if proof.hashes else newer.root
    verify_consistency(
        proof.hashes[1:],
        first=older.size,
        first_root=begins_with,
        second=newer.size,
        second_root=newer.root,
    )
    if begins_with == older.root:
        raise LogError("fork_not_shown", f"sizes {older.size} and {newer.size}")


def _parse_head(block: bytes) -> tuple[bytes, ...]:
    first, *lines = block.split(b"\n")
    if first != FIRST_LINE:
        raise LogError("fork_malformed", f"not a file that begins with {FIRST_LINE.decode()}")
    try:
        return tuple(from_base64(line.decode("ascii")) for line in lines)
    except UnicodeDecodeError as error:
        raise LogError("fork_malformed", "not ASCII before the notes") from error


def _with_lines(note: Note, log_public: bytes, others_max: int) -> bytes:
    """The note with one line of the log's own key, and the first few of the others."""
    name = note.text.partition("\n")[0]
    own = (name, VerifierKey(name, ED25519, log_public).key_id)
    first = next(line for line in note.signatures if (line.name, line.key_id) == own)
    others = [line for line in note.signatures if (line.name, line.key_id) != own]
    return format_note(replace(note, signatures=(first, *others[:others_max])))
