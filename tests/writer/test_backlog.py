"""The fold's worklist: what is stored is folded to its end, in whatever pieces lanes and charters arrive."""

from pathlib import Path

from node.writer.backlog import BULK_ENTRIES, Backlog
from node.writer.own_lanes import OwnLanes, Signer
from node.writer.stored_entries import StoredEntries
from protocol.fold import Fold
from protocol.lanes.kind import CHARTER, Lane
from storage.engine import open_store
from storage.lanes import LaneStore
from storage.views.folding import FoldState
from tests.village import MARKET, Village, object_id


class Reader:
    """A node that only follows: stores pieces of another community's lanes and folds them."""

    def __init__(self, folder: Path, own: Village, other: Village) -> None:
        self.store = open_store(folder)
        self.other = other
        state = FoldState(self.store.forget_on_failure)
        entries = StoredEntries(OwnLanes(Signer(own.community, 0, own.log), bytes(16), ()))
        self.fold = Fold(state, entries)
        self.backlog = Backlog(self.store, state, self.fold, entries, own.community)
        self.state = state

    def receive(self, **sizes: int) -> None:
        """Store lanes up to these sizes in one transaction; nothing is folded yet."""
        self.backlog.begin_group()
        with self.store.write() as connection, self.state.within(connection):
            lanes = LaneStore(connection)
            for word, size in sizes.items():
                name = {"charter": CHARTER, "market": MARKET}[word]
                key = lanes.open_lane(self.other.community, name, 0)
                lanes.append(key, lanes.size(key), self.other.entries[name][lanes.size(key) : size])
                self.backlog.note_stored(Lane(self.other.community, name), 0, size)
        self.backlog.end_group()

    def fold_all(self) -> None:
        while self.backlog.step():
            pass

    def folded_size(self, name: str) -> int:
        with self.store.read() as connection, self.state.within(connection):
            return self.fold.folded_size(Lane(self.other.community, name))[1]


def test_a_lane_that_grew_while_it_waited_for_its_charter_is_folded_to_its_end(tmp_path: Path) -> None:
    """Two records wait for the charter; the charter and three more come together, the charter goes first."""
    other = Village("other", lanes=(MARKET,))
    for number in range(4):
        other.say(
            MARKET, "shop.published", shop_id=object_id(f"shop {number}"), name={"en": f"Shop {number}"}
        )
    reader = Reader(tmp_path, Village("own", lanes=()), other)
    reader.receive(charter=1, market=2)
    reader.fold_all()
    assert reader.folded_size(MARKET) == 0
    reader.receive(charter=len(other.entries[CHARTER]), market=len(other.entries[MARKET]))
    reader.fold_all()
    assert reader.folded_size(MARKET) == len(other.entries[MARKET]) == 5
    reader.store.close()


def test_the_first_entries_of_a_long_lane_are_not_folded_between_the_rest(tmp_path: Path) -> None:
    """A head of thousands is on its way: its first entry waits, the charter does not."""
    other = Village("other", lanes=(MARKET,))
    reader = Reader(tmp_path, Village("own", lanes=()), other)
    with reader.store.write() as connection, reader.state.within(connection):
        reader.backlog.note_coming(Lane(other.community, MARKET), 0, 2 * BULK_ENTRIES)
    reader.receive(charter=len(other.entries[CHARTER]), market=1)
    assert reader.backlog.step()
    assert reader.folded_size(CHARTER) == len(other.entries[CHARTER])
    assert reader.folded_size(MARKET) == 0
    assert not reader.backlog.step()
    assert reader.backlog.seconds_to_step
    reader.store.close()
