"""Fetches a community's own lanes and sealed parts back from its peers, and says how far it came.

A node that only stores and folds does it, with the machines by which every lane is followed: each bundle is
verified alone, of two heads the larger one wins where it continues the other, and where it does not this is a fork
and ends here. What is stored is stored: after a kill it goes on from there.
"""

import asyncio
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

from node.actions.sealed_parts import missing_parts
from node.core import Node
from node.epochs import epoch_chain
from node.errors import NodeError
from node.federation import Federation
from node.recovery.shown import sealed_sizes, shown_sizes
from node.writer.transaction import Transaction
from protocol.errors import SealingError, SessionError
from protocol.exchange.frames import SealedObject
from protocol.identity.sealing import ReaderKey, open_sealed, unwrap_key
from protocol.identity.succession import EpochChain
from protocol.log.origin import Origin
from storage.errors import StorageError
from storage.evidence import evidence_about
from storage.heads import HeadStore
from storage.lanes import LaneStore
from storage.sealed import KeyWrap, put_key_wrap, put_sealed
from storage.views.reading import StateReader

FORK = "fork"
LOOK_SECONDS = 0.2
CONNECT_SECONDS = 60.0
STUCK_SECONDS = 120.0
_PLACEMENTS = 512


@dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a recovery came: `stage` is a word of ours, `done` of `total` counts what the stage counts."""

    stage: str
    done: int = 0
    total: int = 0


Tell = Callable[[Progress], None]


async def connect(federation: Federation, peers: Collection[bytes]) -> None:
    """Wait until sessions with these communities stand, or raise `peers_unreachable`."""
    deadline = asyncio.get_running_loop().time() + CONNECT_SECONDS
    while missing := set(peers) - federation.connected():
        if asyncio.get_running_loop().time() > deadline:
            raise NodeError("peers_unreachable", f"{len(missing)} of {len(peers)}")
        await asyncio.sleep(LOOK_SECONDS)


async def fetch_lanes(node: Node, federation: Federation, peers: Sequence[bytes], tell: Tell) -> int:
    """Fetch and fold every own lane as far as any of the peers shows it; return how many records there are.

    Raises `NodeError`: `recovery_forked` where two peers show histories that contradict each other,
    `recovery_stuck` where nothing moves on for two minutes.
    """
    loop = asyncio.get_running_loop()
    newest, moved_at, was_here = (-1, -1), loop.time(), False
    while True:
        wanted = await _wanted(node, federation, peers)
        total = sum(wanted.values())
        here = await node.read(partial(_held, community=node.community, wanted=wanted))
        tell(Progress(stage="lanes", done=here.stored, total=total))
        is_here = bool(wanted) and here.adopted >= total and node.writer.backlog.is_folded
        if (
            is_here and was_here
        ):  # twice, because what was stored this moment may not be known as unfolded yet
            return total
        was_here = is_here
        if (here.stored, here.folded) != newest:
            newest, moved_at = (here.stored, here.folded), loop.time()
        if loop.time() - moved_at > STUCK_SECONDS:
            raise NodeError("recovery_stuck", f"{here.stored} of {total}")
        await asyncio.sleep(LOOK_SECONDS)


async def fetch_sealed(node: Node, federation: Federation, peers: Sequence[bytes], tell: Tell) -> int:
    """Fetch copies of sealed parts from those who keep them, and the rest from those we traded with.

    Return how many parts of orders are still missing; they may come later, from others.
    """
    found = 0
    for peer in peers:
        try:
            async for objects in federation.questions.get_backup(peer):
                found += await _keep(node, objects)
                tell(Progress(stage="sealed", done=found))
        except SessionError:
            continue  # whoever keeps nothing for us refuses
    for peer in peers:
        missing = await node.read(lambda read: _missing(read, node))
        try:
            objects = await federation.questions.get_sealed(peer, missing) if missing else ()
        except SessionError:
            continue
        found += await _keep(node, objects)
        tell(Progress(stage="sealed", done=found))
    return len(await node.read(lambda read: _missing(read, node)))


@dataclass(frozen=True, slots=True)
class _Here:
    """Of what is wanted: records stored, records under an adopted head, records folded."""

    stored: int
    adopted: int
    folded: int


async def _wanted(node: Node, federation: Federation, peers: Sequence[bytes]) -> dict[Origin, int]:
    """How far the peers together show our lanes, and the notes seal them."""
    wanted = sealed_sizes(await _chain(node))
    for peer in peers:
        for origin, size in (await own_heads(node, federation, peer)).items():
            wanted[origin] = max(size, wanted.get(origin, 0))
    return wanted


async def own_heads(node: Node, federation: Federation, peer: bytes) -> dict[Origin, int]:
    """How far a peer shows our lanes, under signatures that hold (`shown_sizes`)."""
    try:
        stated = await federation.questions.heads(peer)
    except SessionError:
        return {}
    return shown_sizes(stated, await _chain(node))


async def _chain(node: Node) -> EpochChain:
    chain = await node.read(lambda read: epoch_chain(read, node.community))
    assert chain is not None, "the genesis is the first entry of the charter"
    return chain


def _held(read: StateReader, community: bytes, wanted: dict[Origin, int]) -> _Here:
    forks = evidence_about(read.connection, community, FORK)
    chain = epoch_chain(read, community) if forks else None
    if chain and any(not chain.is_closed(found.epoch) for found in forks):
        raise NodeError("recovery_forked")
    heads = {
        Origin(head.community, head.lane, head.epoch): head
        for head in HeadStore(read.connection).heads()
        if head.community == community
    }
    store = LaneStore(read.connection)
    stored = adopted = folded = 0
    for origin, size in wanted.items():
        key = store.lane_key(origin.community, origin.lane, origin.epoch)
        stored += min(size, store.size(key)) if key is not None else 0
        adopted += min(size, heads[origin].size) if origin in heads else 0
        clock = read.get("lane_clock", (community, origin.lane))
        folded += clock.size if clock and clock.epoch == origin.epoch else 0
    return _Here(stored, adopted, folded)


def _missing(read: StateReader, node: Node) -> list[bytes]:
    """The parts of our orders that are not here and can be opened by nobody but us and the other side."""
    found: list[bytes] = []
    after = None
    while True:
        rows = list(read.scan("placement", (), length=2, limit=_PLACEMENTS, after=after))
        for key, placement in rows:
            if node.community in (key[0], placement.placed.seller):
                found += missing_parts(read.connection, placement.placed, node.vault.sealing.public)
        if len(rows) < _PLACEMENTS:
            return found
        after = rows[-1][0]


async def _keep(node: Node, objects: Sequence[SealedObject]) -> int:
    """Keep what opens to its commitment, and return how much that is; the rest is a peer's lie or damage."""
    good = [item for item in objects if _opens(item, node.vault.sealing)]

    def job(transaction: Transaction) -> int:
        return sum(_put(transaction, item, node.vault.sealing.public) for item in good)

    return await node.write(job) if good else 0


def _put(transaction: Transaction, item: SealedObject, reader: bytes) -> bool:
    try:
        put_sealed(transaction.connection, item.commitment, item.ciphertext)
    except StorageError:
        return False  # another ciphertext that opens is here already
    wrap = next(key for key in item.keys if key.reader == reader)
    put_key_wrap(transaction.connection, item.commitment, KeyWrap(wrap.reader, wrap.wrapped))
    return True


def _opens(item: SealedObject, reader: ReaderKey) -> bool:
    wrap = next((key for key in item.keys if key.reader == reader.public), None)
    if wrap is None:
        return False
    try:
        open_sealed(item.ciphertext, unwrap_key(wrap.wrapped, item.commitment, reader), item.commitment)
    except SealingError:
        return False
    return True
