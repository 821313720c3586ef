"""The lane writer of a simulated node: the steps of `node/writer`, each of which a power cut may come between.

Records are synced before they are acknowledged, marked before they are guarded, guarded before they are signed,
and a signed head is synced before anybody is shown it. The thread is a generator: it yields the milliseconds
that a sync takes, or `PARKED` until somebody wakes it.
"""

from collections import deque
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from node.errors import NodeError
from node.writer.clock import ClockGuard
from node.writer.inbox import GROUP_JOBS_MAX
from node.writer.lane_writer import AT_ONCE, CHECKPOINT_SECONDS, RESUMABLE
from node.writer.transaction import KIND_OF, PEERS_ONLY
from protocol.errors import ProtocolError, RecordVoid
from protocol.exchange.holding import RememberHead, SignedHead, StoreEntries, StoreStep
from protocol.exchange.places import KeepPlace
from protocol.exchange.replication_events import LaneAdvanced, LaneStored, StepsFailed
from protocol.exchange.resuming import WAITING
from protocol.lanes.charter.identity import LaneDeclared, LaneOpened, Visibility
from protocol.lanes.kind import CHARTER, Lane, Reference, Waiting
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.merkle import CompactRange, leaf_hash
from protocol.log.origin import Origin
from protocol.log.record import Body, encode_record
from protocol.log.tiles import unpack_entries
from simulation.disk import Write
from simulation.store import append, check_moves, keep_place, remember, set_head, set_marks
from storage.errors import StorageError
from storage.guard import Mark, Move, behind

if TYPE_CHECKING:
    from simulation.node import Node


def _size_of(mark: Mark | None) -> int:
    return mark.size if mark else 0


PARKED = -1
CHECKPOINT_MS = int(CHECKPOINT_SECONDS * 1000)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be said in one transaction, and who hears its result once that is synced."""

    work: Callable[["Writer"], Any]
    done: Callable[[Any], None]


@dataclass(slots=True)
class _OwnLane:
    """What memory says of one own lane: all that is written, synced or not."""

    size: int
    tree: CompactRange
    fresh: list[bytes] = field(default_factory=list)
    fresh_ids: list[bytes] = field(default_factory=list)


class Writer:
    """One life of the writing thread."""

    def __init__(self, node: "Node", lease: bytes) -> None:
        """Check the guard and take from the store what memory has to know."""
        self._node = node
        self._lease = lease
        self._jobs: deque[Job] = deque()
        self._writes: list[Write] = []
        self._pending: dict[Origin, int] = {}
        self._proven: set[Origin] = set()
        self._marks = dict(node.disk.image.marks)
        self._guarded = dict(node.guard.image.marks)
        self._own: dict[str, _OwnLane] = {}
        self._clock = ClockGuard(lambda: node.clock_ms)
        self._unsigned_ms: int | None = None
        self._thread = self._live()
        self._is_parked = True
        self._is_resuming = False
        self.refusal = WAITING if node.is_honest else ""
        self._check_guard()
        self._load()

    @property
    def clock(self) -> ClockGuard:
        """Where records take their time from."""
        return self._clock

    def put(self, job: Job) -> None:
        """Queue a job."""
        self._jobs.append(job)
        self.wake()

    def wake(self) -> None:
        """Let the thread look what there is to do."""
        if self._is_parked:
            self._is_parked = False
            self._node.later(0, self._go_on)

    def stop_signing(self, code: str) -> None:
        """Say and sign nothing from now on."""
        self._is_resuming = False
        if not self._node.is_honest:
            return  # whoever cheats does not stop for being found out
        if not self.refusal or self.refusal in RESUMABLE:
            self.refusal = code

    def hold_signing(self) -> None:
        """Say and sign nothing for the moment in which the store is asked."""
        if self._node.is_honest and not self.refusal:
            self.refusal = WAITING
            self._is_resuming = False

    def allow_signing(self) -> None:
        """Say and sign again, soon, if the guard does not speak against it."""
        self._is_resuming = True
        self.wake()

    # What jobs may do.

    def say(self, lane: str, body: Body) -> Reference:
        """Append one record, folded and free of faults; raises what would void it, then nothing is said."""
        if self.refusal:
            raise NodeError("writing_paused", self.refusal)
        if self._node.is_disk_full:
            raise StorageError("storage_full")
        if lane != CHARTER:
            self._open(lane)
        return self._append(lane, body)

    def found(self, genesis_record: bytes) -> None:
        """Write the first record of the charter."""
        record_id = leaf_hash(genesis_record)
        place = Lane(self._node.community.id, CHARTER)
        self._node.views.fold.append(place, epoch=0, index=0, raw=genesis_record, record_id=record_id)
        self._add(CHARTER, genesis_record, record_id)

    def take_step(self, step: StoreStep) -> LaneStored | LaneAdvanced | StepsFailed:
        """Take one step of another community's lane, where it fits."""
        if self._node.is_disk_full:
            self._node.count("steps refused")
            return StepsFailed(step.origin)
        lane = self._node.disk.image.lane(step.origin)
        size = self._pending.get(step.origin, lane.tree.size)
        if isinstance(step, RememberHead):
            self._writes.append(remember(step.origin, step.head))
            return LaneStored(step.origin, size)
        if isinstance(step, StoreEntries):
            if step.start != size:
                return StepsFailed(step.origin)
            entries = unpack_entries(step.packed, step.count)
            self._writes.append(append(step.origin, entries, step.leaf_hashes))
            self._pending[step.origin] = step.end
            return LaneStored(step.origin, step.end)
        if step.head.size > size or (lane.head and lane.head.size > step.head.size):
            return StepsFailed(step.origin)
        self._writes.append(set_head(step.origin, step.head))
        return LaneAdvanced(step.origin, step.head, is_own=False)

    def keep_place(self, kept: KeepPlace) -> None:
        """Keep how far a peer's list of heads is taken in."""
        self._writes.append(keep_place(kept.peer, kept.place))

    def write(self, write: Write) -> None:
        """Let something else be written with this group."""
        self._writes.append(write)

    def keeps(self, origin: Origin) -> bool:
        """Whether a proof about this lane is the first of its group."""
        is_first = origin not in self._proven
        self._proven.add(origin)
        return is_first

    def _open(self, lane: str) -> None:
        if lane in self._own:
            return
        if self._node.views.state.get("declared_lane", (self._node.community.id, lane)) is None:
            visibility: Visibility = self._node.visibility if lane in PEERS_ONLY else "public"
            self._append(CHARTER, LaneDeclared(lane=lane, visibility=visibility))
        self._append(lane, LaneOpened(lane=lane))

    def _append(self, lane: str, body: Body) -> Reference:
        views, community = self._node.views, self._node.community.id
        place = Lane(community, lane)
        newest, charter = (
            views.state.get("lane_clock", place),
            views.state.get("lane_clock", (community, CHARTER)),
        )
        time_ms = self._clock.time_after(newest.time_ms if newest else 0)
        index = self._own[lane].size if lane in self._own else 0
        while True:
            raw = encode_record(
                KIND_OF[type(body)],
                body,
                time_ms=time_ms,
                charter_size=0 if lane == CHARTER else charter.size,
            )
            record_id = leaf_hash(raw)
            try:
                views.fold.append(place, epoch=0, index=index, raw=raw, record_id=record_id)
            except RecordVoid as error:
                if error.code not in ("instant_full", "record_repeated"):
                    raise
                time_ms += 1
                continue
            self._add(lane, raw, record_id)
            return Reference(community, lane, 0, index, record_id)

    def _add(self, lane: str, raw: bytes, record_id: bytes) -> None:
        own = self._own.setdefault(lane, _OwnLane(0, CompactRange()))
        own.size += 1
        own.fresh.append(raw)
        own.fresh_ids.append(record_id)
        self._node.views.note_folded(Lane(self._node.community.id, lane), (record_id,))

    # The thread.

    def _go_on(self) -> None:
        wait_ms = next(self._thread)
        self._node.burn()
        if wait_ms == PARKED:
            self._is_parked = True
        else:
            self._node.later(wait_ms, self._go_on)

    def _live(self) -> Iterator[int]:
        while True:
            jobs = [self._jobs.popleft() for _ in range(min(len(self._jobs), GROUP_JOBS_MAX))]
            if self._is_resuming:
                yield from self._resume()
            if jobs:
                yield from self._run_group(jobs)
            if self._is_signing_due():
                yield from self._sign()
            if not self._jobs:
                self._set_alarm()
                yield PARKED

    def _run_group(self, jobs: Sequence[Job]) -> Iterator[int]:
        results = [(job.done, self._result(job)) for job in jobs]
        grown = self._store_fresh()
        stored = tuple(dict.fromkeys(self._pending))
        marks = self._next_marks() if self._is_signing_due() else []
        self._node.disk.write([*self._writes, set_marks(marks)])
        self._writes, self._pending, self._proven = [], {}, set()
        yield self._node.sync_ms()
        self._node.disk.sync()
        self._marks.update({mark.place: mark for mark in marks})
        if any(origin.community == self._node.community.id for origin in stored):
            self._load()
        self._node.note_stored(stored, grown)
        for done, result in results:
            done(result)
        if marks:
            yield from self._show(marks)

    def _result(self, job: Job) -> Any:
        try:
            return job.work(self)
        except (ProtocolError, NodeError, StorageError, Waiting) as error:
            return error

    def _load(self) -> None:
        """Take from the store what memory has to say of it."""
        for origin, lane in self._node.disk.image.lanes.items():
            if origin.community == self._node.community.id:
                self._own[origin.lane] = _OwnLane(lane.tree.size, lane.tree.copy())
                if lane.tree.size > (lane.head.size if lane.head else 0):
                    self._unsigned_ms = self._node.machine_ms - CHECKPOINT_MS

    def _check_guard(self) -> None:
        """A store behind its guard is an old copy: it signs nothing."""
        if self._node.is_honest and behind(self._marks.values(), self._guarded.values()):
            self.refusal = "store_restored"

    def _resume(self) -> Iterator[int]:
        """Marks and guard follow the heads that peers gave back; then they are compared as at every start."""
        self._is_resuming = False
        if self.refusal not in RESUMABLE:
            return
        self._load()
        node, marks = self._node, self._marks_of_heads()
        node.disk.write([set_marks(marks)])
        yield node.sync_ms()
        node.disk.sync()
        self._marks.update({mark.place: mark for mark in marks})
        beyond = [
            mark for mark in self._marks.values() if mark.size > _size_of(self._guarded.get(mark.place))
        ]
        check_moves(node.guard.image.marks, self._moves(self._guarded, beyond))
        node.guard.write([set_marks(beyond)])
        yield node.sync_ms()
        node.guard.sync()
        self._guarded.update({mark.place: mark for mark in beyond})
        self.refusal = ""
        self._check_guard()

    def _marks_of_heads(self) -> list[Mark]:
        community = self._node.community.id
        return [
            Mark(community, origin.lane, origin.epoch, lane.head.size, lane.head.root, self._lease)
            for origin, lane in self._node.disk.image.lanes.items()
            if origin.community == community and lane.head
            if lane.head.size > _size_of(self._marks.get((community, origin.lane, origin.epoch)))
        ]

    def _store_fresh(self) -> list[Origin]:
        grown = []
        for name, own in self._own.items():
            if own.fresh:
                origin = self._node.community.origin(name)
                self._writes.append(append(origin, own.fresh, own.fresh_ids))
                own.tree.extend(own.fresh_ids)
                own.fresh, own.fresh_ids = [], []
                grown.append(origin)
                self._note_unsigned(name)
        return grown

    def _note_unsigned(self, lane: str) -> None:
        if lane in AT_ONCE:
            self._unsigned_ms = self._node.machine_ms - CHECKPOINT_MS
        elif self._unsigned_ms is None:
            self._unsigned_ms = self._node.machine_ms

    def _is_signing_due(self) -> bool:
        due = self._unsigned_ms is not None and self._node.machine_ms >= self._unsigned_ms + CHECKPOINT_MS
        return due and not self.refusal

    def _set_alarm(self) -> None:
        if self._unsigned_ms is not None and not self.refusal:
            self._node.later(max(1, self._unsigned_ms + CHECKPOINT_MS - self._node.machine_ms), self.wake)

    # Signing.

    def _next_marks(self) -> list[Mark]:
        community, marks = self._node.community.id, []
        for name, own in self._own.items():
            head = self._node.disk.image.lane(self._node.community.origin(name)).head
            if own.tree.size > (head.size if head else 0):
                marks.append(Mark(community, name, 0, own.tree.size, own.tree.root(), self._lease))
        return marks

    def _sign(self) -> Iterator[int]:
        marks = self._next_marks()
        try:
            check_moves(self._node.disk.image.marks, self._moves(self._marks, marks))
        except StorageError as error:
            self.stop_signing(error.code)
            return
        self._node.disk.write([set_marks(marks)])
        yield self._node.sync_ms()
        self._node.disk.sync()
        self._marks.update({mark.place: mark for mark in marks})
        yield from self._show(marks)

    def _show(self, marks: Sequence[Mark]) -> Iterator[int]:
        """What the main store has marked is guarded, then signed and stored, then shown."""
        try:
            check_moves(self._node.guard.image.marks, self._moves(self._guarded, marks))
        except StorageError as error:
            self.stop_signing(error.code)
            return
        self._node.guard.write([set_marks(marks)])
        yield self._node.sync_ms()
        self._node.guard.sync()
        self._guarded.update({mark.place: mark for mark in marks})
        heads = [self._make_head(mark) for mark in marks]
        origins = [self._node.community.origin(mark.lane) for mark in marks]
        self._node.disk.write([set_head(origin, head) for origin, head in zip(origins, heads, strict=True)])
        yield self._node.sync_ms()
        self._node.disk.sync()
        self._unsigned_ms = None
        self._node.note_signed(origins)

    def _moves(self, present: dict[tuple[bytes, str, int], Mark], marks: Sequence[Mark]) -> list[Move]:
        return [Move(present.get(mark.place), mark) for mark in marks]

    def _make_head(self, mark: Mark) -> SignedHead:
        origin = self._node.community.origin(mark.lane)
        checkpoint = Checkpoint(origin.text, mark.size, mark.root)
        head = SignedHead(make_checkpoint_note(checkpoint, self._node.community.log), checkpoint)
        self._node.oracle.signed(self._node, origin, head)
        return head
