"""A disk that forgets: replays the system calls of a real run and drops what was not synced before a cut.

`strace` records what a program really wrote, synced, renamed and said. `Disk` plays that record up to any
step; `crash` then says what may be found after the power went: what was synced surely, the rest in part, in
any order, torn at sectors. A file's name is safe once its folder was synced, as POSIX has it, not sooner.
Memory-mapped files (`-shm` of SQLite) leave no calls; SQLite rebuilds them.
"""

import re
import subprocess
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random

SECTOR_BYTES = 512

_CALLS = "openat,pwrite64,write,ftruncate,fsync,fdatasync,unlink,unlinkat,rename,renameat,renameat2"
_LINE = re.compile(r"(?P<name>\w+)\((?P<arguments>.*)\)\s+= (?P<result>-?\d+)(?:<(?P<opened>[^>]*)>)?.*")
_FILE = re.compile(r"(?P<number>\d+)<(?P<path>[^>]*)>")
_TEXT = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True)
class Write:
    path: str
    offset: int
    content: bytes


@dataclass(frozen=True)
class Truncate:
    path: str
    size: int


@dataclass(frozen=True)
class Sync:
    path: str


@dataclass(frozen=True)
class Create:
    path: str


@dataclass(frozen=True)
class Unlink:
    path: str


@dataclass(frozen=True)
class Rename:
    path: str
    target: str


@dataclass(frozen=True)
class Said:
    """A line on standard output: from here on the world may rely on it."""

    line: str


Step = Write | Truncate | Sync | Create | Unlink | Rename | Said


def traced_run(command: Sequence[str | Path], folder: Path, record: Path) -> list[Step]:
    """Run a program of one thread and return what it did to files below `folder`, and what it said."""
    subprocess.run(
        ["strace", "-y", "-xx", "-s", "100000000", "-e", f"trace={_CALLS}", "-o", record, *command],
        check=True,
        capture_output=True,
    )
    with record.open() as lines:
        return list(_steps(lines, str(folder)))


def _steps(lines: Iterator[str], folder: str) -> Iterator[Step]:
    for line in lines:
        found = _LINE.fullmatch(line.rstrip("\n"))
        if found is None:
            assert "exited with" in line or line.startswith("---"), line[:200]
            continue
        if not found["result"].startswith("-"):
            yield from _step(found, folder)


def _step(found: re.Match[str], folder: str) -> Iterator[Step]:
    arguments = found["arguments"]
    match found["name"]:
        case "openat" if "O_CREAT" in arguments or "O_TRUNC" in arguments:
            path = _plain(found["opened"])
            if path.startswith(folder):
                yield Create(path)
                if "O_TRUNC" in arguments:
                    yield Truncate(path, 0)
        case "write" if arguments.startswith("1<"):
            yield from (Said(line) for line in _texts(arguments)[0].decode().splitlines())
        case "fsync" | "fdatasync" if _path(arguments).startswith(folder):
            yield Sync(_path(arguments))
        case "unlink" | "unlinkat" if (path := _texts(arguments)[0].decode()).startswith(folder):
            yield Unlink(path)
        case "rename" | "renameat" | "renameat2":
            path, target = (text.decode() for text in _texts(arguments))
            if target.startswith(folder):
                yield Rename(path, target)
        case "pwrite64" if _path(arguments).startswith(folder):
            content = _texts(arguments)[0][: int(found["result"])]
            yield Write(_path(arguments), int(arguments.rsplit(", ", 1)[1]), content)
        case "ftruncate" if _path(arguments).startswith(folder):
            yield Truncate(_path(arguments), int(arguments.rsplit(", ", 1)[1]))
        case "write":
            assert not _path(arguments).startswith(folder), "a write without an offset is not replayed"


def _path(arguments: str) -> str:
    found = _FILE.match(arguments)
    return _plain(found["path"]) if found else ""


def _plain(path: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), path)


def _texts(arguments: str) -> list[bytes]:
    return [bytes.fromhex(text.replace("\\x", "")) for text in _TEXT.findall(arguments)]


@dataclass
class _File:
    synced: bytearray = field(default_factory=bytearray)
    pending: list[Write | Truncate] = field(default_factory=list)

    def after(self, chance: Random | None) -> bytes:
        """The bytes after a crash: with no `chance` only what was synced."""
        content = bytearray(self.synced)
        for step in self.pending if chance else []:
            if chance.random() < 0.5:
                _apply(content, step if chance.random() < 0.5 else _torn(step, chance))
        return bytes(content)

    def sync(self) -> None:
        for step in self.pending:
            _apply(self.synced, step)
        self.pending.clear()


def _apply(content: bytearray, step: Write | Truncate) -> None:
    if isinstance(step, Truncate):
        content[step.size :] = bytes(max(0, step.size - len(content)))
        return
    content.extend(bytes(max(0, step.offset - len(content))))
    content[step.offset : step.offset + len(step.content)] = step.content


def _torn(step: Write | Truncate, chance: Random) -> Write | Truncate:
    """The part of a write that reached the disk: it ends at some sector."""
    if isinstance(step, Truncate):
        return step
    reached = chance.randrange(len(step.content) // SECTOR_BYTES + 1) * SECTOR_BYTES
    return Write(step.path, step.offset, step.content[:reached])


class Disk:
    """The files below one folder as a program's steps leave them."""

    def __init__(self) -> None:
        self._names: dict[str, _File] = {}  # as the running system sees them
        self._safe_names: dict[str, _File] = {}  # as the disk has them

    def play(self, step: Step) -> None:
        match step:
            case Create(path):
                self._names.setdefault(path, _File())
            case Write(path) | Truncate(path):
                self._names[path].pending.append(step)
            case Sync(path) if path in self._names:
                self._names[path].sync()
            case Sync(folder):
                self._safe_names = {
                    **{
                        path: file
                        for path, file in self._safe_names.items()
                        if Path(path).parent != Path(folder)
                    },
                    **{path: file for path, file in self._names.items() if Path(path).parent == Path(folder)},
                }
            case Unlink(path):
                self._names.pop(path, None)
            case Rename(path, target):
                self._names[target] = self._names.pop(path)

    def crash(self, chance: Random | None) -> dict[str, bytes]:
        """What is found after the power went: with no `chance` the least, else some of what may be."""
        names = self._safe_names if chance is None or chance.random() < 0.5 else self._names
        return {path: file.after(chance) for path, file in names.items()}
