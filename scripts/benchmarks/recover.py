"""A burnt community comes back: from its words and two peers until it has sold again, in processes of their own.

Two communities follow a third one's mix of records, are vouched for, and keep its key box; then its node stops and
its folder counts as burnt. The clock runs from `wildgrass recover` on an empty folder until the node that was
started on it has published and answers for it.
"""

import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from benchmarks.houses import fill, found, settle
from benchmarks.measuring import Bench, Figure, Goal, tell
from benchmarks.mix import MIX, Mix
from benchmarks.processes import Run, running
from node.vault import Kit
from storage.backups import kept_box
from storage.engine import open_store
from storage.heads import HeadStore

_LOOK_SECONDS = 0.2
_SECONDS_MAX = 600.0
_SETTING = "four processes, TLS, disk under all"


@dataclass(frozen=True, slots=True)
class Burnt:
    """What was in the folder that burnt, and the words that are left."""

    folder: Path
    words: Path
    community: bytes
    sizes: dict[str, int]


def figures(bench: Bench) -> Iterator[Figure]:
    """Measure the way back, as often as there are rounds."""
    lost, peers = lost_community(bench), [bench.scratch / name for name in ("ferry", "mill")]
    for folder in peers:
        found(folder)
    recovered, cpu, selling = asyncio.run(_rounds(bench, lost, peers))
    count, beside = sum(lost.sizes.values()), f"{_SETTING}; {MIX}"
    yield bench.figure("recover.lanes", "s", n=count, values=recovered, beside=f"{beside}; the command alone")
    yield bench.figure(
        "recover.cpu", "s", n=count, values=cpu, beside=f"{beside}; the command alone, all cores"
    )
    yield bench.figure(
        "recover.selling",
        "s",
        n=count,
        values=selling,
        beside=beside,
        goal=Goal(kind="at_most", value=120.0),
    )


def lost_community(bench: Bench) -> Burnt:
    """Fill the folder of a community, which counts as burnt once its node has handed all of it over."""
    folder, kits = bench.scratch / "lost", list[Kit]()
    vault = found(folder, kits.append)
    words = bench.scratch / "words"
    words.write_text(kits[0].words, encoding="utf-8")
    mix = Mix(vault)
    tell(f"recover: a community of {bench.records} records")
    opening = list(mix.opening())
    sizes = fill(
        folder, vault.community, (each for part in (opening, mix.records(bench.records)) for each in part)
    )
    asyncio.run(settle(folder))
    return Burnt(folder, words, vault.community, sizes)


async def _rounds(
    bench: Bench, lost: Burnt, folders: Sequence[Path]
) -> tuple[list[float], list[float], list[float]]:
    async with running(folders[0]) as one, running(folders[1]) as other:
        await hand_over(lost, (one, other))
        recovered, cpu, selling = list[float](), list[float](), list[float]()
        for number in range(bench.rounds):
            tell(f"recover, round {number + 1}: words and two peers")
            folder = bench.scratch / f"new-{number}"
            os.sync()
            began, began_cpu = time.monotonic(), _children_cpu()
            await asyncio.to_thread(recover_with_words, folder, lost.words, (one.address, other.address))
            recovered.append(time.monotonic() - began)
            cpu.append(_children_cpu() - began_cpu)
            async with running(folder) as node:
                shop = {"sector": "food", "name": {"en": "Back again"}}
                await node.api.call("POST", "/shops", shop)
                selling.append(time.monotonic() - began)
            shutil.rmtree(folder)
        return recovered, cpu, selling


def _children_cpu() -> float:
    """The CPU seconds of processes that have ended: the command's, for the nodes go on."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


async def hand_over(lost: Burnt, peers: Sequence[Run]) -> None:
    """Have both peers hold every lane and the key box, then stop the node that gave them."""
    tell("recover: two peers fetch it all")
    async with running(lost.folder) as giver:
        for peer in peers:
            own = await peer.api.call("GET", "/status")
            await giver.api.call("POST", f"/peers/{own['community']}/vouch")
            await peer.api.call("POST", "/peers", {"address": giver.address})
        for peer in peers:
            deadline = time.monotonic() + _SECONDS_MAX
            while not _holds(peer.folder, lost):
                if time.monotonic() > deadline:
                    raise TimeoutError(f"{peer.folder} has not got there in {_SECONDS_MAX:.0f} s")
                await asyncio.sleep(_LOOK_SECONDS)


def _holds(folder: Path, lost: Burnt) -> bool:
    with open_store(folder, writer=False) as store, store.read() as connection:
        heads = {
            head.lane: head.size for head in HeadStore(connection).heads() if head.community == lost.community
        }
        has_lanes = all(heads.get(lane, 0) >= size for lane, size in lost.sizes.items())
        return has_lanes and kept_box(connection, lost.community) is not None


def recover_with_words(folder: Path, words: Path, addresses: Sequence[str]) -> None:
    """Run `wildgrass recover` to its end; raises `CalledProcessError` where it refuses."""
    peers = [part for address in addresses for part in ("--peer", address)]
    files = ["--folder", str(folder), "--words-file", str(words)]
    command = [sys.executable, "-m", "node.cli", "recover", *files, "--json"]
    done = subprocess.run([*command, *peers], stdout=subprocess.PIPE, check=True)
    assert json.loads(done.stdout.splitlines()[-1])["epoch"], "a new epoch is open"
