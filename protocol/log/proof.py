"""The file that proves one entry: path, checkpoint, and the entry itself (PROTOCOL.md section 7).

It is a C2SP tlog-proof. A receipt of ours carries the entry in `extra`, which no signature covers: the leaf
hash is computed from it again, and the path leads from there to the root of the signed checkpoint.

    proof = parse_proof(raw)
    verify_proof(proof, entry=proof.extra, origin=origin, log_public=public)
"""

from dataclasses import dataclass

from protocol.errors import LogError
from protocol.limits import ENTRY_BYTES_MAX, PROOF_BYTES_MAX, PROOF_HASHES_MAX, TREE_SIZE_MAX
from protocol.log.checkpoint import Checkpoint, open_checkpoint
from protocol.log.lines import from_base64, parse_decimal, to_base64
from protocol.log.merkle import HASH_BYTES, leaf_hash, verify_inclusion

_FIRST_LINE = "c2sp.org/tlog-proof@v1"


@dataclass(frozen=True, slots=True)
class TlogProof:
    """Entry `index` stands in the tree of `checkpoint` (a signed note's bytes), as the path of hashes shows.

    `hashes` go from the leaf's sibling to the root's child; `extra` is authenticated by nothing.
    """

    index: int
    hashes: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes | None = None

    def __post_init__(self) -> None:
        """Refuse what no entry of a lane can have."""
        if not 0 <= self.index < TREE_SIZE_MAX:
            raise LogError("tree_index_range", str(self.index))
        if len(self.hashes) > PROOF_HASHES_MAX:
            raise LogError("proof_length", f"{len(self.hashes)} hashes, at most {PROOF_HASHES_MAX}")
        if any(len(digest) != HASH_BYTES for digest in self.hashes):
            raise LogError("tree_hash_length", "a line of the path")
        if self.extra is not None and len(self.extra) > ENTRY_BYTES_MAX:
            raise LogError("proof_too_large", f"extra has {len(self.extra)} bytes, at most {ENTRY_BYTES_MAX}")


def format_proof(proof: TlogProof) -> bytes:
    """Return the bytes of the `.tlog-proof` file."""
    lines = [_FIRST_LINE]
    if proof.extra is not None:
        lines.append(f"extra {to_base64(proof.extra)}")
    lines.append(f"index {proof.index}")
    lines.extend(to_base64(digest) for digest in proof.hashes)
    return "\n".join(lines).encode() + b"\n\n" + proof.checkpoint


def parse_proof(raw: bytes) -> TlogProof:
    """Return the proof that a `.tlog-proof` file holds, not yet verified, or raise `LogError`."""
    if len(raw) > PROOF_BYTES_MAX:
        raise LogError("proof_too_large", f"{len(raw)} bytes, at most {PROOF_BYTES_MAX}")
    head, empty_line, checkpoint = raw.partition(b"\n\n")
    try:
        lines = head.decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise LogError("proof_malformed", "not ASCII before the checkpoint") from error
    if lines.pop(0) != _FIRST_LINE or not empty_line:
        raise LogError("proof_malformed", f"not a file that begins with {_FIRST_LINE}")
    extra = None
    if lines and lines[0].startswith("extra "):
        extra = from_base64(lines.pop(0).removeprefix("extra "))
    if not lines or not lines[0].startswith("index "):
        raise LogError("proof_malformed", "no index line")
    index = parse_decimal(lines.pop(0).removeprefix("index "), maximum=TREE_SIZE_MAX)
    return TlogProof(index, tuple(from_base64(line) for line in lines), checkpoint, extra)


def verify_proof(proof: TlogProof, *, entry: bytes, origin: str, log_public: bytes) -> Checkpoint:
    """Return the checkpoint under which `entry` stands at the proof's index, or raise `LogError`.

    The checkpoint must be signed by the log key of `origin`; `cosignature_times` judges its witnesses.
    """
    checkpoint = open_checkpoint(proof.checkpoint, origin, log_public)
    verify_inclusion(
        proof.hashes,
        leaf=leaf_hash(entry),
        index=proof.index,
        size=checkpoint.size,
        root=checkpoint.root,
    )
    return checkpoint
