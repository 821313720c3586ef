"""Files that only this user may read, written whole or not at all, and on the disk when the call returns."""

import os
import secrets
import stat
from pathlib import Path

from node.errors import NodeError

KIT_FILE = "emergency-kit.txt"  # waits in the folder until it was printed and read

FILE_MODE = 0o600
FOLDER_MODE = 0o700

_OTHERS = 0o077


def make_folder(folder: Path) -> None:
    """Make a folder, and those above it, for this user alone; one that stands already is left as it is.

    Raises `NodeError` where it cannot be made or written to, with the reason of the system.
    """
    try:
        folder.mkdir(mode=FOLDER_MODE, parents=True, exist_ok=True)
    except PermissionError as error:
        raise NodeError("folder_read_only", f"{folder}: {error.strerror}") from error
    except (FileExistsError, NotADirectoryError) as error:
        raise NodeError("folder_unusable", f"{folder} is no folder") from error
    as_effective_user = os.access in os.supports_effective_ids
    if not os.access(folder, os.R_OK | os.W_OK | os.X_OK, effective_ids=as_effective_user):
        raise NodeError("folder_read_only", str(folder))


def write_private(path: Path, content: bytes) -> None:
    """Write a file that only this user may read, in place of what stands there, through a synced rename."""
    unfinished = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    try:
        write_new(unfinished, content)
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)


def write_new(path: Path, content: bytes) -> None:
    """Write a file that only this user may read, and sync it; raises FileExistsError where one stands."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, FILE_MODE)
    with open(handle, "wb") as file:  # noqa: PTH123  the mode is set as the file is made, not after
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def sync_folder(folder: Path) -> None:
    """Make the names in a folder survive a power cut."""
    handle = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def check_private(path: Path) -> None:
    """Refuse a file or folder that another user of this machine may read or write."""
    mode = path.stat().st_mode
    if mode & _OTHERS:
        wanted = FOLDER_MODE if stat.S_ISDIR(mode) else FILE_MODE
        raise NodeError("vault_permissions", f"chmod {wanted:o} {path}")
