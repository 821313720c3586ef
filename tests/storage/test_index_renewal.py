"""An index full of what nobody can find any more is filled anew, while the node runs."""

from pathlib import Path

import pytest

from protocol.fold import Fold
from protocol.lanes.kind import Lane
from protocol.lanes.market.listings import FixedPrice, Tax
from storage.engine import open_store
from storage.search import documents, is_worn, search
from storage.views.folding import FoldState
from storage.views.indexing import index_some, listing_text_key
from storage.views.search_queue import queued_count
from tests.village import MARKET, Village, VillageEntries, object_id

LISTINGS = 20


def publish(village: Village, number: int, title: str) -> None:
    village.say(
        MARKET,
        "listing.published",
        listing_id=object_id(f"listing {number}"),
        shop_id=object_id("bakery"),
        title={"en": title},
        price=FixedPrice(currency="EUR", amount_minor=300),
        unit_code="C62",
        quantity_scale=0,
        tax=Tax(tax_class="food", rate_bp=700),
        availability="in_stock",
        fulfilment=["pickup"],
    )


def test_a_worn_index_is_cleared_and_every_listing_indexed_again(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Listings renamed again and again wear the index; the next look renews it, and withdrawn ones stay away."""
    monkeypatch.setattr(documents, "_WORN_MIN", LISTINGS)
    village = Village("shop")
    village.say(MARKET, "shop.published", shop_id=object_id("bakery"), name={"en": "Bakery"})
    with open_store(tmp_path) as store:
        state = FoldState(store.forget_on_failure)
        fold = Fold(state, VillageEntries([village]))

        def take_over(limit: int) -> int:
            with store.write() as connection, state.within(connection):
                for lane, entries in village.entries.items():
                    start = fold.folded_size(Lane(village.community, lane))[1]
                    fold.feed(Lane(village.community, lane), epoch=0, start=start, entries=entries[start:])
                state.flush()
                return index_some(connection, state, limit)

        for fruit in ("apple", "pear", "plum"):
            for number in range(LISTINGS):
                publish(village, number, f"{fruit} {number}")
            assert take_over(LISTINGS) == LISTINGS
        with store.read() as connection:
            assert is_worn(connection)
            assert len(search(connection, "plum", limit=99)) == LISTINGS
        village.say(MARKET, "listing.withdrawn", listing_id=object_id("listing 7"))
        assert take_over(LISTINGS - 5) == LISTINGS - 5
        with store.read() as connection:
            assert not is_worn(connection)
            assert queued_count(connection) == 6  # the withdrawn one stands there twice
        assert take_over(LISTINGS) == 6
        with store.read() as connection:
            found = search(connection, "plum", limit=99)
            assert len(found) == LISTINGS - 1
            assert listing_text_key(village.community, MARKET, object_id("listing 7")) not in found
            assert search(connection, "apple") == []
