"""A cut: some lanes and the seals of closed epochs, folded in any order, and what became of every entry.

cut = Cut((CutLane(community, "charter", 0, entries), ...))
state = fold_cut(cut)
statuses(cut, state)  # only what did not take effect
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256

from protocol.dict_state import DictState
from protocol.encoding import encode
from protocol.fold import Fold
from protocol.lanes.kind import Lane, Position
from protocol.log.merkle import leaf_hash
from tests.village import Village


@dataclass(frozen=True)
class CutLane:
    """One lane of one epoch, as far as the cut reaches."""

    community: bytes
    lane: str
    epoch: int
    entries: Sequence[bytes]

    @property
    def name(self) -> Lane:
        return Lane(self.community, self.lane)


@dataclass(frozen=True)
class CutSeal:
    """What a verified successor note says: `epoch` of `community` is closed at these sizes and roots."""

    community: bytes
    epoch: int
    lanes: Mapping[str, tuple[int, bytes]]


@dataclass(frozen=True)
class Cut:
    """What a state is a function of."""

    lanes: tuple[CutLane, ...]
    seals: tuple[CutSeal, ...] = ()


@dataclass(frozen=True)
class Status:
    """What became of an entry that did not take effect; `code` is None unless it is void."""

    position: Position
    record_id: bytes
    status: str
    code: str | None


class CutEntries:
    """Reads entries again, as the fold asks for them."""

    def __init__(self, cut: Cut) -> None:
        self._lanes = {(part.community, part.lane, part.epoch): part.entries for part in cut.lanes}

    def entry(self, position: Position) -> bytes:
        return self._lanes[position.community, position.lane, position.epoch][position.index]


def cut_of(*villages: Village) -> Cut:
    """All lanes of these villages in all epochs, to their ends."""
    lanes = tuple(
        CutLane(village.community, lane, epoch, tuple(entries))
        for village in villages
        for epoch in range(village.epoch + 1)
        for lane, entries in village.entries_in(epoch).items()
    )
    seals = tuple(
        CutSeal(village.community, epoch, sealed)
        for village in villages
        for epoch, sealed in enumerate(village.seals)
    )
    return Cut(lanes, seals)


def fold_cut(cut: Cut, order: Sequence[int] | None = None, *, portion: int = 1 << 30) -> DictState:
    """Fold the cut's lanes in this order, a portion at a time, until nothing moves any more."""
    state = DictState()
    fold = Fold(state, CutEntries(cut))
    for seal in cut.seals:
        fold.seal(seal.community, seal.epoch, seal.lanes)
    lanes = [cut.lanes[number] for number in order or range(len(cut.lanes))]
    while sum(_feed(fold, part, portion) for part in lanes):
        pass
    return state


def _feed(fold: Fold, part: CutLane, portion: int) -> int:
    start = fold.next_index(part.name, part.epoch)
    if start is None or start >= len(part.entries):
        return 0
    before = fold.folded_size(part.name)
    entries = part.entries[start : start + portion]
    fold.feed(part.name, epoch=part.epoch, start=start, entries=entries)
    return fold.folded_size(part.name) != before


def statuses(cut: Cut, state: DictState) -> list[Status]:
    """What became of every entry of the cut that did not take effect, in the order of the cut."""
    return [status for part in cut.lanes for status in _statuses_of(cut, part, state)]


def _statuses_of(cut: Cut, part: CutLane, state: DictState) -> Iterator[Status]:
    clock = state.get("lane_clock", part.name)
    folded = (clock.epoch, clock.size) if clock else (0, 0)
    sealed = next(
        (seal for seal in cut.seals if (seal.community, seal.epoch) == (part.community, part.epoch)), None
    )
    for index, raw in enumerate(part.entries):
        position = Position(*part.name, part.epoch, index)
        if sealed and index >= sealed.lanes.get(part.lane, (0, b""))[0]:
            yield Status(position, leaf_hash(raw), "void", "beyond_seal")
        elif (part.epoch, index) >= folded:
            yield Status(position, leaf_hash(raw), "stalled", None)
        elif void := state.get("void", position):
            yield Status(position, void.record_id, "void", void.code)
        elif state.get("unknown", position):
            yield Status(position, leaf_hash(raw), "unknown", None)
        elif state.get("pending", position):
            yield Status(position, leaf_hash(raw), "pending", None)


def state_digest(state: DictState) -> bytes:
    """SHA-256 over all rows of the state (PROTOCOL.md section 16.7)."""
    total = sha256()
    for row in state.dump():
        total.update(encode(list(row)))
    return total.digest()
