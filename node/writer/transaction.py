"""What a job sees while the writer runs it: the folded state, the store, and the one way to say something."""

from typing import Any

import sqlalchemy as sa

from node.errors import NodeError
from node.writer.backlog import Backlog
from node.writer.clock import ClockGuard
from node.writer.own_lanes import OwnLanes, Signer
from protocol.errors import RecordVoid
from protocol.fold import Fold
from protocol.lanes import KINDS
from protocol.lanes.charter.identity import (
    LaneContinued,
    LaneDeclared,
    LaneOpened,
    LaneStatement,
    Seal,
    Visibility,
    last_seal,
)
from protocol.lanes.kind import (
    CHARTER,
    LANE_NAMES,
    LEDGER,
    TRADE,
    Key,
    Lane,
    Position,
    Reference,
    Waiting,
)
from protocol.log.merkle import leaf_hash
from protocol.log.record import Body, encode_record
from storage.errors import StorageError
from storage.evidence import add_evidence
from storage.views.folding import FoldState
from storage.views.reading import StateReader

KIND_OF: dict[type[Body], str] = {kind.body: name for name, kind in KINDS.items()}
PEERS_ONLY = frozenset({TRADE, LEDGER})


class Transaction:
    """One group of jobs shares one transaction; each job decides on what the ones before it have said.

    A job reads and judges first, and says last: what it has said when it raises stays said.
    """

    def __init__(
        self,
        connection: sa.Connection,
        *,
        state: FoldState,
        fold: Fold,
        own: OwnLanes,
        signer: Signer,
        clock: ClockGuard,
        backlog: Backlog,
        refusal: NodeError | None,
    ) -> None:
        """Take what the writer holds for the length of one transaction."""
        self.connection = connection
        self.community = signer.community
        self.has_new_evidence = False
        self.has_own_fetched = False
        self.clock = clock
        self._signer = signer
        self._state = state
        self._fold = fold
        self._own = own
        self._backlog = backlog
        self._refusal = refusal
        self._charter = Lane(signer.community, CHARTER)

    def get(self, table: str, key: Key) -> Any:
        """Return the struct of the folded state at `key`, or None."""
        return self._state.get(table, key)

    @property
    def refusal(self) -> NodeError | None:
        """Why this node signs nothing, or None where it does."""
        return self._refusal

    def say(self, lane: str, body: Body) -> Reference:
        """Append one record of the community itself, folded and free of faults, and return its reference.

        Opens the lane on first use. Raises `ProtocolError` with the code that would void the record, and
        `NodeError` where the clock is wrong; then nothing was appended.
        """
        if self._refusal is not None:
            raise self._refusal
        self._open(lane)
        return self._append(lane, body)

    def keep_evidence(self, community: bytes, epoch: int, kind: str, note: bytes) -> bool:
        """Keep a note about an epoch of a community; return whether it was new. What travels is then told."""
        is_new = add_evidence(self.connection, community, epoch, kind, note)
        self.has_new_evidence |= is_new
        return is_new

    def open_epoch(self) -> None:
        """Let all lanes that an earlier epoch has sealed go on in this one, the charter first."""
        if self._signer.epoch and self._refusal is None:
            for lane in LANE_NAMES:
                if lane == CHARTER or self._last_seal(lane) is not None:
                    self._open(lane)

    def note_succession(self, community: bytes) -> None:
        """Say that a successor note about a community was kept: its epochs are judged anew, soon."""
        self._backlog.note_succession(community)
        self.has_new_evidence = True

    def note_dropped(self, community: bytes) -> None:
        """Say that a branch of a community's lane was dropped: all is folded anew without it, soon."""
        self._backlog.note_dropped(community)

    def note_own_fetched(self) -> None:
        """Say that entries or a head of an own lane came back from peers; raises where this node signs meanwhile."""
        if self._refusal is None:
            raise StorageError("lane_gap", "an own lane is written here")
        self.has_own_fetched = True

    def note_coming(self, lane: Lane, epoch: int, size: int) -> None:
        """Say that entries of another community's lane are on their way, up to `size`."""
        self._backlog.note_coming(lane, epoch, size)

    def note_stored(self, lane: Lane, epoch: int, size: int) -> None:
        """Say that entries of another community's lane were stored up to `size`, to be folded soon."""
        self._backlog.note_stored(lane, epoch, size)

    def scan(self, table: str, prefix: Key, *, length: int, limit: int) -> list[tuple[Key, Any]]:
        """Return up to `limit` (key, struct) pairs whose keys of `length` parts begin with `prefix`."""
        self._state.flush()
        return list(StateReader(self.connection).scan(table, prefix, length=length, limit=limit))

    def statements(self) -> list[LaneStatement]:
        """Return size and root of every own lane but the charter, as far as they are marked for signing."""
        return self._own.statements()

    def charter_size(self) -> int:
        """Return the size of the own charter: under it the next record stands."""
        clock = self._state.get("lane_clock", self._charter)
        return clock.size if clock and clock.epoch == self._signer.epoch else 0

    def _open(self, lane: str) -> None:
        if self._own.lane(self.connection, lane).size:
            return
        if lane not in LANE_NAMES:
            raise RecordVoid("lane_unknown", lane)
        if lane != CHARTER:
            self._open(CHARTER)
        seal = self._last_seal(lane)
        if seal is not None:
            self._append(lane, LaneContinued(lane=lane, epoch=seal.epoch, size=seal.size, root=seal.root))
            return
        if self._state.get("declared_lane", (self.community, lane)) is None:
            visibility: Visibility = "peers" if lane in PEERS_ONLY else "public"
            self._append(CHARTER, LaneDeclared(lane=lane, visibility=visibility))
        self._append(lane, LaneOpened(lane=lane))

    def _last_seal(self, lane: str) -> Seal | None:
        return last_seal(self._state, Position(self.community, lane, self._signer.epoch, 0))

    def _append(self, lane: str, body: Body) -> Reference:
        own = self._own.lane(self.connection, lane)
        place = Lane(self.community, lane)
        newest = self._state.get("lane_clock", place)
        is_going_on = newest is not None and newest.epoch == self._signer.epoch
        time_ms = self.clock.time_after(newest.time_ms if is_going_on else 0)
        while True:
            raw = encode_record(
                KIND_OF[type(body)],
                body,
                time_ms=time_ms,
                charter_size=0 if lane == CHARTER else self.charter_size(),
            )
            record_id = leaf_hash(raw)
            try:
                self._fold.append(
                    place, epoch=self._signer.epoch, index=own.size, raw=raw, record_id=record_id
                )
            except Waiting as waiting:
                raise NodeError(
                    "record_not_here", f"{waiting.position.lane}/{waiting.position.index}"
                ) from None
            except RecordVoid as error:
                if error.code not in ("instant_full", "record_repeated"):
                    raise
                time_ms += 1
                continue
            own.add(raw, record_id)
            return Reference(self.community, lane, self._signer.epoch, own.size - 1, record_id)
