"""Shops and listings: the newest word counts, each in its own lane, each listing with its shop."""

from typing import Any

from protocol.lanes.kind import CHARTER
from protocol.lanes.market.listings import FixedPrice, Tax
from tests.village import MARKET, Village, Villager, codes, fold_all, object_id

FASHION = "market/fashion"


def listing(shop: str = "shop", title: str = "Apples", name: str = "listing") -> dict[str, Any]:
    return {
        "listing_id": object_id(name),
        "shop_id": object_id(shop),
        "title": {"en": title},
        "price": FixedPrice(currency="EUR", amount_minor=300),
        "unit_code": "KGM",
        "quantity_scale": 3,
        "tax": Tax(tax_class="food", rate_bp=700),
        "availability": "in_stock",
        "fulfilment": ["delivery"],
    }


def market() -> Village:
    home = Village("home", lanes=[MARKET, FASHION])
    for shop in ("shop", "other"):
        home.say(MARKET, "shop.published", shop_id=object_id(shop), name={"en": shop})
    return home


def test_the_newest_publication_counts_and_says_where_it_stands() -> None:
    """Published, changed, withdrawn, published again: words, place and time are those of the newest."""
    home = market()
    home.say(MARKET, "listing.published", **listing())
    changed = home.say(MARKET, "listing.published", **listing(title="Pears"))
    home.say(MARKET, "listing.withdrawn", listing_id=object_id("listing"))
    withdrawn_ms = home.now_ms
    key = (home.community, MARKET, object_id("listing"))
    found = fold_all(home)[0].get("listing", key)
    assert (found.is_withdrawn, found.published.title, found.time_ms) == (True, {"en": "Pears"}, withdrawn_ms)
    assert (found.index, found.record_id) == (changed.index, changed.record_id)
    home.say(MARKET, "listing.published", **listing(title="Plums"))
    again = fold_all(home)[0].get("listing", key)
    assert (again.is_withdrawn, again.published.title) == (False, {"en": "Plums"})


def test_what_has_no_shop_or_another_one_is_void() -> None:
    """A shop of another lane does not count; a listing stays with the shop that published it."""
    home = market()
    home.say(FASHION, "listing.published", **listing())
    home.say(MARKET, "listing.published", **listing("nobody"))
    home.say(MARKET, "listing.published", **listing())
    home.say(MARKET, "listing.published", **listing("other"))
    home.say(FASHION, "listing.withdrawn", listing_id=object_id("listing"))
    home.say(MARKET, "listing.withdrawn", listing_id=object_id("listing"))
    home.say(MARKET, "listing.withdrawn", listing_id=object_id("listing"))
    assert sorted(filter(None, codes(fold_all(home)[1]))) == [
        "listing_of_another_shop",
        "listing_unknown",
        "listing_withdrawn_already",
        "shop_unknown",
        "shop_unknown",
    ]


def test_only_a_keeper_lists_and_withdraws_where_the_shop_names_keepers() -> None:
    """Another shopkeeper of the community is refused both; the community itself may do both."""
    home = market()
    dee, eve = Villager("dee"), Villager("eve")
    for member in (dee, eve):
        home.admit(member)
    keepers = [dee.member_id]
    home.say(MARKET, "shop.published", shop_id=object_id("shop"), name={"en": "Shop"}, keepers=keepers)
    home.say_as(dee, MARKET, "listing.published", **listing())
    home.say_as(eve, MARKET, "listing.published", **listing(title="Mine now"))
    home.say_as(eve, MARKET, "listing.withdrawn", listing_id=object_id("listing"))
    home.say_as(dee, MARKET, "listing.withdrawn", listing_id=object_id("listing"))
    home.say(MARKET, "listing.published", **listing())
    assert codes(fold_all(home)[1]) == ["author_not_permitted"] * 2
    assert len(home.entries[CHARTER]) == 5
