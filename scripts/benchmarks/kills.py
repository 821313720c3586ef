"""`kill -9` at random moments of a backfill: what was acknowledged is there, and how much is fetched twice.

A node that is never killed gives; another one fetches from it, and publishes shops of its own meanwhile, until it is
killed at a random moment and started again. A kill counts where it fell into the backfill: after the first entry was
given and before the last one was there. What the giver has given beyond what the killed node has kept is what has to
be fetched a second time: that which was under way, and nothing of what was stored.
"""

import asyncio
import os
import random
import signal
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import dataclass, field
from http.client import HTTPConnection
from pathlib import Path

import aiohttp

from benchmarks.backfill import Source, source_of
from benchmarks.houses import found
from benchmarks.measuring import Bench, Figure, Goal, tell
from benchmarks.processes import Run, running
from node.api_token import read_token
from node.errors import NodeError
from protocol.identity.keys import from_base32, to_base32
from protocol.limits import FETCH_BUNDLES_MAX, TILE_WIDTH
from protocol.log.merkle import leaf_hash
from storage.engine import open_store
from storage.guard import SigningMarks, behind, open_guard
from storage.heads import HeadStore
from storage.lanes import LaneStore

KILLS = 200
SEED = 20261201
_SECONDS_MAX = 120.0
_LOOK_SECONDS = 0.02
_SAID_MEANWHILE_MAX = 16  # the giver states its lanes in its charter, beyond the sizes that are counted
_GIVEN = "wildgrass_entries_given "
_SETTING = "two processes, TLS, disk on both sides"


@dataclass(slots=True)
class Tally:
    """What came of the kills so far: bundles fetched twice by each of them, and what was acknowledged."""

    bundles_again: list[int] = field(default_factory=list)
    acknowledged: int = 0
    whole: int = 0


@dataclass(slots=True)
class _Fetching:
    """One folder that is filled by a backfill: what its node has acknowledged, and the sizes seen of it."""

    folder: Path
    acknowledged: list[tuple[bytes, int, str]] = field(default_factory=list)
    stored: int = 0
    is_known: bool = False


def figures(bench: Bench) -> Iterator[Figure]:
    """Kill as often as the issue asks for, and say how many bundles one kill has cost."""
    source = source_of(bench, "kills", is_mix=False)
    tally = asyncio.run(kill_backfills(source, bench.scratch, kills=KILLS, seed=SEED))
    beside = (
        f"{_SETTING}; {KILLS} kills in {tally.whole} backfills, {tally.acknowledged} own records acknowledged"
    )
    yield bench.figure(
        "backfill_kills.bundles_again",
        "bundles a kill",
        n=KILLS,
        values=[max(tally.bundles_again)],
        beside=f"{beside}; the worst of all kills",
        goal=Goal(kind="at_most", value=1),
    )
    mean = sum(tally.bundles_again) / len(tally.bundles_again)
    yield bench.figure(
        "backfill_kills.bundles_again_mean", "bundles a kill", n=KILLS, values=[mean], beside=beside
    )


async def kill_backfills(
    source: Source, scratch: Path, *, kills: int, seed: int, moment_seconds: float = 1.0
) -> Tally:
    """Kill until `kills` have fallen into a backfill; each backfill that comes to its end is followed by another.

    Raises `AssertionError` where something acknowledged is lost, or a stored lane is not the giver's.
    """
    chance, tally = random.Random(seed), Tally()
    async with running(source.folder) as giver:
        while len(tally.bundles_again) < kills:
            folder = scratch / f"killed-{tally.whole}"
            found(folder)
            await _fetch_and_kill(giver, source, _Fetching(folder), tally, chance, kills, moment_seconds)
            tally.whole += 1
    return tally


async def _fetch_and_kill(
    giver: Run,
    source: Source,
    fetching: _Fetching,
    tally: Tally,
    chance: random.Random,
    kills: int,
    moment_seconds: float,
) -> None:
    """One backfill from nothing to its end, through as many kills as fall into it."""
    while True:
        given = await _given(giver)
        is_last = len(tally.bundles_again) >= kills
        moment = None if is_last else chance.uniform(0.0, moment_seconds)
        await _run_until(giver, source, fetching, given, moment)
        before, fetching.stored = fetching.stored, _verified(source, fetching)
        given = await _given(giver) - given
        if fetching.stored < source.records:
            again = max(given - (fetching.stored - before), 0)
            assert again <= _under_way_max(source), f"{again} entries: what was stored is fetched again"
            tally.bundles_again.append(-(-again // TILE_WIDTH))
            tell(
                f"backfill-kills: kill {len(tally.bundles_again)} of {kills} at {fetching.stored} of"
                f" {source.records} entries, {tally.bundles_again[-1]} bundles again"
            )
        if fetching.stored == source.records:
            tally.acknowledged += len(fetching.acknowledged)
            return


async def _run_until(
    giver: Run, source: Source, fetching: _Fetching, given: int, moment: float | None
) -> None:
    """Start the node and kill it so many seconds after it was given something; without a moment, at the end."""
    async with running(fetching.folder) as node:
        if not fetching.is_known:  # afterwards it is dialled at the start
            await node.api.call("POST", "/peers", {"address": giver.address})
            fetching.is_known = True
        publishing = asyncio.create_task(_publish(node, fetching.acknowledged))
        try:
            if moment is None:
                await _until_whole(source, fetching.folder)
            else:
                await _until_more_than(given, giver)
                await asyncio.sleep(moment)
        finally:
            os.kill(node.pid, signal.SIGKILL)
            await publishing


async def _publish(node: Run, acknowledged: list[tuple[bytes, int, str]]) -> None:
    """Publish one shop after the other until the node is killed, and note what was acknowledged."""
    shop = {"sector": "food", "name": {"en": "Here all the same"}}
    with suppress(NodeError, aiohttp.ClientError, OSError):
        while True:
            record = (await node.api.call("POST", "/shops", shop))["record"]
            acknowledged.append((from_base32(record["community"], 32), record["index"], record["record_id"]))


async def _until_more_than(given: int, giver: Run) -> None:
    async with asyncio.timeout(_SECONDS_MAX):
        while await _counted(giver) <= given:  # noqa: ASYNC110  another process counts
            await asyncio.sleep(_LOOK_SECONDS)


async def _until_whole(source: Source, folder: Path) -> None:
    async with asyncio.timeout(_SECONDS_MAX):
        with open_store(folder, writer=False) as store:
            while True:
                with store.read() as connection:
                    lanes = LaneStore(connection)
                    if _stored(lanes, source) >= source.records:
                        return
                await asyncio.sleep(_LOOK_SECONDS)


def _verified(source: Source, fetching: _Fetching) -> int:
    """Look at what the killed node has left behind, and return how many of the source's entries are stored."""
    with (
        open_store(fetching.folder) as store,
        open_guard(fetching.folder) as guard,
        store.read() as connection,
    ):
        lanes, heads = LaneStore(connection), HeadStore(connection)
        for community, index, record_id in fetching.acknowledged:
            key = lanes.lane_key(community, "market/food", 0)
            assert key is not None, "a lane with an acknowledged record is lost"
            assert to_base32(leaf_hash(lanes.entry(key, index))) == record_id, (
                "an acknowledged record is lost"
            )
        assert behind(SigningMarks(connection).marks(), guard.marks()) == [], "the store is behind its guard"
        for head in heads.heads():
            assert lanes.compact_range(head.lane_key, head.size).root() == head.root, (
                "a head without its entries"
            )
        stored = _stored(lanes, source)
    assert stored >= fetching.stored, "what was stored is lost"
    return stored


def _stored(lanes: LaneStore, source: Source) -> int:
    """Entries of the source's lanes that are stored; what it has said of itself meanwhile is left out."""
    keys = {lane: lanes.lane_key(source.community, lane, 0) for lane in source.sizes}
    return sum(min(lanes.size(key), source.sizes[lane]) for lane, key in keys.items() if key is not None)


def _under_way_max(source: Source) -> int:
    """Entries that may be asked for and not stored yet: the window of the largest lane, and the small ones whole."""
    largest = max(source.sizes.values())
    under_way = min(largest, FETCH_BUNDLES_MAX * TILE_WIDTH)
    return under_way + source.records - largest + _SAID_MEANWHILE_MAX


async def _given(giver: Run) -> int:
    """How many entries the giver has given, once it gives no more."""
    newest = -1
    while (given := await _counted(giver)) != newest:
        newest = given
        await asyncio.sleep(_LOOK_SECONDS)
    return given


async def _counted(giver: Run) -> int:
    def ask() -> list[str]:
        with closing(HTTPConnection(*giver.http_place, timeout=_SECONDS_MAX)) as connection:
            headers = {"Authorization": f"Bearer {read_token(giver.folder)}"}
            connection.request("GET", "/metrics", headers=headers)
            return connection.getresponse().read().decode().splitlines()

    lines = await asyncio.to_thread(ask)
    return int(float(next(line for line in lines if line.startswith(_GIVEN))[len(_GIVEN) :]))
