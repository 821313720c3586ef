"""`wildgrass demo` as a real process, in an environment whose own node it must never touch.

with demo(tmp_path, "--json") as process:
    output, said = process.communicate()
"""

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from node.operations.lifecycle import RUNNING_FILE, RunningNode

ROOT = Path(__file__).resolve().parents[2]


@contextmanager
def demo(folder: Path, *arguments: str) -> Iterator[subprocess.Popen[str]]:
    """Start it in `folder`, where `real` is named as the user's own node and `temp` as the place for folders."""
    (folder / "temp").mkdir()
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT),
        "PYTHONWARNINGS": "error",
        "TMPDIR": str(folder / "temp"),
        "WILDGRASS_FOLDER": str(folder / "real"),
        "WILDGRASS_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "WILDGRASS_LANGUAGE": "en",
    }
    with subprocess.Popen(
        [sys.executable, "-m", "node.cli", "demo", *arguments],
        cwd=folder,
        env=environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        encoding="utf-8",
    ) as process:
        try:
            yield process
        finally:
            process.terminate()


def read_until(process: subprocess.Popen[str], words: str) -> str:
    """Read what it says until a line has these words; return all of it, to the end where none has them."""
    assert process.stderr is not None
    said = ""
    for line in process.stderr:
        said += line
        if words in line:
            break
    return said


def running_pids(folder: Path) -> list[int]:
    """The processes of the nodes that are running below a folder."""
    notes = sorted(folder.glob(f"*/{RUNNING_FILE}"))
    return [msgspec.json.decode(note.read_bytes(), type=RunningNode).pid for note in notes]


def is_alive(pid: int) -> bool:
    """Whether there is such a process and it is no zombie."""
    try:
        status = Path(f"/proc/{pid}/stat").read_text()
    except FileNotFoundError:
        return False
    return status.rpartition(")")[2].split()[0] != "Z"
