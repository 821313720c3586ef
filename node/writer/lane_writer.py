"""The lane writer: jobs in, durable records and checkpoints out (DESIGN sections 5 and 10).

One thread owns the store's only writing connection. It takes the jobs that wait, runs them in one
transaction, and answers all of them when that transaction is synced: durable before acknowledged. Then it
signs, in a transaction of its own, what has to be signed; moves the guard; and only then tells the node that
there are new heads. Entries of other communities come the same way and are folded in slices in between, so
that a large backfill does not hold up a shop.

    reference = await writer.run(lambda transaction: transaction.say("market/food", body))
"""

import asyncio
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, TypeVar

import sqlalchemy as sa

from node.epochs import epoch_chain
from node.errors import NodeError
from node.writer.backlog import Backlog
from node.writer.clock import ClockGuard
from node.writer.inbox import INBOX_JOBS_MAX, Asked, AskedJob, EpochEnd, Inbox, Job, answer
from node.writer.own_lanes import OwnLanes, Signer
from node.writer.stored_entries import StoredEntries
from node.writer.transaction import Transaction
from protocol.errors import ProtocolError
from protocol.fold import Fold
from protocol.identity.succession import EpochChain
from protocol.identity.successor import EpochKeys, SealedLane, parse_successor
from protocol.lanes.kind import CHARTER, LEDGER, TRADE
from protocol.log.note import parse_note
from storage.engine import Store
from storage.errors import StorageError
from storage.guard import Guard, Mark, SigningMarks, behind
from storage.successors import keep_successor
from storage.views.folding import FoldState
from storage.views.reading import StateReader

Answer = TypeVar("Answer")

CHECKPOINT_SECONDS = 1.0
REST_SECONDS = 1.0  # after storage failed, before what nobody waits for is tried again
EPOCH_CODES = frozenset({"epoch_closed", "epoch_contested"})  # refusals that other successor notes may end
RESUMABLE = frozenset({"waiting_for_neighbours", "store_restored"})  # refusals that peers may end
AT_ONCE = frozenset({TRADE, LEDGER, CHARTER})
# Storage's own words to a job; every other refusal is the world failing, and undoes the whole group.
JOB_STORAGE_CODES = frozenset(
    {"stock_unknown", "stock_short", "stock_release_beyond", "lane_forked", "lane_gap"}
)


@dataclass(frozen=True, slots=True)
class Advance:
    """What the writer has done: heads that may be shown, and whether the folded state went on.

    `succeeded` are communities whose successor notes changed: their lanes are to be looked at anew.
    """

    signed: tuple[str, ...] = ()
    stored: frozenset[bytes] = frozenset()
    folded: bool = False
    has_new_evidence: bool = False
    succeeded: frozenset[bytes] = frozenset()


class LaneWriter:
    """The thread that writes. Construct, `start`, `run` jobs from the event loop, `stop`."""

    def __init__(
        self,
        store: Store,
        guard: Guard,
        signer: Signer,
        *,
        find_signer: Callable[[EpochKeys], Signer],
        lease: bytes,
        clock: ClockGuard,
        on_advance: Callable[[Advance], None],
        refusal: NodeError | None = None,
        waits_for_neighbours: bool = False,
    ) -> None:
        """Take the open store and guard; `on_advance` and `find_signer` are called on the writer's thread.

        `find_signer` looks for the log key of another epoch on this machine, when stewards have chosen its note.

        With a `refusal` it stores and folds what comes from peers, and says and signs nothing of its own. With
        `waits_for_neighbours` nothing is said and signed before `allow_signing`, and who wants to say something
        waits, until `stop_signing` says that it was in vain. Then it is refused and not kept for later: it was
        composed on what this store shows, which may be old, and would be said on other prices and other stock.
        """
        self._store = store
        self._guard = guard
        self._signer = signer
        self._find_signer = find_signer
        self._judged_chain: EpochChain | None = None
        self._clock = clock
        self._on_advance = on_advance
        guarded = guard.marks()
        self._own = OwnLanes(signer, lease, guarded)
        self._state = FoldState(store.forget_on_failure)
        self._entries = StoredEntries(self._own)
        self._fold = Fold(self._state, self._entries)
        self._backlog = Backlog(store, self._state, self._fold, self._entries, signer.community)
        self._inbox = Inbox()
        self._thread = threading.Thread(target=self._run, name="lane-writer", daemon=True)
        self._unsigned_since: float | None = None
        self._rests_until = 0.0
        self._is_memory_stale = True
        self._refusal = refusal
        self._held: list[AskedJob] = []
        self._is_holding = waits_for_neighbours and refusal is None
        self._is_resuming = False

    def start(self) -> None:
        """Check the guard, fold what is stored, and begin. Raises `StorageError`; then nothing runs."""
        if self._is_holding:
            self._refusal = NodeError("waiting_for_neighbours")
        self._check_guard()
        self._load()
        self._backlog.fold_own()
        if self._signer.log_key is None and (self._is_holding or self._refusal is None):
            self._is_holding = False  # no neighbour can give the key back
            self._refusal = NodeError("epoch_closed")
        self._check_epoch()
        self._open_epoch()
        self._thread.start()

    @property
    def refuses_because(self) -> NodeError | None:
        """Why this node does not sign, or None where it does."""
        return self._refusal

    def stop_signing(self, refusal: NodeError) -> None:
        """Say and sign nothing from now on; who waits to say something hears why."""
        if self._refusal is None or self._refusal.code in RESUMABLE:
            self._refusal = refusal
        self._is_holding = self._is_resuming = False
        self._inbox.wake()

    def hold_signing(self) -> None:
        """Say and sign nothing until it is allowed again or stopped; who wants to say something waits so long."""
        if self._refusal is None:
            self._refusal = NodeError("waiting_for_neighbours")
            self._is_holding, self._is_resuming = True, False

    def allow_signing(self) -> None:
        """Say and sign again, soon, if neither guard nor epoch speaks against it."""
        self._is_resuming = True
        self._inbox.wake()

    def resume(self, code: str) -> None:
        """Write again, where it was `code` that kept this node from it."""
        if self._refusal is not None and self._refusal.code == code:
            self._refusal = None

    @property
    def backlog(self) -> Backlog:
        """What is stored and not folded yet."""
        return self._backlog

    @property
    def inbox_size(self) -> int:
        """How many jobs wait."""
        return len(self._inbox)

    def run(self, job: Callable[[Transaction], Answer]) -> "asyncio.Future[Answer]":
        """Queue a job; its future is done when what it said is synced, and raises as the job does.

        Raises `NodeError`: `inbox_full`, `node_stopping`.
        """
        return self._inbox.put(job)

    def end_epoch(self, end: EpochEnd) -> "asyncio.Future[Signer]":
        """Close the epoch and go on in the next one; the future has what is signed with from then on.

        Done when note and openings are synced. Raises as `run` does, and as `end.succeed` does: then nothing
        has changed.
        """
        return self._inbox.put(end)

    @property
    def epoch(self) -> int:
        """The epoch in which this node writes."""
        return self._signer.epoch

    def stop(self) -> None:
        """Finish what is queued, sign what is unsigned, and end the thread."""
        if self._thread.is_alive():
            self._inbox.close()
            self._thread.join()

    def _run(self) -> None:
        jobs: list[Asked] = []
        try:
            while not self._inbox.is_drained:
                jobs = self._inbox.take(self._seconds_to_work())
                try:
                    self._take_turn(jobs)
                except StorageError as error:
                    self._rest(jobs, error)
            if self._unsigned_since is not None and self._refusal is None:
                self._sign()
        finally:  # after a fault of our own nobody is left waiting, and the node says that it is not ready
            self._refusal = self._refusal or NodeError("writing_paused", "the writer has ended")
            stopping = NodeError("node_stopping")
            left = (*jobs, *self._held, *self._inbox.abandon())
            answer([(future, None, stopping) for _, future in left])

    def _take_turn(self, jobs: list[Asked]) -> None:
        """Do what is asked and due. Raises `StorageError` where the world fails: a full disk, a database away."""
        if self._is_memory_stale:
            self._load()
        if self._is_resuming:
            self._resume()
        if self._held and not self._is_holding:
            jobs, self._held = [*self._held, *jobs], []
        ends = [(job, future) for job, future in jobs if isinstance(job, EpochEnd)]
        ordinary = [(job, future) for job, future in jobs if not isinstance(job, EpochEnd)]
        if ordinary:
            if self._refusal is None:
                self._backlog.fold_own()  # a successor note may have had everything folded anew
                self._check_epoch()
            self._run_group(ordinary)
        for end, future in ends:
            answer([(future, *self._run_end(end))])
        if self._is_signing_due():
            self._sign()
        if self._inbox.is_quiet and not self._seconds_to_rest() and self._backlog.step():
            self._on_advance(Advance(folded=True))
        self._check_epoch()

    def _check_epoch(self) -> None:
        """Where successor notes know of another epoch than ours, somebody else writes for the community, or two do."""
        if self._refusal is not None and self._refusal.code not in EPOCH_CODES:
            return
        chain = self._backlog.own_chain
        if chain is not None and chain.contested:
            self._refusal = NodeError("epoch_contested")
        elif self._signer.log_key is not None and (chain is None or self._signer.opens(chain.newest)):
            self._refusal = None  # stewards have chosen the note by which this node writes
        else:
            self._refusal = NodeError("epoch_closed")
            if chain is not self._judged_chain:
                self._take_epoch()
                self._judged_chain = chain

    def _take_epoch(self) -> None:
        """Go on in the epoch that is open now, as at a start, where its key lies on this machine."""
        with self._store.read() as connection:
            chain = epoch_chain(StateReader(connection), self._signer.community)
        if chain is None or chain.contested:
            return
        signer = self._find_signer(chain.newest)
        if signer.log_key is None:
            return
        self._signer = signer
        self._own.begin_epoch(signer)
        self._load()
        self._backlog.fold_own()
        self._refusal = None
        self._check_guard()
        self._open_epoch()
        self._on_advance(Advance(has_new_evidence=True, succeeded=frozenset({signer.community})))

    def _rest(self, jobs: list[Asked], error: StorageError) -> None:
        """A transaction is undone: so is what memory says of it; whoever still waits for an answer hears why."""
        self._is_memory_stale = True
        self._rests_until = time.monotonic() + REST_SECONDS
        answer([(future, None, error) for _, future in jobs])

    def _run_group(self, jobs: list[AskedJob]) -> None:
        """Run jobs in one transaction, answer them when it is synced, and go on to the checkpoints."""
        self._backlog.begin_group()
        marks: list[Mark] = []
        with self._store.write() as connection, self._state.within(connection):
            transaction = self._make_transaction(connection)
            answers = [
                (future, *answered)
                for job, future in jobs
                if (answered := self._run_or_hold(job, future, transaction)) is not None
            ]
            grown = self._own.store_fresh(connection)
            self._note_unsigned(grown)
            if self._is_signing_due():
                marks = self._own.advance_marks(connection, self._own.unsigned())
        answer(answers)
        stored, succeeded = self._backlog.end_group()
        if grown:
            self._backlog.note_own()
        self._is_memory_stale |= transaction.has_own_fetched
        has_new_evidence = transaction.has_new_evidence
        if stored or grown or has_new_evidence or succeeded:
            self._on_advance(Advance((), stored, bool(grown), has_new_evidence, succeeded))
        if marks:
            self._own.settle_marks(marks)
            self._show(marks)

    def _make_transaction(self, connection: sa.Connection) -> Transaction:
        self._entries.connection = connection
        return Transaction(
            connection,
            state=self._state,
            fold=self._fold,
            own=self._own,
            signer=self._signer,
            clock=self._clock,
            backlog=self._backlog,
            refusal=self._refusal,
        )

    def _run_or_hold(
        self, job: Job, future: "asyncio.Future[Any]", transaction: Transaction
    ) -> tuple[Any, BaseException | None] | None:
        """Run a job; while neighbours are waited for, undo one that wants to say something, and keep it."""
        if not self._is_holding:
            return self._run_job(job, transaction)
        savepoint = transaction.connection.begin_nested()
        answered = self._run_job(job, transaction)
        if answered[1] is self._refusal and len(self._held) < INBOX_JOBS_MAX:
            savepoint.rollback()
            self._held.append((job, future))
            return None
        savepoint.commit()
        return answered

    def _run_job(self, job: Job, transaction: Transaction) -> tuple[Any, BaseException | None]:
        try:
            return job(transaction), None
        except (ProtocolError, NodeError) as error:
            return None, error
        except StorageError as error:
            if error.code not in JOB_STORAGE_CODES:
                raise
            return None, error

    def _run_end(self, end: EpochEnd) -> tuple[Signer | None, BaseException | None]:
        try:
            return self._end_epoch(end), None
        except (ProtocolError, NodeError, StorageError) as error:
            self._is_memory_stale = True
            return None, error

    def _end_epoch(self, end: EpochEnd) -> Signer:
        """Sign what is said, keep the note that seals it, and open the next epoch: each synced before the next.

        A kill between two of them leaves an epoch that goes on, or one that is closed and opened at the start.
        """
        self._backlog.fold_own()
        held_back = self._refusal
        if end.is_prepared and held_back is not None and held_back.code == "note_prepared":
            self._refusal = None
        if self._own.unsigned() and self._refusal is None:
            self._sign()
        if self._refusal is not None or self._own.unsigned():
            raise self._refusal or NodeError("writing_paused", "the newest records could not be signed")
        lanes = self._own.sealed()
        try:
            note, signer = end.succeed(self._signer, lanes)
            _check_closes(note, self._signer.epoch, lanes)
        except NodeError:
            self._refusal = held_back if end.is_prepared else self._refusal
            raise
        with self._store.write() as connection:
            keep_successor(connection, signer.community, self._signer.epoch, note)
        self._signer = signer
        self._own.begin_epoch(signer)
        try:
            self._backlog.close_epoch(signer.community)
            self._open_epoch()
        except StorageError as error:  # the epoch is closed all the same; what is missing is made up for
            self._rest([], error)
        self._on_advance(Advance(has_new_evidence=True, succeeded=frozenset({signer.community})))
        return signer

    def _open_epoch(self) -> None:
        """Write the first entry of every lane of an epoch that has none yet, and sign soon what is unsigned."""
        with self._store.write() as connection, self._state.within(connection):
            self._make_transaction(connection).open_epoch()
            grown = self._own.store_fresh(connection)
        if grown:
            self._on_advance(Advance(folded=True))
        if self._own.unsigned():
            self._unsigned_since = time.monotonic() - CHECKPOINT_SECONDS

    def _resume(self) -> None:
        """Marks and guard follow the heads that peers gave back; then they are compared as at every start."""
        self._is_resuming = self._is_holding = False
        if self._refusal is None or self._refusal.code not in RESUMABLE:
            return
        self._load()
        self._backlog.fold_own()
        with self._store.write() as connection:
            marks = self._own.marks_of_heads(connection)
        self._own.settle_marks(marks)
        guarded = self._own.beyond_guard()
        self._guard.advance(self._own.guard_moves(guarded))
        self._own.settle_guarded(guarded)
        self._refusal = None
        self._check_guard()
        self._check_epoch()
        self._open_epoch()

    def _load(self) -> None:
        """Take from the store what memory has to say of it."""
        with self._store.read() as connection:
            self._own.load(connection)
        self._backlog.load()
        self._is_memory_stale = False

    def _note_unsigned(self, grown: list[str]) -> None:
        if not grown:
            return
        now = time.monotonic()
        if AT_ONCE.intersection(grown):
            self._unsigned_since = now - CHECKPOINT_SECONDS
        elif self._unsigned_since is None:
            self._unsigned_since = now

    def _seconds_to_signing(self) -> float | None:
        if self._unsigned_since is None:
            return None
        return max(0.0, self._unsigned_since + CHECKPOINT_SECONDS - time.monotonic())

    def _seconds_to_work(self) -> float | None:
        """How long until something is to be done without a job; None where nothing is."""
        if self._is_resuming or (self._held and not self._is_holding):
            return self._seconds_to_rest()
        signing = self._seconds_to_signing() if self._refusal is None else None
        stepping = self._backlog.seconds_to_step
        if stepping is not None:
            stepping = max(stepping, self._seconds_to_rest())
        return signing if stepping is None else min(stepping, stepping if signing is None else signing)

    def _seconds_to_rest(self) -> float:
        return max(0.0, self._rests_until - time.monotonic())

    def _is_signing_due(self) -> bool:
        return self._refusal is None and self._seconds_to_signing() == 0.0

    def _sign(self) -> None:
        """Checkpoint every lane that grew since: mark, guard, sign, show."""
        names = self._own.unsigned()
        try:
            with self._store.write() as connection:
                marks = self._own.advance_marks(connection, names)
        except StorageError as error:
            self._put_off(error)
            return
        self._own.settle_marks(marks)
        self._show(marks)

    def _show(self, marks: list[Mark]) -> None:
        """What the main store has marked is guarded, then signed and stored, then shown."""
        try:
            self._guard.advance(self._own.guard_moves(marks))
            self._own.settle_guarded(marks)
            with self._store.write() as connection:
                self._own.set_heads(connection, marks)
        except StorageError as error:
            self._put_off(error)
            return
        self._own.settle_heads(marks)
        self._unsigned_since = None
        self._on_advance(Advance(signed=tuple(mark.lane for mark in marks)))

    def _put_off(self, error: StorageError) -> None:
        """A full disk is tried again in a second; somebody else's signature ends ours."""
        self._unsigned_since = time.monotonic()
        if error.code == "guard_conflict":
            self._refusal = NodeError("writing_paused", f"{error.code}: {error.detail}")

    def _check_guard(self) -> None:
        """A store behind its guard is an old copy: it signs nothing."""
        with self._store.read() as connection:
            stored = SigningMarks(connection).marks()
        guarded = [mark for mark in self._guard.marks() if mark.community == self._signer.community]
        ahead = behind(
            stored, guarded
        )  # what was cosigned of others is behind by itself (node/witnessing.py)
        if ahead:
            self._refusal = NodeError("store_restored", f"{ahead[0].lane}, size {ahead[0].size}")


def _check_closes(note: bytes, epoch: int, lanes: Mapping[str, SealedLane]) -> None:
    """Refuse a note that was made for another epoch, which has ended meanwhile, or over other lanes."""
    stated = parse_successor(parse_note(note).text)
    if (stated.epoch, dict(stated.lanes)) != (epoch, dict(lanes)):
        raise NodeError("note_other")
