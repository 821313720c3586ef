"""Communities in folders for the bench: founded, filled with a mix at once, opened without sockets, or run.

vault = found(folder)
fill(folder, mix_of(vault), records)
async with opened(folder) as node: ...
"""

import asyncio
from collections import defaultdict
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from pathlib import Path

from benchmarks.mix import Made
from node.config import Settings, read_sources
from node.core import Node
from node.opening import opened_node
from node.vault import Kit, Vault, found_community, open_vault
from node.writer.clock import system_clock
from node.writer.lane_writer import Advance
from storage.engine import Store, open_store
from storage.heads import HeadStore
from storage.lanes import LaneStore
from storage.views.reading import StateReader
from storage.views.search_queue import queued_count

DAYS_BACK_MS = 60 * 86_400_000  # a community of the bench was founded then: its records carry past times
_LANE_ENTRIES = 8_192
_POLL_SECONDS = 0.02


def found(folder: Path, keep_kit: Callable[[Kit], None] = lambda _kit: None) -> Vault:
    """Found a community in `folder`, sixty days ago, and return its keys."""
    found_community(
        folder,
        name={"en": folder.name},
        currency="EUR",
        words_language="en",
        now_ms=system_clock() - DAYS_BACK_MS,
        keep_kit=keep_kit,
    )
    return open_vault(folder)


def fill(folder: Path, community: bytes, records: Iterable[Made]) -> dict[str, int]:
    """Put records into the store of `folder` as facts, unfolded and unsigned; return the lanes' sizes."""
    waiting: dict[str, list[bytes]] = defaultdict(list)
    sizes: dict[str, int] = defaultdict(int)
    with open_store(folder) as store:
        for lane, raw in records:
            waiting[lane].append(raw)
            if len(waiting[lane]) == _LANE_ENTRIES:
                sizes[lane] = _append(store, community, lane, waiting.pop(lane))
        for lane, entries in waiting.items():
            sizes[lane] = _append(store, community, lane, entries)
    return dict(sizes)


def settings_of(folder: Path) -> Settings:
    """Return the settings of a node in `folder`, with nothing of this machine's environment."""
    return read_sources(flags={"folder": str(folder)}, environment={}).settings()


@asynccontextmanager
async def opened(folder: Path) -> AsyncIterator[Node]:
    """Open the node of `folder` without sockets."""

    def hear(_advance: Advance) -> None:
        """Nobody is told."""

    async with opened_node(settings_of(folder), open_vault(folder), on_advance=hear) as node:
        yield node


async def settle(folder: Path, *, is_indexed: bool = True) -> None:
    """Open the node of `folder` until all is folded and signed, and indexed where that is wanted."""
    async with opened(folder) as node:
        while not await node.read(lambda read: _is_settled(read, is_indexed=is_indexed)):  # noqa: ASYNC110  the writer's thread
            await asyncio.sleep(_POLL_SECONDS)


def own_entries(read: StateReader, community: bytes, lane: str) -> list[bytes]:
    """Return all entries of a lane of epoch 0."""
    store = LaneStore(read.connection)
    key = store.lane_key(community, lane, 0)
    return [] if key is None else store.entries(key, 0, store.size(key))


def _is_settled(read: StateReader, *, is_indexed: bool) -> bool:
    """Whether every lane has a head of its whole size, and no listing waits for search."""
    if is_indexed and queued_count(read.connection):
        return False
    lanes, heads = LaneStore(read.connection), HeadStore(read.connection)
    sizes = {lane.lane_key: lanes.size(lane.lane_key) for lane in lanes.lanes()}
    return sizes == {head.lane_key: head.size for head in heads.heads()}


def _append(store: Store, community: bytes, lane: str, entries: list[bytes]) -> int:
    with store.write() as connection:
        lanes = LaneStore(connection)
        key = lanes.open_lane(community, lane, 0)
        return lanes.append(key, lanes.size(key), entries)
