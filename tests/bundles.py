"""Bundles as plain directories, written entry by entry: of villages, or larger than memory.

lane = LaneFiles(folder, Origin(community, "trade", 0), log_key)
lane.append(raw); lane.close()
write_index(folder, [lane])
"""

from collections.abc import Iterable, Mapping
from pathlib import Path

from protocol.audit.bundle import INDEX_PATH, checkpoint_path, format_index, lane_folder
from protocol.errors import AuditError
from protocol.identity.keys import SigningKey
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.merkle import CompactRange, leaf_hashes, subtree_root
from protocol.log.origin import Origin
from protocol.log.tiles import entry_bundle_path, pack_entries, pack_tile, tile_path
from tests.village import Village


class MemorySource:
    """The files of a bundle in a dict, to be read, altered and lost at will."""

    def __init__(self, files: Mapping[str, bytes], *, name: str = "memory", is_live: bool = False) -> None:
        self.name, self.is_live = name, is_live
        self.files = dict(files)
        self.reads_count = 0

    @classmethod
    def of(cls, root: Path, name: str = "memory") -> "MemorySource":
        paths = (path for path in root.rglob("*") if path.is_file())
        return cls({path.relative_to(root).as_posix(): path.read_bytes() for path in paths}, name=name)

    def with_file(self, path: str, raw: bytes | None) -> "MemorySource":
        """Return a copy in which one file says something else, or is gone."""
        changed = MemorySource(self.files, name=self.name, is_live=self.is_live)
        changed.files.pop(path, None)
        if raw is not None:
            changed.files[path] = raw
        return changed

    def flipped(self, path: str, place: int) -> "MemorySource":
        """Return a copy in which one bit of one file is another."""
        raw = bytearray(self.files[path])
        raw[place] ^= 1
        return self.with_file(path, bytes(raw))

    def read(self, path: str, bytes_max: int) -> bytes | None:
        self.reads_count += 1
        raw = self.files.get(path)
        if raw is not None and len(raw) > bytes_max:
            raise AuditError("file_too_large", path)
        return raw

    def checkpoint_paths(self) -> list[str]:
        return [path for path in self.files if path.endswith("/checkpoint")]


class LaneFiles:
    """One lane of a bundle: holds at most one tile a level in memory."""

    def __init__(self, root: Path, origin: Origin, log_key: SigningKey) -> None:
        self.origin, self.size = origin, 0
        self.checkpoint = b""
        self._root, self._log_key = root, log_key
        self._entries: list[bytes] = []
        self._levels: list[list[bytes]] = []
        self._counts: list[int] = []
        self._compact = CompactRange()

    def append(self, raw: bytes) -> None:
        self._entries.append(raw)
        self.size += 1
        if len(self._entries) == 256:
            self._flush_entries()

    def close(self) -> None:
        """Write the partial tiles and the checkpoint."""
        if self._entries:
            self._flush_entries()
        for level, hashes in enumerate(self._levels):
            if hashes:
                self._write(tile_path(level, self._counts[level], len(hashes)), pack_tile(hashes))
        checkpoint = Checkpoint(self.origin.text, self.size, self._compact.root())
        self.checkpoint = make_checkpoint_note(checkpoint, self._log_key)
        write(self._root, checkpoint_path(self.origin), self.checkpoint)

    def _flush_entries(self) -> None:
        path = entry_bundle_path((self.size - 1) // 256, len(self._entries))
        self._write(path, pack_entries(self._entries))
        leaves = leaf_hashes(self._entries)
        self._compact.extend(leaves)
        self._add(0, leaves)
        self._entries = []

    def _add(self, level: int, hashes: list[bytes]) -> None:
        if level == len(self._levels):
            self._levels.append([])
            self._counts.append(0)
        self._levels[level] += hashes
        if len(self._levels[level]) == 256:
            self._write(tile_path(level, self._counts[level], 256), pack_tile(self._levels[level]))
            self._counts[level] += 1
            self._add(level + 1, [subtree_root(self._levels[level])])
            self._levels[level] = []

    def _write(self, path: str, raw: bytes) -> None:
        write(self._root, f"{lane_folder(self.origin)}/{path}", raw)


def write(root: Path, path: str, raw: bytes) -> None:
    target = root / path
    target.parent.mkdir(parents=True, exist_ok=True)
    target.write_bytes(raw)


def write_index(root: Path, lanes: Iterable[LaneFiles]) -> None:
    write(root, INDEX_PATH, format_index({lane.origin: lane.size for lane in lanes}))


def write_lane(root: Path, origin: Origin, entries: Iterable[bytes], log_key: SigningKey) -> LaneFiles:
    lane = LaneFiles(root, origin, log_key)
    for raw in entries:
        lane.append(raw)
    lane.close()
    return lane


def write_villages(root: Path, *villages: Village, cut: Mapping[tuple[str, str], int] | None = None) -> Path:
    """Write a bundle of all lanes of the villages; `cut` ends the lane (village, name) at a smaller size."""
    lanes = [
        write_lane(
            root,
            Origin(village.community, name, 0),
            entries[: (cut or {}).get((village.name, name))],
            village.log,
        )
        for village in villages
        for name, entries in village.entries.items()
    ]
    write_index(root, lanes)
    return root
