"""A recovery drill: everything up to the successor note, beside the running node and without harm to anything.

Whoever holds the words sees whether they would bring the community back, and what would be lost if the machine
burnt now. Keys are asked for as a stranger does it; lanes are fetched over the sessions that stand, into a
folder that is thrown away.
"""

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from node.core import Node
from node.epochs import epoch_chain
from node.errors import NodeError
from node.recovery.fetching import own_heads
from node.recovery.stranger import BoxAnswer, ask_for_boxes
from node.vault.vault import read_live_keys
from protocol.errors import ProtocolError, SessionError
from protocol.exchange.fetch import Answered, Ask, Ended, Event, LaneFetch, PeerJoined, Stored, Unanswered
from protocol.exchange.holding import HeldLane, StoreEntries, open_head
from protocol.identity.key_box import open_key_box
from protocol.identity.keys import SigningKey
from protocol.identity.recovery import RecoverySeeds, derive_recovery_seeds
from protocol.log.merkle import leaf_hash
from protocol.log.origin import Origin
from protocol.log.tiles import unpack_entries
from storage.backups import count_uncopied
from storage.engine import Store, open_store
from storage.heads import Head, HeadStore
from storage.lanes import LaneStore
from storage.peers import Peer, all_peers
from storage.views.reading import StateReader

FOLLOWED = "followed"


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerRehearsal:
    """What one peer would give back: whether its key box opens and is the newest, and how many records it shows."""

    community: bytes | None
    address: str
    has_box: bool
    is_box_current: bool
    records: int
    code: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Rehearsal:
    """What came of a drill. `unsaved_records` and `uncopied_parts` would be lost if the machine burnt now.

    `fetched_records` were fetched and verified; `is_identical` says that they are those of this node, byte for
    byte.
    """

    peers: tuple[PeerRehearsal, ...]
    records: int
    fetched_records: int
    unsaved_records: int
    uncopied_parts: int
    is_identical: bool


async def rehearse(node: Node, entropy: bytes) -> Rehearsal:
    """Do all of a recovery that harms nobody; raises `words_of_another` where these are not the words."""
    seeds = derive_recovery_seeds(entropy, next_epoch=1)
    recovery_key = SigningKey(seeds.recovery)
    chain = await node.read(lambda read: epoch_chain(read, node.community))
    assert chain is not None, "the own genesis is here"
    if recovery_key.public not in chain.newest.recovery.keys:
        raise NodeError("words_of_another")
    known = await node.read(_followed)
    answers = await ask_for_boxes([peer.addresses[0] for peer in known if peer.addresses], recovery_key)
    own = await node.read(lambda read: _own_heads(read, node.community))
    shown = {
        peer: await own_heads(node, node.federation_service, peer)
        for peer in sorted(node.federation_service.connected())
    }
    with tempfile.TemporaryDirectory(prefix="wildgrass-drill-") as folder, open_store(Path(folder)) as store:
        fetched, is_identical = 0, True
        for origin, head in own.items():
            holders = {peer: heads[origin] for peer, heads in shown.items() if heads.get(origin)}
            size = await _fetch(node, store, origin, head, holders)
            fetched += size
            is_identical &= await node.read(lambda read, o=origin, n=size: _is_same(read, store, o, n))  # type: ignore[misc]  # bound at once
    total = sum(head.size for head in own.values())
    saved = sum(
        min(head.size, max((heads.get(origin, 0) for heads in shown.values()), default=0))
        for origin, head in own.items()
    )
    return Rehearsal(
        peers=tuple(_peer_answer(node, answer, seeds, shown) for answer in answers),
        records=total,
        fetched_records=fetched,
        unsaved_records=total - saved,
        uncopied_parts=await node.read(
            lambda read: count_uncopied(read.connection, node.vault.sealing.public)
        ),
        is_identical=is_identical,
    )


async def _fetch(node: Node, store: Store, origin: Origin, head: Head, holders: Mapping[bytes, int]) -> int:
    """Fetch a lane up to our head, as far as peers hold it, into the store; return how many entries came.

    Where nobody holds all of it, as much as one of them shows is taken: what is missing is counted as unsaved.
    """
    chain = await node.read(lambda read: epoch_chain(read, node.community))
    assert chain is not None, "the own genesis is here"
    log_public = chain.keys[origin.epoch].log_key
    able = {peer: size for peer, size in holders.items() if size >= head.size}
    if not able:
        return 0
    signed = open_head(head.note, origin, log_public)
    fetch = LaneFetch(HeldLane(origin, log_public), signed)
    asked: set[asyncio.Task[Event]] = set()
    effects: list[Any] = []
    for peer, size in able.items():
        effects += fetch.handle(PeerJoined(peer, size))
    try:
        while True:
            events: list[Event] = []
            for effect in effects:
                if isinstance(effect, Ask):
                    asked.add(asyncio.create_task(_ask(node, effect)))
                elif isinstance(effect, StoreEntries):
                    events.append(await asyncio.to_thread(_store, store, effect))
                elif isinstance(effect, Ended):
                    return signed.size if not effect.code else 0
            if not events:
                done, asked = await asyncio.wait(asked, return_when=asyncio.FIRST_COMPLETED)
                events = [task.result() for task in done]
            effects = [effect for event in events for effect in fetch.handle(event)]
    finally:
        for task in asked:
            task.cancel()


async def _ask(node: Node, ask: Ask) -> Event:
    try:
        answer = await node.federation_service.questions.ask(ask.peer, ask.request)
    except SessionError:
        return Unanswered(ask.peer, ask.job)
    return Answered(ask.peer, ask.job, answer)


def _store(store: Store, step: StoreEntries) -> Event:
    origin = step.origin
    with store.write() as connection:
        lanes = LaneStore(connection)
        key = lanes.open_lane(origin.community, origin.lane, origin.epoch)
        return Stored(lanes.append(key, step.start, unpack_entries(step.packed, step.count)))


def _is_same(read: StateReader, store: Store, origin: Origin, size: int) -> bool:
    """Whether the copy has the root that our own entries have at that size."""
    if not size:
        return True
    with store.read() as connection:
        copies, own = LaneStore(connection), LaneStore(read.connection)
        copy_key = copies.lane_key(origin.community, origin.lane, origin.epoch)
        own_key = own.lane_key(origin.community, origin.lane, origin.epoch)
        assert copy_key is not None
        assert own_key is not None
        return copies.compact_range(copy_key, size).root() == own.compact_range(own_key, size).root()


def _peer_answer(
    node: Node, answer: BoxAnswer, seeds: RecoverySeeds, shown: Mapping[bytes, Mapping[Origin, int]]
) -> PeerRehearsal:
    boxes = [found.key_box for found in answer.found if leaf_hash(found.genesis) == node.community]
    live = read_live_keys(node.vault.folder, node.epoch)
    opened = []
    for box in boxes:
        try:
            opened.append(open_key_box(box, key=seeds.key_box, community=node.community))
        except ProtocolError:
            continue
    heads = shown.get(answer.peer, {}) if answer.peer else {}
    return PeerRehearsal(
        community=answer.peer,
        address=answer.address,
        has_box=bool(opened),
        is_box_current=live in opened,
        records=sum(heads.values()),
        code=answer.code,
    )


def _own_heads(read: StateReader, community: bytes) -> dict[Origin, Head]:
    return {
        Origin(head.community, head.lane, head.epoch): head
        for head in HeadStore(read.connection).heads()
        if head.community == community
    }


def _followed(read: StateReader) -> Sequence[Peer]:
    return [peer for peer in all_peers(read.connection) if peer.trust == FOLLOWED]
