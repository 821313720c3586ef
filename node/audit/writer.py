"""Writing a bundle: what a source holds of some communities, as a directory or a tar (PROTOCOL.md section 21.2).

It is complete before it has its name: what breaks off leaves nothing behind.

    write_bundle(source, Path("market.tar.gz"), communities=[community])
"""

import gzip
import os
import shutil
import tarfile
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from hashlib import sha256
from io import BytesIO
from pathlib import Path
from typing import Protocol

from protocol.audit.bundle import (
    INDEX_PATH,
    STATEMENTS_INDEX_BYTES_MAX,
    Source,
    bytes_max_at,
    checkpoint_path,
    format_index,
    format_statements_index,
    parse_index,
    parse_statements_index,
    statement_path,
    statements_index_path,
    successor_path,
)
from protocol.audit.lane_copy import LaneCopy
from protocol.errors import AuditError
from protocol.limits import (
    EPOCHS_AUDITED_MAX,
    INDEX_BYTES_MAX,
    NOTE_BYTES_MAX,
    STATEMENT_BYTES_MAX,
    TILE_HEIGHT,
    TILE_WIDTH,
)
from protocol.log.checkpoint import parse_checkpoint
from protocol.log.note import parse_note
from protocol.log.origin import Origin
from protocol.log.tiles import tile_width

TAR_ENDINGS = (".tar", ".tar.gz", ".tgz")


@dataclass(frozen=True, slots=True, kw_only=True)
class BundleSummary:
    """What was written: lanes, the records in them, files and bytes before packing."""

    lanes: int
    records: int
    files: int
    size_bytes: int


class _Target(Protocol):
    def add(self, path: str, raw: bytes) -> None:
        """Write one file."""


def write_bundle(
    source: Source, destination: Path, communities: Collection[bytes] | None = None
) -> BundleSummary:
    """Write all lanes of `communities` (None: all) that a source holds; tar where the name ends so.

    Raises `AuditError` where the source does not give what its index states, `destination_not_empty` where
    something stands at the destination, and `OSError` as the disk does.
    """
    if destination.exists() and not (destination.is_dir() and not any(destination.iterdir())):
        raise AuditError("destination_not_empty", str(destination))
    opened = _archive if destination.name.endswith(TAR_ENDINGS) else _directory
    with opened(destination) as target:
        files = _Counted(target)
        lanes = _write_lanes(source, files, communities)
    return BundleSummary(
        lanes=len(lanes), records=sum(lanes.values()), files=files.files, size_bytes=files.size_bytes
    )


def _write_lanes(
    source: Source, target: "_Counted", communities: Collection[bytes] | None
) -> dict[Origin, int]:
    index = parse_index(_required(source, INDEX_PATH, INDEX_BYTES_MAX))
    chosen = [origin for origin in sorted(index) if communities is None or origin.community in communities]
    copies = [_copy(source, origin) for origin in chosen]
    sizes = {copy.origin: copy.checkpoint.size for copy, _ in copies}
    target.add(INDEX_PATH, format_index(sizes))
    for community in dict.fromkeys(origin.community for origin in chosen):
        for epoch in range(EPOCHS_AUDITED_MAX):
            note = source.read(successor_path(community, epoch), NOTE_BYTES_MAX)
            if note is None:
                break
            target.add(successor_path(community, epoch), note)
        _write_statements(source, target, community)
    for copy, note in copies:
        target.add(checkpoint_path(copy.origin), note)
        for level, number, width in _tiles(copy.checkpoint.size):
            raw = copy.read(level, number, width)
            if raw is None:
                raise AuditError("file_missing", copy.path(level, number, width))
            target.add(copy.path(level, number, width), raw)
    return sizes


def _write_statements(source: Source, target: "_Counted", community: bytes) -> None:
    """Write what is proven about a community, where the source knows anything: whoever audits has to see it."""
    digests = parse_statements_index(
        source.read(statements_index_path(community), STATEMENTS_INDEX_BYTES_MAX) or b""
    )
    if not digests:
        return
    target.add(statements_index_path(community), format_statements_index(digests))
    for digest in digests:
        path = statement_path(community, digest)
        text = _required(source, path, STATEMENT_BYTES_MAX)
        if sha256(text).digest() != digest:
            raise AuditError("statement_other_digest", f"{source.name}: {path}")
        target.add(path, text)


def _copy(source: Source, origin: Origin) -> tuple[LaneCopy, bytes]:
    """Return a lane at the size of the head that is read now: a live one may have grown since its index."""
    note = _required(source, checkpoint_path(origin), NOTE_BYTES_MAX)
    return LaneCopy(source, origin, parse_checkpoint(parse_note(note).text)), note


def _tiles(size: int) -> Iterator[tuple[int | None, int, int]]:
    """Yield (level, index, width) of every entry bundle and hash tile of a lane."""
    for number in range(-(-size // TILE_WIDTH)):
        yield None, number, tile_width(size, 0, number)
    level = 0
    while hashes := size >> TILE_HEIGHT * level:
        for number in range(-(-hashes // TILE_WIDTH)):
            yield level, number, tile_width(size, level, number)
        level += 1


def _required(source: Source, path: str, bytes_max: int) -> bytes:
    raw = source.read(path, bytes_max)
    if raw is None:
        raise AuditError("file_missing", f"{source.name}: {path}")
    return raw


class _Counted:
    """Passes files on under names that are a bundle's, and counts them."""

    def __init__(self, target: _Target) -> None:
        self.files = 0
        self.size_bytes = 0
        self._target = target

    def add(self, path: str, raw: bytes) -> None:
        assert len(raw) <= bytes_max_at(path), "what is written can be read again"
        self._target.add(path, raw)
        self.files += 1
        self.size_bytes += len(raw)


class _Folder:
    def __init__(self, root: Path) -> None:
        self._root = root

    def add(self, path: str, raw: bytes) -> None:
        target = self._root / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(raw)


class _Tar:
    def __init__(self, archive: tarfile.TarFile) -> None:
        self._archive = archive

    def add(self, path: str, raw: bytes) -> None:
        member = tarfile.TarInfo(path)  # time 0, nobody's: equal lanes make equal archives
        member.size, member.mode = len(raw), 0o644
        self._archive.addfile(member, BytesIO(raw))
        self._archive.members = []  # type: ignore[attr-defined]  # else it remembers every one


@contextmanager
def _directory(destination: Path) -> Iterator[_Target]:
    partial = destination.with_name(f".{destination.name}.partial-{os.getpid()}")
    partial.mkdir(parents=True)
    try:
        yield _Folder(partial)
        partial.replace(destination)
    finally:
        shutil.rmtree(partial, ignore_errors=True)


@contextmanager
def _archive(destination: Path) -> Iterator[_Target]:
    partial = destination.with_name(f".{destination.name}.partial-{os.getpid()}")
    destination.parent.mkdir(parents=True, exist_ok=True)
    try:
        with partial.open("wb") as file:
            if destination.name.endswith(".tar"):
                with tarfile.open(fileobj=file, mode="w", format=tarfile.USTAR_FORMAT) as archive:
                    yield _Tar(archive)
            else:
                with (
                    gzip.GzipFile(filename="", fileobj=file, mode="wb", mtime=0) as packed,
                    tarfile.open(fileobj=packed, mode="w", format=tarfile.USTAR_FORMAT) as archive,
                ):
                    yield _Tar(archive)
        partial.replace(destination)
    finally:
        partial.unlink(missing_ok=True)
