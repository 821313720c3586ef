"""Backfill of an empty node from another: two `wildgrass up` processes, TLS between them, disks under both.

The clock runs from the request that names the peer's address, so it counts dialling and the handshake, until the
heads are adopted: every record verified and synced, covered by a signed checkpoint that is synced itself. Beside
it, round by round, Hypercore replicates as many blocks of as many bytes: one record a block, and packed at 100.
The same with the mix of records, until the views are folded and until search has them all. Before each run the
system writes out what the runs before left unwritten, or the first sync of this one would wait for it.
"""

import asyncio
import json
import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from benchmarks.houses import fill, found, settle
from benchmarks.measuring import Bench, Figure, Goal, tell
from benchmarks.mix import EXACT_BYTES, MIX, Mix
from benchmarks.processes import Run, cpu_seconds, peak_resident_mib, running
from storage.engine import Store, open_store
from storage.heads import HeadStore
from storage.views.reading import StateReader
from storage.views.search_queue import queued_count

PACKED_AT = 100
_POLL_SECONDS = 0.01
_SECONDS_MAX = 600.0
_SETTING = "two processes, TLS, disk on both sides, this process looks at the store"


@dataclass(frozen=True, slots=True)
class Backfill:
    """Seconds until the records were durable, folded and indexed; CPU seconds and peak memory of the receiver."""

    durable_seconds: float
    folded_seconds: float
    indexed_seconds: float
    durable_cpu_seconds: float
    folded_cpu_seconds: float
    peak_mib: float


@dataclass(frozen=True, slots=True)
class Source:
    """A filled folder: its community and the size of every lane."""

    folder: Path
    community: bytes
    sizes: dict[str, int]

    @property
    def records(self) -> int:
        """How many records there are."""
        return sum(self.sizes.values())


def figures(bench: Bench) -> Iterator[Figure]:
    """Measure facts beside Hypercore, then the mix with its views."""
    peer = _hypercore(bench)
    exact = source_of(bench, "exact", is_mix=False)
    own: list[Backfill] = []
    single: list[float] = []
    packed: list[float] = []
    for number in range(bench.rounds):
        tell(f"backfill, round {number + 1}: {exact.records} records of {EXACT_BYTES} bytes")
        own.append(_backfill(bench, exact, f"exact-{number}"))
        if peer is not None:
            tell(f"backfill, round {number + 1}: Hypercore, one record a block, then {PACKED_AT} a block")
            single.append(_replicate(peer, bench.records, EXACT_BYTES))
            packed.append(_replicate(peer, bench.records // PACKED_AT, EXACT_BYTES * PACKED_AT) * PACKED_AT)
    yield from _facts(bench, exact, own)
    yield from _ratios(bench, exact, own, single, packed)
    mixed = source_of(bench, "mixed", is_mix=True)
    own = []
    for number in range(bench.rounds):
        tell(f"backfill, round {number + 1}: {mixed.records} records of the mix, with views")
        own.append(_backfill(bench, mixed, f"mixed-{number}"))
    yield from _views(bench, mixed, own)


def _facts(bench: Bench, source: Source, own: list[Backfill]) -> Iterator[Figure]:
    count, beside = source.records, f"{_SETTING}; {EXACT_BYTES} bytes a record"
    rates = [count / one.durable_seconds for one in own]
    yield bench.figure("backfill.facts", "records/s", n=count, values=rates, beside=beside)
    cpu = [one.durable_cpu_seconds / count * 1e6 for one in own]
    yield bench.figure("backfill.facts_cpu", "us/record", n=count, values=cpu, beside=beside)
    peaks = [one.peak_mib for one in own]
    yield bench.figure(
        "backfill.peak_memory", "MiB", n=count, values=peaks, beside=f"{beside}; views, search"
    )


def _ratios(
    bench: Bench, source: Source, own: list[Backfill], single: list[float], packed: list[float]
) -> Iterator[Figure]:
    if not single:
        tell(
            "backfill: no ratios, because ../shared/peers/hypercore (or WILDGRASS_SHARED) or node is not here"
        )
        return
    rates = [source.records / one.durable_seconds for one in own]
    for name, theirs, goal, how in (
        ("hypercore_single", single, 10.0, "one record a block"),
        ("hypercore_packed", packed, 1.0, f"{PACKED_AT} records a block"),
    ):
        beside = f"two processes, loopback TCP, disk on both sides; {how}"
        yield bench.figure(f"backfill.{name}", "records/s", n=bench.records, values=theirs, beside=beside)
        yield bench.figure(
            f"backfill.ratio_to_{name}",
            "times Hypercore",
            n=bench.records,
            values=[mine / other for mine, other in zip(rates, theirs, strict=True)],
            beside="the two runs of one round, one after the other",
            goal=Goal(kind="at_least", value=goal),
        )


def _views(bench: Bench, source: Source, own: list[Backfill]) -> Iterator[Figure]:
    count, beside = source.records, f"{_SETTING}; {MIX}"
    yield bench.figure(
        "backfill.with_views",
        "records/s",
        n=count,
        values=[count / one.folded_seconds for one in own],
        beside=beside,
        goal=Goal(kind="at_least", value=20_000),
    )
    cpu = [one.folded_cpu_seconds / count * 1e6 for one in own]
    yield bench.figure("backfill.with_views_cpu", "us/record", n=count, values=cpu, beside=beside)
    listings = source.sizes["market/food"] * 10 // 11
    rates = [listings / max(one.indexed_seconds - one.folded_seconds, 1e-9) for one in own]
    yield bench.figure(
        "backfill.search", "listings/s", n=listings, values=rates, beside=f"{_SETTING}; after the views"
    )


def source_of(bench: Bench, name: str, *, is_mix: bool) -> Source:
    """Fill a folder with records, and have its node fold, sign and index them: it gives, and does nothing else."""
    folder = bench.scratch / name
    vault = found(folder)
    mix = Mix(vault) if is_mix else Mix(vault, listing_bytes=EXACT_BYTES)
    tell(f"backfill: a source of {bench.records} records ({name})")
    opening = list(mix.opening())
    records = mix.records(bench.records) if is_mix else mix.listings(bench.records)
    sizes = fill(folder, vault.community, (record for part in (opening, records) for record in part))
    asyncio.run(settle(folder))
    return Source(folder, vault.community, sizes)


def _backfill(bench: Bench, source: Source, name: str) -> Backfill:
    folder = bench.scratch / f"empty-{name}"
    found(folder)
    return asyncio.run(_watch(source, folder))


async def _watch(source: Source, folder: Path) -> Backfill:
    async with running(source.folder) as giver, running(folder) as taker:
        with open_store(folder, writer=False) as store:
            os.sync()
            began, began_cpu = time.monotonic(), cpu_seconds(taker.pid)
            await taker.api.call("POST", "/peers", {"address": giver.address})
            durable = await _until(store, taker, source, _is_durable)
            durable_cpu = cpu_seconds(taker.pid)
            folded = await _until(store, taker, source, _is_folded)
            folded_cpu = cpu_seconds(taker.pid)
            indexed = await _until(store, taker, source, _is_indexed)
        return Backfill(
            durable - began,
            folded - began,
            indexed - began,
            durable_cpu - began_cpu,
            folded_cpu - began_cpu,
            peak_resident_mib(taker.pid),
        )


async def _until(
    store: Store, taker: Run, source: Source, question: Callable[[StateReader, Source], bool]
) -> float:
    """Look until the answer is yes, and return when that was."""
    deadline = time.monotonic() + _SECONDS_MAX
    while time.monotonic() < deadline:
        with store.read() as connection:
            if question(StateReader(connection), source):
                return time.monotonic()
        await asyncio.sleep(_POLL_SECONDS)
    raise TimeoutError(f"{taker.folder} has not got there in {_SECONDS_MAX:.0f} s")


def _is_durable(read: StateReader, source: Source) -> bool:
    heads = {
        head.lane: head.size
        for head in HeadStore(read.connection).heads()
        if head.community == source.community
    }
    return all(
        heads.get(lane, 0) >= size for lane, size in source.sizes.items()
    )  # it states its lanes meanwhile


def _is_folded(read: StateReader, source: Source) -> bool:
    clocks = {lane: read.get("lane_clock", (source.community, lane)) for lane in source.sizes}
    return all(clock is not None and clock.size >= source.sizes[lane] for lane, clock in clocks.items())


def _is_indexed(read: StateReader, _source: Source) -> bool:
    return not queued_count(read.connection)


def _hypercore(bench: Bench) -> Path | None:
    """The script that runs Hypercore, where it and node.js are on this machine."""
    script = bench.shared / "peers" / "hypercore" / "run.sh" if bench.shared else None
    return script if script is not None and script.is_file() and shutil.which("node") else None


def _replicate(script: Path, blocks: int, block_bytes: int) -> float:
    """Return blocks a second."""
    os.sync()
    done = subprocess.run(
        [str(script), str(blocks)],
        env={**os.environ, "BLK": str(block_bytes)},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    answer = json.loads(done.stdout)
    assert not answer["bad"], "Hypercore's own check of its blocks"
    return blocks / float(answer["secs"])
