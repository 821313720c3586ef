"""What a witness asks of a head before it cosigns it (PROTOCOL.md section 27.1).

check_growth(last, old_size=12, head=checkpoint, proof=hashes)    # raises what it answers instead
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from protocol.errors import LogError
from protocol.limits import COSIGN_HASHES_MAX, TREE_SIZE_MAX
from protocol.log.checkpoint import Checkpoint
from protocol.log.cosignature import cosignature_times
from protocol.log.lines import from_base64, parse_decimal, to_base64
from protocol.log.merkle import EMPTY_ROOT, HASH_BYTES, verify_consistency
from protocol.log.note import Note, NoteSignature, VerifierKey, cosignature_time, parse_signature_lines

_OLD = "old "


HTTP_OK = 200
HTTP_NOT_FOUND = 404
HTTP_CONFLICT = 409


class AddCheckpoint(NamedTuple):
    """The body of C2SP `add-checkpoint`: what the asker believes was cosigned last, the proof, the note."""

    old_size: int
    proof: tuple[bytes, ...]
    note: bytes


def parse_add_checkpoint(body: bytes) -> AddCheckpoint:
    """Return what a body asks, or raise `LogError`."""
    head, empty_line, note = body.partition(b"\n\n")
    try:
        first, *lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise LogError("add_checkpoint_malformed", "not ASCII before the note") from error
    if not empty_line or not first.startswith(_OLD) or len(lines) > COSIGN_HASHES_MAX:
        raise LogError("add_checkpoint_malformed", "not an old size, hashes and a note")
    proof = tuple(from_base64(line) for line in lines)
    if any(len(each) != HASH_BYTES for each in proof):
        raise LogError("add_checkpoint_malformed", "a hash that is not 32 bytes")
    return AddCheckpoint(parse_decimal(first.removeprefix(_OLD), maximum=TREE_SIZE_MAX), proof, note)


def make_add_checkpoint(asked: AddCheckpoint) -> bytes:
    """Return the body that asks this; the note has the log's own line, and better no others."""
    lines = [f"{_OLD}{asked.old_size}", *map(to_base64, asked.proof)]
    return "\n".join([*lines, "", ""]).encode() + asked.note


def read_cosigned(status: int, body: bytes, *, text: str, witness: VerifierKey) -> NoteSignature:
    """Return the line of `witness` in its answer over HTTP, verified over the checkpoint `text`.

    Raises `LogError`: `witness_size_mismatch` with the size that it states, or with nothing where that is none;
    `witness_log_unknown`; `note_not_signed` and `note_signature_invalid` for lines; `witness_refused` with any
    other status.
    """
    if status == HTTP_CONFLICT:
        raise LogError("witness_size_mismatch", body.decode("ascii", "replace").removesuffix("\n"))
    if status == HTTP_NOT_FOUND:
        raise LogError("witness_log_unknown", "")
    if status != HTTP_OK:
        raise LogError("witness_refused", f"HTTP status {status}")
    try:
        lines = parse_signature_lines(body.decode("utf-8"))
    except UnicodeDecodeError as error:
        raise LogError("note_malformed", "not UTF-8") from error
    note = Note(text, lines)
    cosignature_times(note, [witness])
    return valid_cosignatures(note, [witness])[witness]


def check_growth(
    last: tuple[int, bytes] | None, *, old_size: int, head: Checkpoint, proof: Sequence[bytes]
) -> None:
    """Raise `LogError` unless `head` grew out of `last`: size and root of what was cosigned last.

    `witness_size_beyond`: the asker's own numbers do not fit; `witness_size_mismatch`: it does not know what
    was cosigned last, the detail is that size; `witness_proof_refused`: what it says is another history, or
    not shown to be the same.
    """
    last_size, last_root = last or (0, EMPTY_ROOT)
    if old_size > head.size:
        raise LogError("witness_size_beyond", f"{old_size} to {head.size}")
    if old_size != last_size:
        raise LogError("witness_size_mismatch", str(last_size))
    if old_size in (0, head.size):
        if proof or (old_size and last_root != head.root):
            raise LogError("witness_proof_refused", f"size {head.size}")
        return
    try:
        verify_consistency(
            proof, first=old_size, first_root=last_root, second=head.size, second_root=head.root
        )
    except LogError as error:
        raise LogError("witness_proof_refused", error.code) from error


def valid_cosignatures(note: Note, witnesses: Iterable[VerifierKey]) -> dict[VerifierKey, NoteSignature]:
    """Return the newest line of each witness whose lines in this note hold; others are left out."""
    valid: dict[VerifierKey, NoteSignature] = {}
    for witness in witnesses:
        lines = [
            line for line in note.signatures if (line.name, line.key_id) == (witness.name, witness.key_id)
        ]
        try:
            times = cosignature_times(Note(note.text, tuple(lines)), [witness])
        except LogError:
            continue
        valid[witness] = next(line for line in lines if cosignature_time(line.signature) == times[witness])
    return valid
