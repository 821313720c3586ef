"""The fork proofs of a report as files that anyone checks with `wildgrass verify` (PROTOCOL.md section 23.4).

write_proofs(report, Path("."))
"""

from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path

from protocol.audit.findings import ProvenFork

_NAME_CHARACTERS = 8  # of the community's id, and of the digest: enough to tell files of one folder apart


def write_proofs(forks: Iterable[ProvenFork], folder: Path) -> list[Path]:
    """Write each proof into a file of its own and return where; the same proof is the same file again.

    Raises `OSError` as the disk does.
    """
    written: list[Path] = []
    for fork in forks:
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / _name(fork)
        path.write_bytes(fork.proof.encode())
        written.append(path)
    return written


def _name(fork: ProvenFork) -> str:
    digest = sha256(fork.proof.encode()).hexdigest()[:_NAME_CHARACTERS]
    lane = fork.lane.replace("/", "-")
    return f"fork-{fork.community[:_NAME_CHARACTERS]}-{fork.epoch}-{lane}-{digest}.txt"
