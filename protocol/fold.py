"""The fold: from lanes to state, the same for node and auditor (PROTOCOL.md section 16).

State is a function of a cut. Lanes may be fed in any order and in any portions: equal cuts give equal states,
byte for byte. The fold knows no kind; it decodes, keeps each lane's clock, checks who speaks, and hands the
record to the step of its kind.

    fold = Fold(state, entries)
    folded = fold.feed(Lane(community, "charter"), epoch=0, start=0, entries=[...])
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, Protocol

import msgspec

from protocol.errors import ProtocolError, RecordVoid
from protocol.lanes import BODY_TYPES, KINDS, STATE_TABLES
from protocol.lanes.charter.identity import OPENING_KINDS, Seal
from protocol.lanes.charter.members import verify_author
from protocol.lanes.kind import (
    CHARTER,
    LANE_NAMES,
    Change,
    Entry,
    Key,
    Lane,
    Position,
    Put,
    Reader,
    RecordKind,
    Tables,
    Waiting,
)
from protocol.limits import INSTANT_RECORDS_MAX
from protocol.log.merkle import EMPTY_ROOT, leaf_hashes
from protocol.log.record import Record, decode_record
from protocol.waiting import TABLES as WAITING_TABLES
from protocol.waiting import (
    Pending,
    State,
    awaiting_queue,
    dequeue,
    enqueue,
    first_of,
    subject_queue,
)


class LaneClock(msgspec.Struct):
    """How far a lane is folded, and what its next record has to follow.

    `instant` holds the ids of the admitted records that share the newest time: an earlier record cannot be
    repeated later than that, because its time would run backwards.
    """

    epoch: int = 0
    size: int = 0
    time_ms: int = 0
    charter_size: int = 0
    instant: list[bytes] = []


class Void(msgspec.Struct, frozen=True, gc=False):
    """A record without effect, kept as evidence, and the code of why."""

    record_id: bytes
    code: str


class Unknown(msgspec.Struct, frozen=True, gc=False):
    """A well-formed record of a kind that this version does not know: shown, never counted."""

    record_id: bytes
    kind: str


TABLES: Tables = {
    **STATE_TABLES,
    **WAITING_TABLES,
    "lane_clock": LaneClock,
    "void": Void,
    "unknown": Unknown,
}

Status = Literal["applied", "pending", "unknown", "void"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one record that did not simply take effect."""

    position: Position
    record_id: bytes
    status: Status
    code: str | None = None
    detail: str = ""


@dataclass(slots=True)
class Folded:
    """What one feed did.

    `consumed` entries are folded; `applied` took effect (woken ones of other lanes included), `signed` of them
    by a member's own signature; `outcomes` names the others. `stalled_on` is the charter position that the
    next entry waits for.
    """

    consumed: int = 0
    applied: int = 0
    signed: int = 0
    outcomes: list[Outcome] = field(default_factory=list)
    stalled_on: Position | None = None


class Entries(Protocol):
    """Where the fold reads a pending record again: its bytes stay in the lane."""

    def entry(self, position: Position) -> bytes:
        """Return the original bytes at `position`, which was fed before."""


def is_settled(read: Reader, position: Position) -> bool:
    """Whether the entry at `position` is folded, with or without effect; one that waits is not."""
    clock: LaneClock | None = read.get("lane_clock", (position.community, position.lane))
    if clock is None or (position.epoch, position.index) >= (clock.epoch, clock.size):
        return False
    if position.epoch < clock.epoch:
        seal: Seal | None = read.get("seal", (position.community, position.epoch, position.lane))
        if seal is None or position.index >= seal.size:
            return False  # it was sealed away, and never will be folded
    return read.get("pending", position) is None


class RebuildNeededError(Exception):
    """A successor note sealed less than what is folded already: the views have to be made anew."""


class Fold:
    """The machine: feed it lanes, it writes the state."""

    def __init__(
        self,
        state: State,
        entries: Entries,
        kinds: Mapping[str, RecordKind] = KINDS,
        *,
        checks_authors: bool = True,
    ) -> None:
        """Take the state to write, and where to read pending entries again.

        `checks_authors` off skips the members' signatures, for an audit that counts them elsewhere.
        """
        self._state = state
        self._entries = entries
        self._kinds = kinds
        self._checks_authors = checks_authors

    def folded_size(self, lane: Lane) -> tuple[int, int]:
        """Return (epoch, size): what of `lane` is folded."""
        clock = self._clock(lane)
        return clock.epoch, clock.size

    def next_index(self, lane: Lane, epoch: int) -> int | None:
        """Return where the fold of `lane` in `epoch` goes on.

        None while an earlier epoch is not complete, and where this one is: what stands beyond its seal is void.
        """
        clock = self._clock(lane)
        if epoch == clock.epoch:
            return clock.size if self._sealed_size(lane, epoch) != clock.size else None
        return 0 if self._is_complete_before(lane, clock, epoch) else None

    def seal(self, community: bytes, epoch: int, lanes: Mapping[str, tuple[int, bytes]]) -> None:
        """Close `epoch` as a verified successor note says: size and root of every lane (section 9.3).

        Saying the same again changes nothing; a note that beats another one takes its place.
        """
        # the charter's seal, be it empty, is how the fold knows that the epoch is closed
        stated = {CHARTER: (0, EMPTY_ROOT), **lanes}
        seals = {
            name: Seal(epoch, *stated[name]) if name in stated else None for name in {*LANE_NAMES, *stated}
        }
        if all(self._state.get("seal", (community, epoch, name)) == seal for name, seal in seals.items()):
            return
        for name, seal in seals.items():
            clock = self._clock(Lane(community, name))
            if (clock.epoch, clock.size) > (epoch, seal.size if seal else 0):
                raise RebuildNeededError
        for name, seal in seals.items():
            if seal:
                self._state.put("seal", (community, epoch, name), seal)
            else:
                self._state.remove("seal", (community, epoch, name))

    def feed(
        self,
        lane: Lane,
        *,
        epoch: int,
        start: int,
        entries: Sequence[bytes],
        record_ids: Sequence[bytes] | None = None,
    ) -> Folded:
        """Fold `entries`, which stand in `lane` of `epoch` from index `start` on.

        They begin where the fold of the lane stands. Stops early where an entry stands under a charter size
        that the charter's cut does not reach; feed the rest again when the charter has grown. What stands
        beyond the epoch's seal is void and leaves no trace, whether it was fed or not. `record_ids` are the
        entries' leaf hashes, where the caller has them already.
        """
        folded = Folded()
        clock = self._begin(lane, epoch, start)
        sealed_size = self._sealed_size(lane, epoch)
        is_open = self._is_open(lane, epoch)
        for raw, record_id in zip(entries, record_ids or leaf_hashes(entries), strict=True):
            position = Position(*lane, epoch, start + folded.consumed)
            if sealed_size is not None and position.index >= sealed_size:
                folded.outcomes.append(Outcome(position, record_id, "void", "beyond_seal"))
                folded.consumed += 1
                continue
            try:
                record = decode_record(raw, BODY_TYPES, record_id=record_id)
                self._advance(record, position, clock)
            except ProtocolError as error:
                self._note_void(position, record_id, error, folded)
                record = None
            except Waiting as waiting:
                folded.stalled_on = waiting.position
                break
            clock.size += 1
            folded.consumed += 1
            self._state.put("lane_clock", lane, clock)
            if record is None or self._apply(Entry(position, record), folded, is_open=is_open):
                self._wake(position, folded)
        return folded

    def append(
        self, lane: Lane, *, epoch: int, index: int, raw: bytes, record_id: bytes | None = None
    ) -> Folded:
        """Fold one record that is about to be written, and return what it woke.

        Raises `ProtocolError` where it would be void, and `Waiting` where it would be pending; then nothing
        has changed, and the record must not be written.
        """
        clock = self._begin(lane, epoch, index)
        position = Position(*lane, epoch, index)
        if self._sealed_size(lane, epoch) is not None:
            raise RecordVoid("beyond_seal")
        entry = Entry(position, decode_record(raw, BODY_TYPES, record_id=record_id))
        kind = self._kinds[entry.record.kind]
        self._advance(entry.record, position, clock)
        self._check_standing(kind, entry, is_open=False)
        queue = self._subject_queue(kind, entry)
        before = first_of(self._state, queue) if queue is not None else None
        if before is not None:
            raise Waiting(before)
        changes = kind.step(self._state, entry)
        clock.size += 1
        self._state.put("lane_clock", lane, clock)
        folded = Folded(consumed=1)
        self._change(changes, folded)
        self._wake(position, folded)
        return folded

    def _clock(self, lane: Lane) -> LaneClock:
        clock = self._state.get("lane_clock", lane)
        return msgspec.structs.replace(clock, instant=list(clock.instant)) if clock else LaneClock()

    def _begin(self, lane: Lane, epoch: int, start: int) -> LaneClock:
        clock = self._clock(lane)
        if start == 0 and epoch > clock.epoch and self._is_complete_before(lane, clock, epoch):
            clock = LaneClock(epoch=epoch)  # its time too: this frees a lane that was dated into the future
        assert (epoch, start) == (clock.epoch, clock.size), "a lane is fed from where its fold stands"
        return clock

    def _is_complete_before(self, lane: Lane, clock: LaneClock, epoch: int) -> bool:
        """Whether every epoch before `epoch` is closed, and the lane is folded as far as they say."""
        size = clock.size
        for closed in range(clock.epoch, epoch):
            if self._sealed_size(lane, closed) != size:
                return False
            size = 0
        return epoch > clock.epoch

    def _sealed_size(self, lane: Lane, epoch: int) -> int | None:
        """Return at which size `epoch` closed the lane, 0 where its note does not name it, None while open."""
        if self._state.get("seal", (lane.community, epoch, CHARTER)) is None:
            return None
        seal = self._state.get("seal", (lane.community, epoch, lane.name))
        return seal.size if seal else 0

    def _advance(self, record: Record, position: Position, clock: LaneClock) -> None:
        """Check the lane's clock and move it on; raise `Waiting` where the charter lags behind."""
        if record.time_ms < clock.time_ms:
            raise RecordVoid("time_decreased")
        if record.charter_size < clock.charter_size:
            raise RecordVoid("charter_size_decreased")
        if position.lane == CHARTER:
            if record.charter_size:
                raise RecordVoid("charter_size_refused", "it is 0 in the charter itself")
        elif record.charter_size != clock.charter_size or not clock.size:
            self._check_charter_reached(record, position)
        instant = clock.instant if record.time_ms == clock.time_ms else []
        if record.record_id in instant:
            raise RecordVoid("record_repeated")
        if len(instant) >= INSTANT_RECORDS_MAX:
            raise RecordVoid("instant_full")
        clock.time_ms, clock.charter_size = record.time_ms, record.charter_size
        clock.instant = [*instant, record.record_id]

    def _check_charter_reached(self, record: Record, position: Position) -> None:
        charter = self._state.get("lane_clock", (position.community, CHARTER)) or LaneClock()
        if charter.epoch > position.epoch:
            seal = self._state.get("seal", (position.community, position.epoch, CHARTER))
            if record.charter_size > seal.size:
                raise RecordVoid("charter_size_refused", "beyond what the epoch's charter came to")
        elif (charter.epoch, charter.size) < (position.epoch, record.charter_size):
            index = max(0, record.charter_size - 1)
            raise Waiting(Position(position.community, CHARTER, position.epoch, index))

    def _apply(self, entry: Entry, folded: Folded, *, is_open: bool) -> bool:
        """Let the record take effect; return whether it is settled (False: it waits).

        `is_open` says that the lane is known to be open; else it is looked up.
        """
        kind = self._kinds.get(entry.record.kind)
        if kind is None:
            self._note_unknown(entry, folded)
            return True
        try:
            self._check_standing(kind, entry, is_open=is_open)
        except ProtocolError as error:
            self._note_void(entry.position, entry.record.record_id, error, folded)
            return True
        queue = self._subject_queue(kind, entry) if kind.subject else None
        if queue is not None and first_of(self._state, queue) is not None:
            self._note_pending(entry, None, folded)
            enqueue(self._state, queue, entry.position)
            return False
        if self._try_step(kind, entry, folded):
            return True
        if queue is not None:
            enqueue(self._state, queue, entry.position)
        return False

    def _try_step(self, kind: RecordKind, entry: Entry, folded: Folded) -> bool:
        try:
            changes = kind.step(self._state, entry)
        except Waiting as waiting:
            self._note_pending(entry, waiting.position, folded)
            enqueue(self._state, awaiting_queue(waiting.position), entry.position)
            return False
        except ProtocolError as error:
            self._note_void(entry.position, entry.record.record_id, error, folded)
            return True
        self._change(changes, folded)
        folded.signed += entry.record.author is not None
        return True

    def _change(self, changes: list[Change], folded: Folded) -> None:
        for change in changes:
            if isinstance(change, Put):
                self._state.put(change.table, change.key, change.value)
            else:
                self._state.remove(change.table, change.key)
        folded.applied += 1

    def _is_open(self, lane: Lane, epoch: int) -> bool:
        opened = self._state.get("opened_lane", lane)
        return opened is not None and opened.epoch == epoch

    def _check_standing(self, kind: RecordKind, entry: Entry, *, is_open: bool) -> None:
        """Check place and author, once and before the record may wait: a lane may be in a later epoch after it."""
        position = entry.position
        if not kind.is_at_home(position.lane):
            raise RecordVoid("kind_not_of_lane", f"{kind.name} in {position.lane}")
        is_open = is_open or self._is_open(Lane(position.community, position.lane), position.epoch)
        if not is_open and kind.name not in OPENING_KINDS:
            raise RecordVoid("lane_not_opened")
        if entry.record.author is not None and self._checks_authors:
            verify_author(self._state, entry, kind.member_role)

    def _wake(self, position: Position, folded: Folded) -> None:
        """Resume all that waited for `position`, and what waited for them in turn."""
        if not self._state.may_have("queue"):
            return  # in most lanes nobody ever waits, and this is asked after every record
        if first_of(self._state, awaiting_queue(position)) is None:
            return
        settled = [position]
        while settled:
            queue = awaiting_queue(settled.pop())
            while (waiter := dequeue(self._state, queue)) is not None:
                settled += self._resume(waiter, folded)

    def _resume(self, position: Position, folded: Folded) -> list[Position]:
        """Try a pending record again, then those behind it; return the positions that are settled now."""
        settled: list[Position] = []
        current: Position | None = position
        while current is not None:
            entry = Entry(current, decode_record(self._entries.entry(current), BODY_TYPES))
            kind = self._kinds[entry.record.kind]
            self._state.remove("pending", current)
            if not self._try_step(kind, entry, folded):
                return settled
            settled.append(current)
            queue = self._subject_queue(kind, entry)
            if queue is None:
                return settled
            dequeue(self._state, queue)
            current = first_of(self._state, queue)
        return settled

    def _subject_queue(self, kind: RecordKind, entry: Entry) -> Key | None:
        if kind.subject is None:
            return None
        lane = Lane(entry.position.community, entry.position.lane)
        return subject_queue(lane, kind.subject(entry.record.body))

    def _note_void(self, position: Position, record_id: bytes, error: ProtocolError, folded: Folded) -> None:
        self._state.put("void", position, Void(record_id, error.code))
        folded.outcomes.append(Outcome(position, record_id, "void", error.code, error.detail))

    def _note_unknown(self, entry: Entry, folded: Folded) -> None:
        record = entry.record
        self._state.put("unknown", entry.position, Unknown(record.record_id, record.kind))
        folded.outcomes.append(Outcome(entry.position, record.record_id, "unknown"))

    def _note_pending(self, entry: Entry, waits_for: Position | None, folded: Folded) -> None:
        self._state.put("pending", entry.position, Pending(entry.record.record_id, waits_for))
        folded.outcomes.append(Outcome(entry.position, entry.record.record_id, "pending"))
