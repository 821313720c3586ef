"""The lane writer of a simulated node: the steps of `node/writer`, each of which a power cut may come between.

Records are synced before they are acknowledged, marked before they are guarded, guarded before they are signed,
and a signed head is synced before anybody is shown it. What is said goes through the node's own `Transaction`. The
thread is a generator: it yields the milliseconds that a sync takes, or `PARKED` until somebody wakes it.
"""

from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, cast

from node.errors import NodeError
from node.writer.clock import ClockGuard
from node.writer.inbox import GROUP_JOBS_MAX
from node.writer.lane_writer import AT_ONCE, CHECKPOINT_SECONDS, EPOCH_CODES, RESUMABLE
from node.writer.own_lanes import Signer, size_of
from node.writer.transaction import PEERS_ONLY, Transaction
from protocol.errors import ProtocolError
from protocol.exchange.holding import SignedHead, StoreEntries, StoreStep
from protocol.exchange.places import KeepPlace
from protocol.exchange.replication_events import LaneAdvanced, LaneStored, StepsFailed
from protocol.exchange.resuming import WAITING
from protocol.identity.successor import SealedLane
from protocol.lanes.charter.identity import LaneDeclared
from protocol.lanes.kind import CHARTER, Lane, Reference, Waiting
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.merkle import leaf_hash
from protocol.log.origin import Origin
from protocol.log.record import Body
from simulation.disk import Write
from simulation.epochs import known_chain, learn, take_in, tell
from simulation.own_lanes import OwnLanes
from simulation.store import check_moves, drop_lane, keep_place, set_head, set_marks, take
from storage.errors import StorageError
from storage.guard import Mark, Move, behind

if TYPE_CHECKING:
    from simulation.node import Node


PARKED = -1
RECOVERING = "recovering"
CHECKPOINT_MS = int(CHECKPOINT_SECONDS * 1000)


@dataclass(frozen=True, slots=True)
class Job:
    """Something to be said in one transaction, and who hears its result once that is synced."""

    work: Callable[["Writer"], Any]
    done: Callable[[Any], None]


@dataclass(frozen=True, slots=True)
class EpochEnd:
    """The epoch is to be closed: `succeed` makes the note over the sealed lanes, and what signs the next epoch."""

    succeed: Callable[[Signer, Mapping[str, SealedLane]], tuple[bytes, Signer]]
    done: Callable[[Any], None]


class Writer:
    """One life of the writing thread."""

    def __init__(self, node: "Node", lease: bytes) -> None:
        """Check the guard and take from the store what memory has to know."""
        self._node = node
        self._lease = lease
        self._jobs: deque[Job | EpochEnd] = deque()
        self._writes: list[Write] = []
        self._pending: dict[Origin, int] = {}
        self._proven: set[Origin | bytes] = set()
        self._marks = dict(node.disk.image.marks)
        self._guarded = dict(node.guard.image.marks)
        self._signer = node.find_signer(known_chain(node, node.community.id).newest)
        self._own = OwnLanes(node, self._signer)
        self._clock = ClockGuard(lambda: node.clock_ms)
        self._unsigned_ms: int | None = None
        self._thread = self._live()
        self._is_parked = True
        self._is_resuming = False
        self._is_opening = True
        self.refusal = WAITING if node.is_honest else ""
        if node.is_recovering:
            self.refusal = RECOVERING
        elif self._signer.log_key is None:
            self.refusal = "epoch_closed"
        self._check_guard()
        self._load()
        self._check_epoch()

    @property
    def clock(self) -> ClockGuard:
        """Where records take their time from."""
        return self._clock

    @property
    def epoch(self) -> int:
        """The epoch in which this node writes."""
        return self._signer.epoch

    def put(self, job: Job | EpochEnd) -> None:
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
        if self._node.is_disk_full:
            raise StorageError("storage_full")
        transaction = self._transaction()
        if lane in PEERS_ONLY and self._node.visibility == "public" and not self._is_declared(lane):
            transaction.say(CHARTER, LaneDeclared(lane=lane, visibility="public"))
        return transaction.say(lane, body)

    def found(self, genesis_record: bytes) -> None:
        """Write the first record of the charter."""
        record_id = leaf_hash(genesis_record)
        place = Lane(self._node.community.id, CHARTER)
        self._node.views.fold.append(place, epoch=0, index=0, raw=genesis_record, record_id=record_id)
        self._own.lane(None, CHARTER).add(genesis_record, record_id)

    def take_step(self, step: StoreStep) -> LaneStored | LaneAdvanced | StepsFailed:
        """Take one step of another community's lane, where it fits."""
        if self._node.is_disk_full:
            self._node.count("steps refused")
            return StepsFailed(step.origin)
        size = self._pending.get(step.origin, self._node.disk.image.lane(step.origin).tree.size)
        write, result = take(self._node.disk.image.lane(step.origin), step, size)
        if write is not None:
            self._writes.append(write)
            if isinstance(step, StoreEntries):
                self._pending[step.origin] = step.end
        return result

    def keep_place(self, kept: KeepPlace) -> None:
        """Keep how far a peer's list of heads is taken in."""
        self._writes.append(keep_place(kept.peer, kept.place))

    def write(self, write: Write) -> None:
        """Let something else be written with this group."""
        self._writes.append(write)

    def keeps(self, subject: Origin | bytes) -> bool:
        """Whether a proof about this lane, or a note of this digest, is the first of its group."""
        is_first = subject not in self._proven
        self._proven.add(subject)
        return is_first

    def drop(self, origin: Origin) -> None:
        """Drop a copy that leads elsewhere than a successor note says."""
        self._node.oracle.dropped(self._node, origin)
        self._writes.append(drop_lane(origin))
        self._pending[origin] = 0

    def _transaction(self) -> Transaction:
        return Transaction(
            cast("Any", None),
            state=cast("Any", self._node.views.state),
            fold=self._node.views.fold,
            own=cast("Any", self._own),
            signer=self._signer,
            clock=self._clock,
            backlog=cast("Any", None),
            refusal=NodeError("writing_paused", self.refusal) if self.refusal else None,
        )

    def _is_declared(self, lane: str) -> bool:
        return self._node.views.state.get("declared_lane", (self._node.community.id, lane)) is not None

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
            ordinary = [job for job in jobs if isinstance(job, Job)]
            if ordinary or self._is_opening:
                yield from self._run_group(ordinary)
            for end in [job for job in jobs if isinstance(job, EpochEnd)]:
                yield from self._end_epoch(end)
            if self._is_signing_due():
                yield from self._sign()
            self._check_epoch()
            if not self._jobs and not self._is_opening:
                self._set_alarm()
                yield PARKED

    def _run_group(self, jobs: Sequence[Job]) -> Iterator[int]:
        if self._is_opening:
            self._is_opening = False
            self._transaction().open_epoch()
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

    def _end_epoch(self, end: EpochEnd) -> Iterator[int]:
        """Sign what is said, keep the note that seals it, and open the next epoch: each synced before the next."""
        if self._own.unsigned() and not self.refusal:
            yield from self._sign()
        if self.refusal or self._own.unsigned():
            end.done(NodeError("writing_paused", self.refusal))
            return
        node = self._node
        note, signer = end.succeed(self._signer, self._own.sealed())
        kept = learn(node, self, note)
        assert kept is not None, "the open epoch has no note yet"
        node.disk.write(self._writes)
        self._writes = []
        yield node.sync_ms()
        node.disk.sync()
        node.oracle.sealed(node, note)
        self._signer = signer
        self._own.begin_epoch(signer)
        take_in(node, signer.community)
        self._is_opening = True
        end.done(signer)
        tell(node, signer.community)

    def _check_epoch(self) -> None:
        """Where notes know of another epoch than ours, somebody else writes for the community, or two do."""
        if not self._node.is_honest or (self.refusal and self.refusal not in EPOCH_CODES):
            return
        chain = known_chain(self._node, self._node.community.id)
        if chain.contested:
            self.refusal = "epoch_contested"
        elif self._signer.opens(chain.newest):
            self.refusal = ""
        else:
            self.refusal = "epoch_closed"
            signer = self._node.find_signer(chain.newest)
            if signer.log_key is not None:
                self._take_epoch(signer)

    def _take_epoch(self, signer: Signer) -> None:
        """Go on in the epoch that is open now, as at a start: its key lies on this machine."""
        self._signer = signer
        self._own.begin_epoch(signer)
        self._load()
        self.refusal = ""
        self._check_guard()
        self._is_opening = True

    def _load(self) -> None:
        """Take from the store what memory has to say of it."""
        if self._own.load():
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
        beyond = [mark for mark in self._marks.values() if mark.size > size_of(self._guarded.get(mark.place))]
        check_moves(node.guard.image.marks, self._moves(self._guarded, beyond))
        node.guard.write([set_marks(beyond)])
        yield node.sync_ms()
        node.guard.sync()
        self._guarded.update({mark.place: mark for mark in beyond})
        self.refusal = ""
        self._check_guard()
        self._check_epoch()
        self._is_opening = True

    def _marks_of_heads(self) -> list[Mark]:
        community = self._node.community.id
        return [
            Mark(community, origin.lane, origin.epoch, lane.head.size, lane.head.root, self._lease)
            for origin, lane in self._node.disk.image.lanes.items()
            if (origin.community, origin.epoch) == (community, self.epoch) and lane.head
            if lane.head.size > size_of(self._marks.get((community, origin.lane, origin.epoch)))
        ]

    def _store_fresh(self) -> list[Origin]:
        writes, grown = self._own.store_fresh()
        self._writes += writes
        for origin in grown:
            self._note_unsigned(origin.lane)
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
        signer = self._signer
        return [
            Mark(signer.community, name, signer.epoch, tree.size, tree.root(), self._lease)
            for name, tree in self._own.unsigned()
        ]

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
        origins = [self._signer.origin(mark.lane) for mark in marks]
        self._node.disk.write([set_head(origin, head) for origin, head in zip(origins, heads, strict=True)])
        yield self._node.sync_ms()
        self._node.disk.sync()
        self._unsigned_ms = None
        self._node.note_signed(origins)

    def _moves(self, present: dict[tuple[bytes, str, int], Mark], marks: Sequence[Mark]) -> list[Move]:
        return [Move(present.get(mark.place), mark) for mark in marks]

    def _make_head(self, mark: Mark) -> SignedHead:
        origin, log_key = Origin(*mark.place), self._signer.log_key
        assert log_key is not None, "without the key nothing is signed"
        checkpoint = Checkpoint(origin.text, mark.size, mark.root)
        head = SignedHead(make_checkpoint_note(checkpoint, log_key), checkpoint)
        self._node.oracle.signed(self._node, origin, head, log_key.public)
        return head
