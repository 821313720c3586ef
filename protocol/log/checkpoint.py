"""Checkpoints: the signed statement "this lane has size N and root R" (PROTOCOL.md section 5).

The text is that of C2SP tlog-checkpoint without extension lines; the log's key name is the origin.

    raw = make_checkpoint_note(Checkpoint(origin, lane.size, lane.root()), log_key)
    open_checkpoint(raw, origin, log_key.public).size
"""

from dataclasses import dataclass

from protocol.errors import LogError
from protocol.identity.keys import SigningKey
from protocol.limits import TREE_SIZE_MAX
from protocol.log.lines import check_key_name, from_base64, parse_decimal, to_base64
from protocol.log.merkle import EMPTY_ROOT, HASH_BYTES
from protocol.log.note import ED25519, Note, VerifierKey, format_note, parse_note, sign_note, verify_note

_LINES = 3


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """The lane `origin` has `size` entries and the 32-byte `root`."""

    origin: str
    size: int
    root: bytes

    def __post_init__(self) -> None:
        """Refuse an origin that cannot be a key name, a size out of range, and a root that cannot be one."""
        check_key_name(self.origin)
        if not 0 <= self.size <= TREE_SIZE_MAX:
            raise LogError("tree_size_range", str(self.size))
        if len(self.root) != HASH_BYTES:
            raise LogError("tree_hash_length", f"{len(self.root)} bytes")
        if self.size == 0 and self.root != EMPTY_ROOT:
            raise LogError("checkpoint_empty_root", self.origin)

    @property
    def text(self) -> str:
        """The three lines that are signed."""
        return f"{self.origin}\n{self.size}\n{to_base64(self.root)}\n"


def parse_checkpoint(text: str) -> Checkpoint:
    """Return the checkpoint that the text of a note states, or raise `LogError`."""
    lines = text.split("\n")
    if len(lines) != _LINES + 1 or lines[-1]:
        raise LogError("checkpoint_malformed", f"{len(lines) - 1} lines instead of {_LINES}")
    origin, size, root = lines[:_LINES]
    return Checkpoint(origin, parse_decimal(size, maximum=TREE_SIZE_MAX), from_base64(root))


def make_checkpoint_note(checkpoint: Checkpoint, log_key: SigningKey) -> bytes:
    """Return the signed note of a checkpoint, with the log's own signature line only."""
    return format_note(sign_note(Note(checkpoint.text), name=checkpoint.origin, key=log_key))


def open_checkpoint(raw: bytes, origin: str, log_public: bytes) -> Checkpoint:
    """Return the checkpoint of a signed note, or raise `LogError`.

    Checked in this order: the form of the note, the log's signature, the three lines, the origin. Further
    signature lines, those of witnesses, are left alone; `cosignature_times` reads them.
    """
    note = parse_note(raw)
    verify_note(note, [VerifierKey(origin, ED25519, log_public)])
    checkpoint = parse_checkpoint(note.text)
    if checkpoint.origin != origin:
        raise LogError("checkpoint_other_origin", f"{checkpoint.origin} instead of {origin}")
    return checkpoint
