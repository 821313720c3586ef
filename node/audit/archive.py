"""A bundle in one file: tar, plain or with gzip (PROTOCOL.md section 21.3).

Nothing is ever unpacked under the names that the archive states: members are found by name and read in place.
Links, special files, names that lead elsewhere and names that stand twice refuse the whole archive.

    with ArchiveSource(Path("bundle.tar.gz")) as source: ...
"""

import gzip
import tarfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from tempfile import TemporaryFile
from typing import IO, Self, cast

from protocol.errors import AuditError

UNPACKED_BYTES_MAX = 16 * 2**30
MEMBERS_MAX = 1_000_000
_HEADER_BYTES_MAX = 65_536  # what one header may make us read: long names, pax records
_CHUNK_BYTES = 1_048_576
_GZIP_START = b"\x1f\x8b"


class ArchiveSource:
    """Reads the members of a tar; one with gzip is unpacked into a temporary file without a name first."""

    is_live = False

    def __init__(self, path: Path, *, unpacked_bytes_max: int = UNPACKED_BYTES_MAX) -> None:
        """Open and list the archive; raises `AuditError` where it cannot be read or must not be trusted."""
        self.name = str(path)
        with ExitStack() as on_failure, _unreadable(self.name):
            self._file = on_failure.enter_context(_open(path, unpacked_bytes_max))
            self._members = dict(_members(self._file))
            on_failure.pop_all()

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let go of the file."""
        self._file.close()

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """Return the bytes of a member, or None where there is none."""
        found = self._members.get(path)
        if found is None:
            return None
        start, size = found
        if size > bytes_max:
            raise AuditError("file_too_large", f"{path}: {size} bytes, at most {bytes_max}")
        with _unreadable(self.name):
            self._file.seek(start)
            raw = self._file.read(size)
        if len(raw) != size:
            raise AuditError("file_unreadable", f"{path}: the archive ends within it")
        return raw

    def checkpoint_paths(self) -> Collection[str]:
        """Return the paths of all checkpoints."""
        return sorted(
            path for path in self._members if path.startswith("lanes/") and path.endswith("/checkpoint")
        )


class _Headers:
    """The file as `tarfile` sees it while it looks for headers: no single read may be large."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file = file

    def read(self, size: int = -1) -> bytes:
        if not 0 <= size <= _HEADER_BYTES_MAX:
            raise AuditError("archive_refused", "a header is too large")
        return self._file.read(size)

    def seek(self, position: int, whence: int = 0) -> int:
        return self._file.seek(position, whence)

    def tell(self) -> int:
        return self._file.tell()


@contextmanager
def _unreadable(name: str) -> Iterator[None]:
    """Turn what libraries raise about a broken file into the audit's own words."""
    try:
        yield
    except (OSError, EOFError, zlib.error, tarfile.TarError, ValueError) as error:
        raise AuditError("source_unreadable", f"{name}: {error}") from error


def _open(path: Path, unpacked_bytes_max: int) -> IO[bytes]:
    with ExitStack() as on_failure:
        file = on_failure.enter_context(path.open("rb"))
        is_packed = file.read(len(_GZIP_START)) == _GZIP_START
        file.seek(0)
        if not is_packed:
            on_failure.pop_all()
            return file
        unpacked = on_failure.enter_context(TemporaryFile(prefix="wildgrass-audit-"))
        _unpack(file, unpacked, unpacked_bytes_max)
        on_failure.pop_all()
    file.close()
    return unpacked


def _unpack(file: IO[bytes], unpacked: IO[bytes], bytes_max: int) -> None:
    with gzip.GzipFile(fileobj=file) as packed:
        while chunk := packed.read(_CHUNK_BYTES):
            unpacked.write(chunk)
            if unpacked.tell() > bytes_max:
                raise AuditError("archive_refused", f"more than {bytes_max} bytes unpacked")
    unpacked.seek(0)


def _members(file: IO[bytes]) -> Iterator[tuple[str, tuple[int, int]]]:
    """Yield path, start and size of every file of the archive."""
    names: set[str] = set()
    with tarfile.open(fileobj=cast("IO[bytes]", _Headers(file)), mode="r:") as archive:
        while (member := archive.next()) is not None:
            archive.members = []  # type: ignore[attr-defined]  # else it remembers every one
            name = member.name.removeprefix("./")
            if not member.isdir() and (not member.isreg() or member.issparse()):
                raise AuditError("archive_refused", f"{name[:200]} is no plain file")
            if not _is_inside(name) or name in names or len(names) >= MEMBERS_MAX:
                raise AuditError("path_refused", name[:200])
            if not member.isdir():
                names.add(name)
                yield name, (member.offset_data, member.size)


def _is_inside(name: str) -> bool:
    """Whether a name stays below the archive's root: relative, without `..`, without odd separators."""
    return not name.startswith("/") and "\\" not in name and ".." not in name.split("/")
