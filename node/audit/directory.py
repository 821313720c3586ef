"""A bundle in a directory (PROTOCOL.md section 21).

with DirectorySource(Path("bundle")) as source: ...
"""

import os
import stat
from collections.abc import Collection
from pathlib import Path
from typing import Self

from protocol.errors import AuditError


class DirectorySource:
    """Reads the files of a bundle; links are not followed below its root."""

    is_live = False

    def __init__(self, root: Path) -> None:
        """Take the directory that holds `lanes/`; raises `AuditError` where there is none."""
        if not root.is_dir():
            raise AuditError("source_unreadable", f"{root}: no directory")
        self.name = str(root)
        self._root = root

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(self, *_: object) -> None:
        """Hold nothing."""

    def read(self, path: str, bytes_max: int) -> bytes | None:
        """Return the bytes of a file, or None where there is none."""
        try:
            descriptor = os.open(self._root / path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK)
        except (FileNotFoundError, NotADirectoryError):
            return None
        except OSError as error:
            raise AuditError("file_unreadable", f"{path}: {error.strerror}") from error
        try:
            return _read_plain(descriptor, path, bytes_max)
        except OSError as error:
            raise AuditError("file_unreadable", f"{path}: {error.strerror}") from error
        finally:
            os.close(descriptor)

    def checkpoint_paths(self) -> Collection[str]:
        """Return the paths of all checkpoints."""
        return [
            path.relative_to(self._root).as_posix()
            for path in sorted((self._root / "lanes").glob("*/*/**/checkpoint"))
        ]


def _read_plain(descriptor: int, path: str, bytes_max: int) -> bytes:
    status = os.fstat(descriptor)
    if not stat.S_ISREG(status.st_mode):
        raise AuditError("file_unreadable", f"{path}: no plain file")
    if status.st_size > bytes_max:
        raise AuditError("file_too_large", f"{path}: {status.st_size} bytes, at most {bytes_max}")
    with os.fdopen(descriptor, "rb", buffering=0, closefd=False) as file:
        return file.read(status.st_size)  # asking for more would make room for more
