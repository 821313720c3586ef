"""An idle node that holds many listings: its memory, and the CPU until its first answer, with byte code.

The node is a real `wildgrass up`, started once before so that its byte code is there. CPU seconds are those of the
whole process, from its start until its first HTTP answer has arrived; memory is read after it was left alone.
"""

import asyncio
from collections.abc import Iterator
from pathlib import Path

from benchmarks.houses import fill, found, settle
from benchmarks.measuring import Bench, Figure, Goal, tell
from benchmarks.mix import EXACT_BYTES, Mix
from benchmarks.processes import cpu_seconds, resident_mib, running

LEFT_ALONE_SECONDS = 10.0
_WORDS = "rice"


def figures(bench: Bench) -> Iterator[Figure]:
    """Start the node `rounds` times."""
    folder = bench.scratch / "idle"
    vault = found(folder)
    mix = Mix(vault, listing_bytes=EXACT_BYTES)
    tell(f"idle: a node with {bench.records} listings, folded and indexed")
    fill(folder, vault.community, mix.opening())
    fill(folder, vault.community, mix.listings(bench.records))
    asyncio.run(settle(folder))
    asyncio.run(_start(folder, seconds_alone=0.0))
    runs = []
    for number in range(bench.rounds):
        tell(f"idle, round {number + 1}: start, first answer, {LEFT_ALONE_SECONDS:.0f} s alone")
        runs.append(asyncio.run(_start(folder, seconds_alone=LEFT_ALONE_SECONDS)))
    beside = f"{bench.records} listings in its store; mDNS off"
    yield bench.figure(
        "idle.memory",
        "MiB",
        n=bench.records,
        values=[memory for _, memory, _ in runs],
        beside=f"{beside}; {LEFT_ALONE_SECONDS:.0f} s after its first answer",
        goal=Goal(kind="below", value=96),
    )
    yield bench.figure(
        "idle.memory_after_search",
        "MiB",
        n=bench.records,
        values=[memory for _, _, memory in runs],
        beside=f"{beside}; after 50 searches and pages of listings",
    )
    yield bench.figure(
        "idle.cpu_to_first_answer",
        "CPU seconds",
        n=1,
        values=[cpu for cpu, _, _ in runs],
        beside=f"{beside}; byte code there",
        goal=Goal(kind="at_most", value=1.0),
    )


async def _start(folder: Path, *, seconds_alone: float) -> tuple[float, float, float]:
    """Return the CPU seconds to the first answer, and the memory when idle and when used."""
    async with running(folder) as node:
        await node.api.call("GET", "/status")
        cpu = cpu_seconds(node.pid)
        await asyncio.sleep(seconds_alone)
        alone = resident_mib(node.pid)
        for _ in range(50):
            await node.api.call("GET", "/search", {"words": _WORDS})
            await node.api.call("GET", "/listings", {"sector": "food"})
        return cpu, alone, resident_mib(node.pid)
