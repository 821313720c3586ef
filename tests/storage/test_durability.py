"""Whatever is acknowledged is there after a power cut at any step, and the rest is a prefix of the truth."""

import shutil
import sys
from pathlib import Path
from random import Random

import pytest

from storage.engine import open_store
from storage.errors import StorageError
from storage.guard import SigningMarks, behind, open_guard
from storage.heads import HeadStore
from storage.lanes import LaneStore
from storage.sealed import sealed
from storage.state import StateStore
from storage.stock import stock_of
from tests.storage.durable_worker import COMMUNITY, GROUPS, TABLES, Count, entry
from tests.traced_disk import Create, Disk, Rename, Said, Step, Sync, Truncate, Unlink, Write, traced_run

SEED = 20_260
CUTS = 60
REPOSITORY = Path(__file__).parents[2]

needs_strace = pytest.mark.skipif(shutil.which("strace") is None, reason="strace is not installed here")


@pytest.fixture(scope="module")
def steps(tmp_path_factory: pytest.TempPathFactory) -> list[Step]:
    return recorded(tmp_path_factory.mktemp("traced"), "FULL")


def recorded(folder: Path, synchronous: str) -> list[Step]:
    """The steps of one real run, with paths relative to its store."""
    store = folder / "store"
    store.mkdir()
    worker = "from tests.storage.durable_worker import *; main(Path(sys.argv[1]), sys.argv[2])"
    command = [sys.executable, "-c", f"import sys; sys.path.insert(0, {str(REPOSITORY)!r}); {worker}"]
    return traced_run([*command, store, synchronous], store, folder / "trace")


def after_cut(steps: list[Step], cut: int, chance: Random | None, folder: Path) -> dict[str, int]:
    """Leave in `folder` what the disk holds when the power goes before step `cut`; return what was said."""
    disk = Disk()
    said = {"records": 0, "guard": 0, "head": 0}
    for step in steps[:cut]:
        disk.play(step)
        if isinstance(step, Said):
            what, size = step.line.split()
            said[what] = int(size)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    for path, content in disk.crash(chance).items():
        if not path.endswith("-shm"):
            (folder / Path(path).name).write_bytes(content)
    return said


def check(folder: Path, said: dict[str, int]) -> None:
    """Open what is left with the real store: nothing said is lost, nothing contradicts itself."""
    with open_store(folder) as store, open_guard(folder) as guard, store.read() as connection:
        lanes = LaneStore(connection)
        key = lanes.lane_key(COMMUNITY, "trade", 0)
        size = 0 if key is None else lanes.size(key)
        assert size >= said["records"], f"{said['records']} records were acknowledged, {size} are there"
        assert size in {sum(GROUPS[:count]) for count in range(len(GROUPS) + 1)}
        guarded = guard.marks()
        assert behind(SigningMarks(connection).marks(), guarded) == []
        assert max((mark.size for mark in guarded), default=0) >= said["guard"]
        if key is None or size == 0:
            return
        assert lanes.entries(key, 0, size) == [entry(index) for index in range(size)]
        mark = SigningMarks(connection).mark(COMMUNITY, "trade", 0)
        assert mark is not None
        assert (mark.size, mark.root) == (size, lanes.compact_range(key).root())
        state = StateStore(TABLES)
        with state.within(connection):
            assert state.get("count", ("trade",)) == Count(size)
        stock = stock_of(connection, "lamp")
        assert stock is not None
        assert stock.committed == size
        assert sealed(connection, b"details %d" % size) == entry(size)
        head = HeadStore(connection).head(key)
        assert (0 if head is None else head.size) >= said["head"]
        if head is not None:
            assert head.root == lanes.compact_range(key, head.size).root()


@needs_strace
def test_nothing_acknowledged_is_lost_at_any_cut(steps: list[Step], tmp_path: Path) -> None:
    """With every unsynced write dropped, the real store opens and holds all that was said."""
    chance = Random(SEED)
    print("seed", SEED, "steps", len(steps))
    said_at = [index + 1 for index, step in enumerate(steps) if isinstance(step, Said)]
    for cut in sorted({*said_at, *chance.sample(range(len(steps) + 1), CUTS), len(steps)}):
        said = after_cut(steps, cut, None, tmp_path / "cut")
        check(tmp_path / "cut", said)
    assert said == {"records": sum(GROUPS), "guard": sum(GROUPS), "head": sum(GROUPS)}


@needs_strace
def test_writes_that_arrive_in_part_and_out_of_order_do_no_harm(steps: list[Step], tmp_path: Path) -> None:
    """With unsynced writes kept, torn or dropped by chance, the same holds."""
    chance = Random(SEED)
    print("seed", SEED)
    for cut in sorted(chance.sample(range(len(steps) + 1), CUTS)):
        said = after_cut(steps, cut, chance, tmp_path / "cut")
        check(tmp_path / "cut", said)


@needs_strace
def test_the_fake_notices_a_store_that_does_not_sync(tmp_path: Path) -> None:
    """The counter-test: the same program told not to wait for its disk loses what it said."""
    steps = recorded(tmp_path, "OFF")
    last_said = max(index for index, step in enumerate(steps) if isinstance(step, Said)) + 1
    said = after_cut(steps, last_said, None, tmp_path / "cut")
    with pytest.raises((AssertionError, StorageError)):
        check(tmp_path / "cut", said)


def test_the_fake_keeps_what_was_synced_and_only_that() -> None:
    """Names are safe with their folder, bytes with their file; an unlinked file may come back."""
    disk = Disk()
    for step in (Create("/f/a"), Write("/f/a", 2, b"xy"), Sync("/f/a")):
        disk.play(step)
    assert disk.crash(None) == {}
    disk.play(Sync("/f"))
    disk.play(Write("/f/a", 0, b"ab"))
    assert disk.crash(None) == {"/f/a": b"\0\0xy"}
    disk.play(Truncate("/f/a", 1))
    disk.play(Sync("/f/a"))
    disk.play(Rename("/f/a", "/f/b"))
    assert disk.crash(None) == {"/f/a": b"a"}
    disk.play(Sync("/f"))
    disk.play(Unlink("/f/b"))
    assert disk.crash(None) == {"/f/b": b"a"}
    disk.play(Sync("/f"))
    assert disk.crash(None) == {}
    disk.play(Create("/f/c"))
    disk.play(Sync("/f"))
    disk.play(Write("/f/c", 0, b"1" * 2000))
    found = {disk.crash(Random(seed))["/f/c"] for seed in range(40)}
    assert {b"", b"1" * 512, b"1" * 1024, b"1" * 2000} <= found
