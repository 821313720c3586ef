"""One order from placing to mirrored postings, folded in any order of lanes."""

from itertools import permutations

from protocol.lanes.kind import LEDGER, TRADE
from tests.village import Village, codes, fold_all


def completed_order() -> tuple[Village, Village]:
    shop, home = Village("shop"), Village("home")
    shop.adopt()
    home.adopt()
    placed = home.place(shop)
    key = home.key()
    shop.say(TRADE, "order.accepted", order=key, takes=[placed])
    shop.say(TRADE, "order.fulfilled", order=key, takes=[])
    received = home.say(TRADE, "order.received", order_id=key.order_id)
    completed = shop.say(TRADE, "order.completed", order=key, takes=[received])
    shop.post(completed, home)
    home.post(completed, shop)
    return shop, home


def test_a_completed_order_is_posted_on_both_sides_and_the_dues_mirror() -> None:
    """The seller collected 107.00: it owes the buyer's community 2.50, and nothing is awaited any more."""
    shop, home = completed_order()
    state, folded = fold_all(shop, home)
    assert codes(folded) == []
    due = state.get("account", (shop.community, "EUR", "due", home.community))
    mirror = state.get("account", (home.community, "EUR", "due", shop.community))
    assert (due.balance_minor, mirror.balance_minor) == (-250, 250)
    assert state.get("account", (shop.community, "EUR", "collected", b"")).balance_minor == 10_700
    assert state.get("account", (shop.community, "EUR", "share/seller", b"")).balance_minor == -9_400
    assert not [key for key in state.rows if key[0] in ("awaited", "pending", "queue")]


def test_every_order_of_lanes_gives_the_same_bytes() -> None:
    """State is a function of the cut: all arrival orders of six lanes dump equal bytes."""
    shop, home = completed_order()
    charters = [(shop, "charter"), (home, "charter")]
    rest = [(shop, TRADE), (home, TRADE), (shop, LEDGER), (home, LEDGER)]
    dumps = {tuple(fold_all(shop, home, lanes=[*charters, *lanes])[0].dump()) for lanes in permutations(rest)}
    assert len(dumps) == 1


def test_a_false_share_is_void_by_the_split_rule() -> None:
    """A posting that gives the buyer's community less than the policy says has no effect and is named."""
    shop, home = completed_order()
    shop.entries[LEDGER].pop()
    state, _ = fold_all(shop, home)
    completed = next(key[1] for key, move in state.rows.items() if key[0] == "move" and move.allocations)
    reference = state.get("move", completed)
    from protocol.amounts.entries import AccountEntry
    from protocol.lanes.kind import Reference

    false_entries = [
        AccountEntry("collected", 10_700),
        AccountEntry("due", -150),
        AccountEntry("share/commons", -50),
        AccountEntry("share/seller", -9_500),
        AccountEntry("share/seller_community", -300),
        AccountEntry("share/tax", -700),
    ]
    shop.post(Reference(*completed, reference.record_id), home, entries=false_entries)
    assert codes(fold_all(shop, home)[1]) == ["posting_mismatch"]
