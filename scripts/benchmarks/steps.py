"""SIGKILL at each step of two ways back: of a restored old folder, and of a recovery from words and two peers.

All are processes of their own. One folder goes through all steps, one after the other: each start comes as far as
the step at which it is killed, and the next one goes on by itself. At the end nothing that was acknowledged is lost,
nobody has seen a second history, and the community sells again.
"""

import asyncio
import shutil
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import suppress
from pathlib import Path

from benchmarks import killed_at
from benchmarks.houses import found
from benchmarks.measuring import Bench, Figure, tell
from benchmarks.processes import Run, running
from benchmarks.recover import Burnt, hand_over, lost_community, recover_with_words
from node.errors import NodeError
from node.operations.demo.processes import environment
from node.vault import open_vault
from protocol.identity.keys import from_base32, to_base32
from protocol.log.merkle import leaf_hash
from storage.acknowledgements import acknowledging_peers
from storage.engine import open_store
from storage.evidence import evidence_about
from storage.heads import HeadStore
from storage.lanes import LaneStore
from storage.successors import successor_notes

HEALING_STEPS = (
    "node.peering:own_heads",  # what this store says of its own lanes is read
    "node.peering:heads_of",  # and the neighbour is asked
    "node.peering:NodePeering.stop_signing",  # it holds more
    "node.peering:take_run",  # the first of it is stored
    "node.writer.lane_writer:LaneWriter.allow_signing",  # all of it is
    "node.writer.own_lanes:OwnLanes.marks_of_heads",  # the store's marks follow
    "node.writer.own_lanes:OwnLanes.settle_marks",  # they have, the guard's have not
    "node.writer.own_lanes:OwnLanes.settle_guarded",  # both have
)
RECOVERY_STEPS = (
    "node.recovery.recovering:write_marker",
    "node.recovery.recovering:put_keys",
    "node.peering:take_run",
    "node.recovery.recovering:fetch_sealed",
    "node.recovery.recovering:make_note",
    "node.recovery.recovering:add_log_key",
    "node.recovery.recovering:write_key_box",
    "node.recovery.recovering:learn_successor",
    "node.recovery.recovering:remove_marker",
)
LANE = "market/food"
_SECONDS_MAX = 120.0
_LOOK_SECONDS = 0.05
_SETTING = "processes of their own, TLS, SIGKILL"

Acknowledged = list[tuple[int, str]]  # index and record id of shops


def figures(bench: Bench) -> Iterator[Figure]:
    """Kill at every step of both, and say how many kills were gone through."""
    healed = asyncio.run(heal_through_kills(bench.scratch, HEALING_STEPS))
    yield bench.figure("kill_steps.healing", "kills", n=len(HEALING_STEPS), values=[healed], beside=_SETTING)
    recovered = recover_through_kills(bench, RECOVERY_STEPS)
    yield bench.figure(
        "kill_steps.recovery", "kills", n=len(RECOVERY_STEPS), values=[recovered], beside=_SETTING
    )


async def heal_through_kills(scratch: Path, steps: Sequence[str]) -> int:
    """Put an old copy of the whole folder back, and kill at each step of its healing; return how many kills.

    Raises `AssertionError` where something acknowledged is lost, or a second history was signed.
    """
    folder, old, said = scratch / "orchard", scratch / "old", Acknowledged()
    own = found(folder).community
    found(scratch / "ferry")
    async with running(scratch / "ferry") as ferry:
        async with running(folder) as orchard:
            for one, other in ((orchard, ferry), (ferry, orchard)):
                await one.api.call("POST", "/peers", {"address": other.address})
            await _say_and_show(orchard, ferry, said)
        shutil.copytree(folder, old)
        async with running(folder) as orchard:
            for _ in range(3):
                await _say_and_show(orchard, ferry, said)
        shutil.rmtree(folder)
        shutil.copytree(old, folder)
        for step in steps:
            tell(f"kill-steps: healing, killed at {step}")
            await _killed_at(step, "up", "--folder", str(folder), *_quiet())
        async with running(folder) as orchard:
            await _say_and_show(orchard, ferry, said)
        _check_history(folder, ferry.folder, own, said)
    return len(steps)


def recover_through_kills(bench: Bench, steps: Sequence[str]) -> int:
    """Bring a burnt community back through a kill at each step; return how many kills.

    Raises `AssertionError` where a lane is not what the peers hold, or more than one note closes the epoch.
    """
    lost = lost_community(bench)
    folders = [bench.scratch / name for name in ("quay", "mill")]
    for folder in folders:
        found(folder)
    return asyncio.run(_recover_through_kills(bench.scratch / "back", lost, folders, steps))


async def _recover_through_kills(
    folder: Path, lost: Burnt, folders: Sequence[Path], steps: Sequence[str]
) -> int:
    async with running(folders[0]) as one, running(folders[1]) as other:
        await hand_over(lost, (one, other))
        addresses = (one.address, other.address)
        peers = [part for address in addresses for part in ("--peer", address)]
        command = ["recover", "--folder", str(folder), "--words-file", str(lost.words), "--json", *peers]
        for step in steps:
            tell(f"kill-steps: recovery, killed at {step}")
            await _killed_at(step, *command)
        await asyncio.to_thread(recover_with_words, folder, lost.words, addresses)
        assert _entries(folder, lost.community, 0) == _entries(folders[0], lost.community, 0)
        with open_store(folder) as store, store.read() as connection:
            notes = successor_notes(connection, lost.community)
        assert {epoch: len(some) for epoch, some in notes.items()} == {0: 1}, "one note closes the lost epoch"
        assert open_vault(folder).community == lost.community
        async with running(folder) as node:
            await _say(node)
    return len(steps)


async def _killed_at(step: str, *arguments: str) -> None:
    """Run a command until it is killed at its step; one that ends otherwise has not come there."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-P", killed_at.__file__, step, *arguments),
        env=environment(),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.DEVNULL,
        stderr=asyncio.subprocess.DEVNULL,
    )
    try:
        async with asyncio.timeout(_SECONDS_MAX):
            code = await process.wait()
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert code == -signal.SIGKILL, f"{step} was not reached: exit code {code}"


def _quiet() -> tuple[str, ...]:
    listening = ("--listen-http", "127.0.0.1:0", "--listen-federation", "127.0.0.1:0")
    return (*listening, "--mdns", "off", "--no-qr", "--json")


async def _say_and_show(node: Run, peer: Run, said: Acknowledged) -> None:
    """Publish a shop, and wait until the peer holds it under a head and the node knows that it does."""
    said.append(await _say(node))
    own = open_vault(node.folder).community
    theirs = open_vault(peer.folder).community

    def is_shown() -> bool:
        with open_store(node.folder, writer=False) as store, store.read() as connection:
            is_known = theirs in acknowledging_peers(connection)
        return is_known and len(_entries(peer.folder, own, 0).get(LANE, ())) > said[-1][0]

    async with asyncio.timeout(_SECONDS_MAX):
        while not is_shown():  # noqa: ASYNC110  another process writes it
            await asyncio.sleep(_LOOK_SECONDS)


async def _say(node: Run) -> tuple[int, str]:
    """Publish a shop as soon as the node may write."""
    async with asyncio.timeout(_SECONDS_MAX):
        while True:
            with suppress(NodeError):
                shop = {"sector": "food", "name": {"en": "Here all the same"}}
                record = (await node.api.call("POST", "/shops", shop))["record"]
                return int(record["index"]), str(record["record_id"])
            await asyncio.sleep(_LOOK_SECONDS)


def _check_history(folder: Path, peer: Path, community: bytes, said: Acknowledged) -> None:
    """What was acknowledged stands at its index with the node and with its neighbour, and nobody knows of a fork."""
    own, shown = (_entries(each, community, 0) for each in (folder, peer))
    for index, record_id in said:
        assert leaf_hash(own[LANE][index]) == leaf_hash(shown[LANE][index]) == from_base32(record_id, 32)
    assert len({index for index, _ in said}) == len(said), "two records at one index"
    for each in (folder, peer):
        with open_store(each, writer=False) as store, store.read() as connection:
            assert not evidence_about(connection, community), f"evidence about {to_base32(community)}"


def _entries(folder: Path, community: bytes, epoch: int) -> dict[str, list[bytes]]:
    """The entries under the heads that a folder holds of a community's lanes."""
    with open_store(folder, writer=False) as store, store.read() as connection:
        lanes = LaneStore(connection)
        return {
            head.lane: lanes.entries(head.lane_key, 0, head.size)
            for head in HeadStore(connection).heads()
            if (head.community, head.epoch) == (community, epoch)
        }
