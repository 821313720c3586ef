"""The community's own lanes in memory: how long each is, its compact range, what is marked and signed of it.

Before a signature leaves, (lane, size, root, lease) stands in the main store and in the guard. So a checkpoint
takes four steps, each synced before the next: records and marks, the guard, the signed head, the first byte.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import sqlalchemy as sa

from protocol.identity.keys import SigningKey
from protocol.identity.successor import EpochKeys, SealedLane
from protocol.lanes.charter.identity import LaneStatement
from protocol.lanes.kind import CHARTER, Position
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.merkle import CompactRange
from protocol.log.origin import Origin
from storage.guard import Mark, Move, SigningMarks
from storage.heads import HeadStore
from storage.lanes import LaneStore


@dataclass(frozen=True, slots=True)
class Signer:
    """What the writer signs with: the community, its epoch and the log key of that epoch.

    A machine without that key (another one took the community over) reads, and signs nothing.
    """

    community: bytes
    epoch: int
    log_key: SigningKey | None

    def opens(self, keys: EpochKeys) -> bool:
        """Whether this is the key of that epoch: two notes that contradict each other open one number each."""
        return self.log_key is not None and (self.epoch, self.log_key.public) == (keys.epoch, keys.log_key)

    def origin(self, lane: str) -> Origin:
        """Return which log one lane is."""
        return Origin(self.community, lane, self.epoch)


def size_of(mark: Mark | None) -> int:
    """Return the size of a mark; 0 where nothing is marked."""
    return mark.size if mark else 0


@dataclass(slots=True)
class OwnLane:
    """One lane. `size` counts the entries in the store and in `fresh`, which the open transaction will store.

    `mark` is the main store's, `guarded` the guard's newest word on what may be signed; `signed_size` is the
    size of the newest head.
    """

    lane_key: int
    size: int
    compact: CompactRange
    signed_size: int
    mark: Mark | None
    guarded: Mark | None
    fresh: list[bytes] = field(default_factory=list)
    fresh_ids: list[bytes] = field(default_factory=list)

    def add(self, raw: bytes, record_id: bytes) -> None:
        """Take one entry that the open transaction says, and its leaf hash."""
        self.fresh.append(raw)
        self.fresh_ids.append(record_id)
        self.size += 1


class OwnLanes:
    """All own lanes of one epoch. Only the writer's thread touches it."""

    def __init__(self, signer: Signer, lease: bytes, guarded: Iterable[Mark]) -> None:
        """Take what to sign with, the 16 random bytes of this process, and the guard's marks."""
        self._signer = signer
        self._lease = lease
        self._guarded = {mark.place: mark for mark in guarded}
        self._lanes: dict[str, OwnLane] = {}

    def load(self, connection: sa.Connection) -> None:
        """Read all lanes of the epoch from the store, dropping what memory says."""
        self._lanes.clear()
        for lane in LaneStore(connection).lanes(self._signer.community):
            if lane.epoch == self._signer.epoch:
                self._read(connection, lane.lane, lane.lane_key)

    def lane(self, connection: sa.Connection, name: str) -> OwnLane:
        """Return one lane, given a number in the store when it is new."""
        known = self._lanes.get(name)
        if known is not None:
            return known
        key = LaneStore(connection).open_lane(self._signer.community, name, self._signer.epoch)
        return self._read(connection, name, key)

    def fresh_entry(self, position: Position) -> bytes | None:
        """Return an entry that the open transaction appended, or None."""
        own = self._lanes.get(position.lane)
        if own is None or (position.community, position.epoch) != (
            self._signer.community,
            self._signer.epoch,
        ):
            return None
        offset = position.index - (own.size - len(own.fresh))
        return own.fresh[offset] if 0 <= offset < len(own.fresh) else None

    def store_fresh(self, connection: sa.Connection) -> list[str]:
        """Append what is fresh, lane by lane; return the names of the lanes that grew."""
        store = LaneStore(connection)
        grown = [name for name, own in self._lanes.items() if own.fresh]
        for name in grown:
            own = self._lanes[name]
            store.append(own.lane_key, own.size - len(own.fresh), own.fresh)
            own.compact.extend(own.fresh_ids)
            own.fresh, own.fresh_ids = [], []
        return grown

    def statements(self) -> list[LaneStatement]:
        """Return size and root of every lane but the charter, as far as they are signed, by name."""
        return [
            LaneStatement(name, own.mark.size, own.mark.root)
            for name, own in sorted(self._lanes.items())
            if own.mark is not None and name != CHARTER
        ]

    def sealed(self) -> dict[str, SealedLane]:
        """Return what each lane came to; all of it is signed."""
        assert not self.unsigned(), "an epoch ends at its signed heads"
        return {
            name: SealedLane(own.size, own.compact.root()) for name, own in self._lanes.items() if own.size
        }

    def begin_epoch(self, signer: Signer) -> None:
        """Go on with another key, in lanes that are empty yet, or are to be loaded."""
        self._signer = signer
        self._lanes.clear()

    def unsigned(self) -> list[str]:
        """Return the names of lanes that are longer than their newest head."""
        return [name for name, own in self._lanes.items() if own.size > own.signed_size]

    def advance_marks(self, connection: sa.Connection, names: Sequence[str]) -> list[Mark]:
        """Mark in the main store what is going to be signed of each lane named."""
        marks = [self._next_mark(name) for name in names]
        SigningMarks(connection).advance([Move(self._lanes[mark.lane].mark, mark) for mark in marks])
        return marks

    def marks_of_heads(self, connection: sa.Connection) -> list[Mark]:
        """Mark in the main store what came back from peers: heads beyond the marks, signed by us before."""
        marks = []
        for name, own in self._lanes.items():
            head = HeadStore(connection).head(own.lane_key)
            if head is not None and head.size > size_of(own.mark):
                signer = self._signer
                marks.append(Mark(signer.community, name, signer.epoch, head.size, head.root, self._lease))
        SigningMarks(connection).advance([Move(self._lanes[mark.lane].mark, mark) for mark in marks])
        return marks

    def beyond_guard(self) -> list[Mark]:
        """Return the main store's marks that the guard has not reached."""
        marks = [own.mark for own in self._lanes.values() if own.mark is not None]
        guarded = {mark.lane: self._lanes[mark.lane].guarded for mark in marks}
        return [mark for mark in marks if mark.size > size_of(guarded[mark.lane])]

    def settle_marks(self, marks: Iterable[Mark]) -> None:
        """After the commit: memory follows the main store's marks."""
        for mark in marks:
            self._lanes[mark.lane].mark = mark

    def guard_moves(self, marks: Iterable[Mark]) -> list[Move]:
        """Return how the guard has to move to these marks."""
        return [Move(self._lanes[mark.lane].guarded, mark) for mark in marks]

    def settle_guarded(self, marks: Iterable[Mark]) -> None:
        """After the guard's commit: memory follows it."""
        for mark in marks:
            self._lanes[mark.lane].guarded = self._guarded[mark.place] = mark

    def set_heads(self, connection: sa.Connection, marks: Iterable[Mark]) -> None:
        """Sign what both stores have marked, and make it the heads."""
        heads = HeadStore(connection)
        assert self._signer.log_key is not None, "without the key nothing is signed"
        for mark in marks:
            checkpoint = Checkpoint(self._signer.origin(mark.lane).text, mark.size, mark.root)
            note = make_checkpoint_note(checkpoint, self._signer.log_key)
            heads.set_head(self._lanes[mark.lane].lane_key, mark.size, mark.root, note)

    def settle_heads(self, marks: Iterable[Mark]) -> None:
        """After the commit: memory knows what is signed."""
        for mark in marks:
            self._lanes[mark.lane].signed_size = mark.size

    def _next_mark(self, name: str) -> Mark:
        own = self._lanes[name]
        return Mark(
            self._signer.community, name, self._signer.epoch, own.size, own.compact.root(), self._lease
        )

    def _read(self, connection: sa.Connection, name: str, key: int) -> OwnLane:
        signer = self._signer
        head = HeadStore(connection).head(key)
        store = LaneStore(connection)
        own = OwnLane(
            lane_key=key,
            size=store.size(key),
            compact=store.compact_range(key),
            signed_size=head.size if head else 0,
            mark=SigningMarks(connection).mark(signer.community, name, signer.epoch),
            guarded=self._guarded.get((signer.community, name, signer.epoch)),
        )
        self._lanes[name] = own
        return own
