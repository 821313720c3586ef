"""A traced run: sync(records) < sync(guard) < signed note < sync(checkpoint) < first byte sent."""

import base64
import re
import shutil
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.durability.running import SHOP, RunningNode

CALLS = "pwrite64,fdatasync,fsync,sendto,sendmsg,write,writev"
LINE = re.compile(r"(?P<thread>\d+) +(?P<name>\w+)\((?P<rest>.*)")
RESUMED = re.compile(r"(?P<thread>\d+) +<\.\.\. (?P<name>\w+) resumed>.*")
FILE = re.compile(r"\d+<(?P<path>[^>]*)>")


@dataclass(frozen=True)
class Event:
    """A finished sync of a file, or bytes on their way to a file or a socket."""

    kind: str
    path: str
    content: bytes = b""


def events(record: Path) -> Iterator[Event]:
    """Syncs count when they end, writes when they begin: the strictest reading."""
    syncing: dict[str, str] = {}
    with record.open() as lines:
        for line in lines:
            if (resumed := RESUMED.match(line)) and resumed["name"] in ("fdatasync", "fsync"):
                yield Event("sync", syncing.pop(resumed["thread"]))
            found = LINE.match(line)
            if found is None or (opened := FILE.match(found["rest"])) is None:
                continue
            path = _plain(opened["path"])
            if found["name"] in ("fdatasync", "fsync"):
                if "<unfinished" in line:
                    syncing[found["thread"]] = path
                else:
                    yield Event("sync", path)
            else:
                texts = re.findall(r'"((?:\\x[0-9a-f]{2})*)"', found["rest"])
                content = b"".join(bytes.fromhex(text.replace("\\x", "")) for text in texts)
                yield Event("bytes", path, content)


def _plain(path: str) -> str:
    return re.sub(r"\\x([0-9a-f]{2})", lambda code: chr(int(code[1], 16)), path)


def first(found: list[Event], after: int, kind: str, path: str, content: bytes = b"") -> int:
    """The place of the first such event past `after`."""
    return next(
        index
        for index, event in enumerate(found)
        if index > after and event.kind == kind and path in event.path and content in event.content
    )


@pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed here")
def test_nothing_is_sent_before_it_is_synced_guarded_and_synced_again(tmp_path: Path) -> None:
    """One listing of a running node, followed through every system call to the first reader of its head."""
    record = tmp_path / "trace"
    trace = ["strace", "-f", "-y", "-xx", "-s", "1000000", "-e", f"trace={CALLS}", "-o", record]
    node = RunningNode(tmp_path / "node", trace)
    shop_id = node.post("/shops", SHOP)["shop_id"]
    node.post("/listings", node.listing(shop_id, 7))
    deadline = time.monotonic() + 20
    while (note := node.checkpoint()).split(b"\n")[1] != b"3":
        assert time.monotonic() < deadline
        time.sleep(0.05)
    node.stop()
    found = list(events(record))
    wal, guard_wal = "wildgrass.db-wal", "guard.db-wal"
    signature = note.rsplit(b" ", 1)[1].strip()
    root = base64.b64decode(note.split(b"\n")[2])
    written = first(found, -1, "bytes", wal, b"Traced tomato 7")
    synced = first(found, written, "sync", wal)
    guarded = first(found, -1, "bytes", guard_wal, root)
    guard_synced = first(found, guarded, "sync", guard_wal)
    signed = first(found, -1, "bytes", wal, signature)
    note_synced = first(found, signed, "sync", wal)
    sent = first(found, -1, "bytes", "socket:", signature)
    assert written < synced < guarded < guard_synced < signed < note_synced < sent
