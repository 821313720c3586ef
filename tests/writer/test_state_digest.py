"""The store's digest is that of PROTOCOL.md section 16.6: the same as a fold in memory comes to."""

from hashlib import sha256
from pathlib import Path

from protocol.encoding import encode
from protocol.fold import Fold
from protocol.lanes.kind import TRADE, Lane
from storage.engine import open_store
from storage.state import digest
from storage.views.folding import FoldState
from tests.village import Village, VillageEntries, fold_all


def test_a_store_with_waiting_records_has_the_digest_of_a_fold_in_memory(tmp_path: Path) -> None:
    """The seller's lane is folded and the buyer's is not: queues stand in the store, not in the digest."""
    shop, home = Village("shop"), Village("home")
    shop.adopt()
    home.adopt()
    placed = home.place(shop)
    for kind in ("order.accepted", "order.fulfilled"):
        shop.say(TRADE, kind, order=home.key(), takes=[placed] if kind == "order.accepted" else [])
    lanes = [(shop, "charter"), (home, "charter"), (shop, TRADE)]
    in_memory, _ = fold_all(shop, home, lanes=lanes)
    expected = sha256(b"".join(encode(list(row)) for row in in_memory.dump())).digest()
    with open_store(tmp_path) as store:
        state = FoldState(store.forget_on_failure)
        with store.write() as connection, state.within(connection):
            fold = Fold(state, VillageEntries([shop, home]))
            for village, lane in lanes:
                entries = village.entries[lane]
                fold.feed(Lane(village.community, lane), epoch=0, start=0, entries=entries)
        with store.read() as connection:
            assert connection.exec_driver_sql(
                "SELECT count(*) FROM state WHERE table_name = 'queue'"
            ).scalar()
            assert digest(connection) == expected
