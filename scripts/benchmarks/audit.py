"""The audit of bundles of the mix by `wildgrass audit`, as an auditor runs it: one process, nothing beside it.

Counted are its CPU seconds from its start to its report, Python's own start included, and the most memory that it
held, at the number of records asked for and at ten times as many.
"""

import os
import subprocess
import sys
import time
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.houses import fill, found
from benchmarks.measuring import Bench, Figure, Goal, tell
from benchmarks.mix import MIX, Mix
from benchmarks.processes import peak_resident_mib
from node.audit import write_bundle
from node.operations.demo.processes import environment
from node.vault import Vault
from protocol.audit.bundle import INDEX_PATH, format_index, parse_checkpoint_path, parse_lane_folder
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.origin import Origin
from protocol.log.tiles import parse_tile_path
from storage.engine import open_store
from storage.lanes import LaneStore

TIMES_MORE = 10

_LOOK_SECONDS = 0.05


@dataclass(frozen=True, slots=True)
class Audited:
    """What one run of the auditor used."""

    cpu_seconds: float
    peak_mib: float


class FilledFolder:
    """A `Source` over a folder that was filled and never opened: its heads are signed as they are asked for."""

    name = "filled"
    is_live = False

    def __init__(self, store: LaneStore, vault: Vault) -> None:
        """Take the lanes and the log key."""
        self._store = store
        self._log_key = vault.log_keys[0]
        lanes = store.lanes(vault.community)
        self._keys = {Origin(lane.community, lane.lane, lane.epoch): lane.lane_key for lane in lanes}

    def checkpoint_paths(self) -> Collection[str] | None:
        """The index names them all."""
        return None

    def read(self, path: str, _bytes_max: int) -> bytes | None:
        """Return the index, a checkpoint, a tile or an entry bundle."""
        if path == INDEX_PATH:
            return format_index({origin: self._store.size(key) for origin, key in self._keys.items()})
        if "/successor/" in path:
            return None
        if path.endswith("/checkpoint"):
            return self._checkpoint(parse_checkpoint_path(path))
        folder, tile, rest = path.partition("/tile/")
        address = parse_tile_path((tile + rest).removeprefix("/"))
        key = self._keys[parse_lane_folder(folder)]
        if address.level is None:
            return self._store.entry_bundle(key, address.index, address.width)
        return self._store.tile(key, address.level, address.index, address.width)

    def _checkpoint(self, origin: Origin) -> bytes:
        lane = self._store.compact_range(self._keys[origin])
        return make_checkpoint_note(Checkpoint(origin.text, lane.size, lane.root()), self._log_key)


def figures(bench: Bench) -> Iterator[Figure]:
    """Audit the small bundle `rounds` times, the large one once."""
    bundle = _bundle(bench, "small", bench.records)
    tell(f"audit: {bench.records} records")
    small = [_audit(bundle) for _ in range(bench.rounds)]
    beside = f"nothing, from its start to its report; {MIX}; no member signatures"
    yield bench.figure(
        "audit.rate",
        "records/s a core",
        n=bench.records,
        values=[bench.records / one.cpu_seconds for one in small],
        beside=beside,
        goal=Goal(kind="at_least", value=40_000),
    )
    peaks = [one.peak_mib for one in small]
    yield bench.figure("audit.memory", "MiB", n=bench.records, values=peaks, beside=beside)
    many = bench.records * TIMES_MORE
    bundle = _bundle(bench, "large", many)
    tell(f"audit: {many} records")
    large = _audit(bundle)
    yield bench.figure(
        "audit.rate_large",
        "records/s a core",
        n=many,
        values=[many / large.cpu_seconds],
        beside=beside,
    )
    yield bench.figure("audit.memory_large", "MiB", n=many, values=[large.peak_mib], beside=beside)


def _bundle(bench: Bench, name: str, records: int) -> Path:
    """Write a bundle of so many records as one tar, and leave nothing else."""
    tell(f"audit: a bundle of {records} records")
    folder, bundle = bench.scratch / name, bench.scratch / f"{name}.tar"
    vault = found(folder)
    mix = Mix(vault)
    fill(folder, vault.community, mix.opening())
    fill(folder, vault.community, mix.records(records - sum(1 for _ in Mix(vault).opening())))
    with open_store(folder, writer=False) as store, store.read() as connection:
        write_bundle(FilledFolder(LaneStore(connection), vault), bundle)
    return bundle


def _audit(bundle: Path) -> Audited:
    command = [sys.executable, "-P", "-m", "node.cli", "audit", str(bundle), "--json"]
    process = subprocess.Popen(command, cwd=bundle.parent, env=environment(), stdout=subprocess.DEVNULL)
    peak = 0.0  # looked at again and again, because what the system sums up begins with this process's own
    pid, status, used = os.wait4(process.pid, os.WNOHANG)
    while not pid:
        peak = peak_resident_mib(process.pid) or peak
        time.sleep(_LOOK_SECONDS)
        pid, status, used = os.wait4(process.pid, os.WNOHANG)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise SystemExit(f"bench: wildgrass audit ended with exit code {process.returncode}")
    return Audited(used.ru_utime + used.ru_stime, peak)
