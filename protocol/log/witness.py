"""What a witness asks of a head before it cosigns it (PROTOCOL.md section 27.1).

check_growth(last, old_size=12, head=checkpoint, proof=hashes)    # raises what it answers instead
"""

from collections.abc import Iterable, Sequence

from protocol.errors import LogError
from protocol.log.checkpoint import Checkpoint
from protocol.log.cosignature import cosignature_times
from protocol.log.merkle import EMPTY_ROOT, verify_consistency
from protocol.log.note import Note, NoteSignature, VerifierKey, cosignature_time


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
