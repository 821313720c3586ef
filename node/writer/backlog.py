"""What is stored and not folded yet, and the steps that fold it: charters first, then the rest.

A lane whose next entry stands under a charter size that is not here stalls; it is tried again when that
charter has grown. Much at once is stored first and folded after, because storing is what makes it safe. The
listings that changed are indexed for search when nothing is left to fold and the shop has a quiet moment; where
it never has, some of them every few seconds.
"""

import time

from node.epochs import drop_refused_branches, epoch_chain
from node.writer.stored_entries import StoredEntries
from protocol.fold import Fold, Outcome, RebuildNeededError
from protocol.identity.succession import EpochChain
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, Lane
from storage.engine import Store
from storage.lanes import LaneStore
from storage.successors import succeeded_communities
from storage.views.folding import FoldState, rebuild
from storage.views.indexing import index_some
from storage.views.reading import StateReader

SLICE_ENTRIES = 2_048
INDEX_LISTINGS = 512
BULK_ENTRIES = 1_024  # more than this of one lane waits until no more of it comes
BULK_QUIET_SECONDS = 0.03
BULK_SECONDS_MAX = 1.0  # then one slice is folded all the same
QUIET_SECONDS = 0.1  # since the last own record, before search is given its turn
UNQUIET_SECONDS_MAX = 2.0  # then it takes one
_PLACE_ORDER = {
    CHARTER: 0,
    TRADE: 2,
    LEDGER: 3,
}  # each cites those before it: in this order nothing has to wait
_MARKET_ORDER = 1

Place = tuple[Lane, int]  # a lane and its epoch


class Backlog:
    """The fold's worklist. Only the writer's thread touches it."""

    def __init__(
        self, store: Store, state: FoldState, fold: Fold, entries: StoredEntries, community: bytes
    ) -> None:
        """Take what folds; `community` is the own one."""
        self._store = store
        self._state = state
        self._fold = fold
        self._entries = entries
        self._community = community
        self._ready: dict[Place, int] = {}
        self._stalled: dict[bytes, dict[Place, int]] = {}
        self._stored_now: dict[Place, int] = {}
        self._succeeded_now: set[bytes] = set()
        self._succeeded: set[bytes] = set()
        self._dropped: set[bytes] = set()
        self._is_unindexed = True
        self._bulky: set[Place] = set()
        self._fold_at = self._fold_by = 0.0
        self._quiet_at = self._index_by = 0.0
        self.void_count = 0
        self.own_chain: EpochChain | None = None  # as the successor notes say that are taken in, if any

    @property
    def seconds_to_step(self) -> float | None:
        """How long until `step` has something to do; None where nothing waits."""
        if self._succeeded or self._ready.keys() - self._bulky:
            return 0.0
        if self._ready:
            return max(0.0, min(self._fold_at, self._fold_by) - time.monotonic())
        if not self._is_unindexed:
            return None
        return max(0.0, min(self._quiet_at, self._index_by) - time.monotonic())

    @property
    def is_folded(self) -> bool:
        """Whether everything that can be folded is; listings may still want indexing."""
        return not (self._ready or self._succeeded)

    def load(self) -> None:
        """Take in the successor notes that are here, and find what is stored beyond the fold."""
        with self._store.read() as connection:
            succeeded = succeeded_communities(connection)
        for community in succeeded:
            self._succeed(community)
        self._find_unfolded()

    def _find_unfolded(self) -> None:
        self._ready.clear()
        self._stalled.clear()
        self._is_unindexed = True
        with self._store.read() as connection, self._state.within(connection):
            store = LaneStore(connection)
            for stored in store.lanes():
                lane = Lane(stored.community, stored.lane)
                size = store.size(stored.lane_key)
                if (stored.epoch, size) > self._fold.folded_size(lane):
                    self._ready[lane, stored.epoch] = size

    def note_stored(self, lane: Lane, epoch: int, size: int) -> None:
        """Say that entries of another community are stored up to `size`, in the open transaction."""
        self._stored_now[lane, epoch] = size
        self.note_coming(lane, epoch, size)

    def note_coming(self, lane: Lane, epoch: int, size: int) -> None:
        """Say that a lane is on its way up to `size`: the first entries of many are not folded between the rest."""
        folded_epoch, folded_size = self._fold.folded_size(lane)
        if size - (folded_size if epoch == folded_epoch else 0) > BULK_ENTRIES:
            self._bulky.add((lane, epoch))

    def note_succession(self, community: bytes) -> None:
        """Say that a successor note about a community was kept, in the open transaction."""
        self._succeeded_now.add(community)

    def note_dropped(self, community: bytes) -> None:
        """Say that a branch of a community's lane was dropped in the open transaction: what it said is forgotten."""
        self._succeeded_now.add(community)
        self._dropped.add(community)

    def close_epoch(self, community: bytes) -> None:
        """Take in a note about the own community now: what is said next stands in the next epoch."""
        self._succeed(community)

    def begin_group(self) -> None:
        """Forget what an undone transaction has noted."""
        self._stored_now.clear()
        self._succeeded_now.clear()

    def end_group(self) -> tuple[frozenset[bytes], frozenset[bytes]]:
        """After the commit: what was noted is ready; return whose lanes grew, and whose epochs changed."""
        if self._bulky.intersection(self._stored_now):
            now = time.monotonic()
            if not self._ready:
                self._fold_by = now + BULK_SECONDS_MAX
            self._fold_at = now + BULK_QUIET_SECONDS
        self._ready.update(self._stored_now)
        succeeded = frozenset(self._succeeded_now)
        self._succeeded |= succeeded
        self._succeeded_now.clear()
        stored = frozenset(lane.community for lane, _ in self._stored_now)
        self._stored_now.clear()
        return stored, succeeded

    def note_own(self) -> None:
        """Say that own records were folded as they were written: listings may want indexing."""
        now = time.monotonic()
        self._quiet_at = now + QUIET_SECONDS
        if not self._is_unindexed:
            self._is_unindexed = True
            self._index_by = now + UNQUIET_SECONDS_MAX

    def fold_own(self) -> None:
        """Fold the own lanes to their end, before anything new is said."""
        while self._succeeded:
            self._succeed(self._succeeded.pop())
        while any(lane.community == self._community for lane, _ in self._ready):
            own = [place for place in self._ready if place[0].community == self._community]
            self._fold_slice(min(own, key=_by_urgency))

    def step(self) -> bool:
        """Fold one slice, or index one; return whether anything was done."""
        if self.seconds_to_step != 0.0:
            return False
        if self._succeeded:
            self._succeed(self._succeeded.pop())
            return True
        if self._ready:
            self._fold_by = time.monotonic() + BULK_SECONDS_MAX
            urgent = self._ready.keys() - self._bulky
            return self._fold_slice(min(urgent or self._ready, key=_by_urgency))
        with self._store.write() as connection, self._state.within(connection):
            indexed = index_some(connection, self._state, INDEX_LISTINGS)
        self._is_unindexed = indexed == INDEX_LISTINGS
        self._index_by = time.monotonic() + UNQUIET_SECONDS_MAX
        return indexed > 0

    def _succeed(self, community: bytes) -> None:
        """Close the epochs that successor notes close; where more is folded than they seal, fold all anew."""
        with self._store.write() as connection, self._state.within(connection):
            reader = StateReader(connection)
            chain = epoch_chain(reader, community)
            if chain is None:
                return
            if community == self._community:
                self.own_chain = chain
            must_rebuild = drop_refused_branches(connection, community, chain) or community in self._dropped
            must_rebuild |= self._is_sealed(community, chain.epoch)  # closed once, and contested since
            try:
                for closing in chain.closings:
                    self._fold.seal(community, closing.epoch, closing.lanes)
            except RebuildNeededError:
                must_rebuild = True
            if must_rebuild:
                self._state.forget()
                rebuild(connection)
        self._dropped.discard(community)
        if must_rebuild:
            self.load()
            return
        for place, size in self._stalled.pop(community, {}).items():
            self._ready[place] = max(size, self._ready.get(place, 0))

    def _is_sealed(self, community: bytes, epoch: int) -> bool:
        return self._state.get("seal", (community, epoch, CHARTER)) is not None

    def _fold_slice(self, place: Place) -> bool:
        (lane, epoch), size = place, self._ready.pop(place)
        with self._store.write() as connection, self._state.within(connection):
            self._entries.connection = connection
            start = self._fold.next_index(lane, epoch)
            if start is None:
                self._stalled.setdefault(lane.community, {})[place] = size
                return True
            store = LaneStore(connection)
            key = store.lane_key(lane.community, lane.name, epoch)
            assert key is not None, "a lane of the backlog is stored"
            entries = store.entries(key, start, min(size, start + SLICE_ENTRIES))
            folded = self._fold.feed(lane, epoch=epoch, start=start, entries=entries)
            is_complete = self._fold.next_index(lane, epoch) is None
        self._note_outcomes(folded.outcomes)
        if folded.stalled_on is not None:
            self._stalled.setdefault(lane.community, {})[place] = size
        elif start + folded.consumed < size:
            self._ready[place] = size
        else:
            self._bulky.discard(place)
        if folded.consumed and (lane.name == CHARTER or is_complete):
            for waiting, known_size in self._stalled.pop(lane.community, {}).items():
                # more of it may have been stored since it stalled
                self._ready[waiting] = max(known_size, self._ready.get(waiting, 0))
        self._is_unindexed = True
        return True

    def _note_outcomes(self, outcomes: list[Outcome]) -> None:
        self.void_count += sum(outcome.status == "void" for outcome in outcomes)


def _by_urgency(place: Place) -> tuple[int, Place]:
    return _PLACE_ORDER.get(place[0].name, _MARKET_ORDER), place
