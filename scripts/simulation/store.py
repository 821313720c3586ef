"""What a node keeps: lanes with their heads and marks in the main store, marks again in the guard.

The rules of `storage/` in small: entries are taken exactly behind those that are there, a head exactly over
its entries, marks move by compare-and-swap and never to a second history.

    image = StoreImage(instance)
    append(origin, [raw], [leaf])(image)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Self

from protocol.exchange.holding import (
    HeldLane,
    RememberHead,
    SignedHead,
    StoreEntries,
    StoreStep,
    in_chain,
    open_head,
)
from protocol.exchange.listing import Place as ListPlace
from protocol.exchange.replication_events import LaneAdvanced, LaneStored, StepsFailed
from protocol.identity.succession import EpochChain, make_chain
from protocol.identity.successor import EpochKeys
from protocol.log.merkle import CompactRange, subtree_root
from protocol.log.origin import Origin
from protocol.log.tiles import unpack_entries
from simulation.disk import Write
from storage.errors import StorageError
from storage.guard import Mark, Move

Place = tuple[bytes, str, int]


@dataclass(slots=True)
class StoredLane:
    """One log: its entries, their leaf hashes and compact range, its heads."""

    entries: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    tree: CompactRange = field(default_factory=CompactRange)
    head: SignedHead | None = None
    remembered: SignedHead | None = None
    change: int = 0

    def copy(self) -> "StoredLane":
        """Return a copy that may grow in another way."""
        return replace(self, entries=self.entries[:], leaves=self.leaves[:], tree=self.tree.copy())

    def tile(self, level: int, index: int, width: int) -> bytes:
        """Return `width` hashes of one tile; all of them are held."""
        span = 256**level
        first = index * 256 * span
        if level == 0:
            return b"".join(self.leaves[first : first + width])
        starts = range(first, first + width * span, span)
        return b"".join(subtree_root(self.leaves[start : start + span]) for start in starts)


class StoreImage:
    """The main store."""

    def __init__(self, instance: bytes) -> None:
        """Take the random id of this store: a restored one has another."""
        self.instance = instance
        self.lanes: dict[Origin, StoredLane] = {}
        self.marks: dict[Place, Mark] = {}
        self.places: dict[bytes, ListPlace] = {}
        self.statements: dict[bytes, bytes] = {}
        self.successors: dict[bytes, dict[int, tuple[bytes, ...]]] = {}
        self.forked: set[Origin] = set()
        self.acknowledged: set[bytes] = set()
        self.changes = 0

    def copy(self) -> Self:
        """Return a copy that shares nothing that changes."""
        other = type(self)(self.instance)
        other.lanes = {origin: lane.copy() for origin, lane in self.lanes.items()}
        other.marks, other.places, other.changes = dict(self.marks), dict(self.places), self.changes
        other.statements, other.forked = dict(self.statements), set(self.forked)
        other.acknowledged = set(self.acknowledged)
        other.successors = {community: dict(notes) for community, notes in self.successors.items()}
        return other

    def lane(self, origin: Origin) -> StoredLane:
        """Return a lane, an empty one where nothing is held."""
        return self.lanes.get(origin) or StoredLane()

    def chain(self, first: EpochKeys) -> EpochChain:
        """Return the epochs of a community as far as its notes are here; `first` are its keys of epoch 0."""
        notes = self.successors.get(first.community, {})
        return _chain(first, tuple(sorted(notes.items())))

    def held(self, origin: Origin, chain: EpochChain, *, is_own: bool) -> HeldLane:
        """Return a lane as the machines are told of it; raises `LogError` for a head that another key signed."""
        return in_chain(self.held_under(origin, chain.keys[origin.epoch].log_key, is_own=is_own), chain)

    def held_under(self, origin: Origin, log_public: bytes, *, is_own: bool) -> HeldLane:
        """Return a lane of an open epoch."""
        lane = self.lane(origin)
        return HeldLane(
            origin,
            log_public,
            size=lane.tree.size,
            hashes=lane.tree.hashes,
            adopted=open_head(lane.head.note, origin, log_public) if lane.head else None,
            remembered=open_head(lane.remembered.note, origin, log_public) if lane.remembered else None,
            is_own=is_own,
            is_forked=origin in self.forked,
        )


class GuardImage:
    """The guard: a second place that says what was signed."""

    def __init__(self) -> None:
        """Begin empty."""
        self.marks: dict[Place, Mark] = {}

    def copy(self) -> Self:
        """Return a copy that shares nothing that changes."""
        other = type(self)()
        other.marks = dict(self.marks)
        return other


def take(
    lane: StoredLane, step: StoreStep, size: int
) -> tuple[Write | None, LaneStored | LaneAdvanced | StepsFailed]:
    """Return the write of one step of another community's lane of `size` entries, and what came of it."""
    if isinstance(step, RememberHead):
        return remember(step.origin, step.head), LaneStored(step.origin, size)
    if isinstance(step, StoreEntries):
        if step.start != size:
            return None, StepsFailed(step.origin)
        entries = unpack_entries(step.packed, step.count)
        return append(step.origin, entries, step.leaf_hashes), LaneStored(step.origin, step.end)
    if step.head.size > size or (lane.head and lane.head.size > step.head.size):
        return None, StepsFailed(step.origin)
    return set_head(step.origin, step.head), LaneAdvanced(step.origin, step.head, is_own=False)


def append(origin: Origin, entries: Sequence[bytes], leaves: Sequence[bytes]) -> Write:
    """Return the write that puts entries behind those that are there."""

    def write(image: StoreImage) -> None:
        lane = image.lanes.setdefault(origin, StoredLane())
        lane.entries += entries
        lane.leaves += leaves
        lane.tree.extend(leaves)

    return write


def remember(origin: Origin, head: SignedHead) -> Write:
    """Return the write that keeps a head whose entries are on their way."""

    def write(image: StoreImage) -> None:
        image.lanes.setdefault(origin, StoredLane()).remembered = head

    return write


def set_head(origin: Origin, head: SignedHead) -> Write:
    """Return the write by which a lane is shown up to `head`."""

    def write(image: StoreImage) -> None:
        lane = image.lanes[origin]
        image.changes += 1
        lane.head, lane.remembered, lane.change = head, None, image.changes

    return write


def renumber(community: bytes) -> Write:
    """Return the write that counts all heads of a community as changed: somebody may newly read them."""

    def write(image: StoreImage) -> None:
        for origin, lane in image.lanes.items():
            if origin.community == community and lane.head is not None:
                image.changes += 1
                lane.change = image.changes

    return write


def keep_place(peer: bytes, place: ListPlace) -> Write:
    """Return the write that keeps how far a peer's list of heads is taken in."""

    def write(image: StoreImage) -> None:
        image.places[peer] = place

    return write


def note_acknowledged(peer: bytes) -> Write:
    """Return the write that remembers who has shown one of our heads."""

    def write(image: StoreImage) -> None:
        image.acknowledged.add(peer)

    return write


def keep_fork(digest: bytes, text: bytes, origin: Origin) -> Write:
    """Return the write that keeps the proof of a fork behind the statements that were kept before."""

    def write(image: StoreImage) -> None:
        image.statements.setdefault(digest, text)
        image.forked.add(origin)

    return write


def keep_successor(digest: bytes, text: bytes, community: bytes, epoch: int) -> Write:
    """Return the write that keeps a successor note; places are forgotten, for the next epoch was not wanted."""

    def write(image: StoreImage) -> None:
        image.statements.setdefault(digest, text)
        notes = image.successors.setdefault(community, {})
        notes[epoch] = (*notes.get(epoch, ()), text)
        image.places.clear()

    return write


def drop_lane(origin: Origin) -> Write:
    """Return the write that drops a copy which a successor note has refused."""

    def write(image: StoreImage) -> None:
        del image.lanes[origin]

    return write


def set_marks(marks: Iterable[Mark]) -> Write:
    """Return the write that says what is going to be signed."""

    def write(image: StoreImage | GuardImage) -> None:
        image.marks.update({mark.place: mark for mark in marks})

    return write


def check_moves(present: dict[Place, Mark], moves: Iterable[Move]) -> None:
    """Raise `guard_conflict` unless every move starts at the present mark and continues what was signed."""
    for previous, following in moves:
        if present.get(following.place) != previous:
            raise StorageError("guard_conflict", f"lane {following.lane}, size {following.size}")
        if previous is None or following.size > previous.size:
            continue
        if (following.size, following.root) != (previous.size, previous.root):
            raise StorageError("guard_conflict", f"lane {following.lane}: {previous.size} was signed already")


@lru_cache(maxsize=4_096)
def _chain(first: EpochKeys, notes: tuple[tuple[int, tuple[bytes, ...]], ...]) -> EpochChain:
    return make_chain(first, dict(notes))
