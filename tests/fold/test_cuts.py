"""State is a function of the cut: no code, no balance and no waiting depends on which lane came first."""

from collections.abc import Iterator
from itertools import permutations

import pytest

from protocol.amounts.split import TaxTotal
from protocol.dict_state import DictState
from protocol.fold import Fold, RebuildNeededError
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, Lane, Reference
from protocol.lanes.ledger.postings import Account
from protocol.lanes.trade.orders import deal_key
from tests.golden.cuts import Cut, CutEntries, cut_of, fold_cut, state_digest, statuses
from tests.village import MARKET, START_MS, Village, fold_all, object_id


def every_way(cut: Cut) -> Iterator[DictState]:
    """The charters first, then every order of the rest; everything backwards; everything entry by entry."""
    charters = [number for number, part in enumerate(cut.lanes) if part.lane == CHARTER]
    rest = [number for number in range(len(cut.lanes)) if number not in charters]
    for lanes in permutations(rest[:4]):
        yield fold_cut(cut, [*charters, *lanes, *rest[4:]])
    yield fold_cut(cut, list(reversed(range(len(cut.lanes)))))
    yield fold_cut(cut, portion=1)


def one_state(cut: Cut) -> DictState:
    """The state that every way leads to."""
    states = list(every_way(cut))
    assert len({state_digest(state) for state in states}) == 1
    return states[0]


def codes_of(cut: Cut, state: DictState) -> list[str | None]:
    return [status.code for status in statuses(cut, state)]


def traders(*names: str) -> list[Village]:
    villages = [Village(name, lanes=(TRADE, LEDGER)) for name in names]
    for village in villages:
        village.adopt()
    return villages


def test_who_is_not_the_seller_hears_so_whether_or_not_the_seller_has_answered() -> None:
    """A stranger takes what the seller took before: the code is the same in every order of arrival."""
    shop, home, stranger = traders("shop", "home", "stranger")
    placed = home.place(shop)
    shop.say(TRADE, "order.accepted", order=home.key(), takes=[placed])
    stranger.say(TRADE, "order.accepted", order=home.key(), takes=[placed])
    cut = cut_of(shop, home, stranger)
    assert codes_of(cut, one_state(cut)) == ["order_not_seller"]


def test_a_citation_of_another_record_is_a_mismatch_whatever_became_of_that_one() -> None:
    """At the cited place stands a record that waits, and is void in the end: its id was another all along."""
    shop, home, other = traders("shop", "home", "other")
    placed = home.place(shop)
    received = home.say(TRADE, "order.received", order_id=object_id("order"))
    waits = shop.say(TRADE, "order.fulfilled", order=home.key(), takes=[received])
    wrong = Reference(*waits.position, placed.record_id)
    other.say(TRADE, "order.taken", order=home.key(), takes=[wrong])
    cut = cut_of(shop, home, other)
    assert codes_of(cut, one_state(cut)) == ["takes_refused", "reference_mismatch"]


def test_a_balance_has_no_largest_value() -> None:
    """After ten thousand of the largest orders the account goes on counting where 64 bits end."""
    shop, home = traders("shop", "home")
    placed = home.place(shop, totals=[TaxTotal(tax_class="food", rate_bp=0, gross_minor=10**15)])
    shop.say(TRADE, "order.accepted", order=home.key(), takes=[placed])
    shop.say(TRADE, "order.fulfilled", order=home.key(), takes=[])
    received = home.say(TRADE, "order.received", order_id=object_id("order"))
    completed = shop.say(TRADE, "order.completed", order=home.key(), takes=[received])
    state, _ = fold_all(shop, home)
    collected = (shop.community, "EUR", "collected", b"")
    state.put("account", collected, Account.of(2**64))
    shop.post(completed, home)
    fold = Fold(state, CutEntries(cut_of(shop, home)))
    start = len(shop.entries[LEDGER]) - 1
    fold.feed(Lane(shop.community, LEDGER), epoch=0, start=start, entries=shop.entries[LEDGER][start:])
    assert state.get("account", collected).balance_minor == 2**64 + 10**15
    assert len(state_digest(state)) == 32


def test_a_record_that_waited_into_the_next_epoch_still_counts() -> None:
    """The seller's lane goes on in epoch 1 before the buyer's lane arrives."""
    shop, home = traders("shop", "home")
    placed = home.place(shop)
    shop.say(TRADE, "order.accepted", order=home.key(), takes=[placed])
    shop.close_epoch()
    shop.continue_lane(CHARTER)
    shop.continue_lane(TRADE)
    cut = cut_of(shop, home)
    state = one_state(cut)
    assert codes_of(cut, state) == []
    assert state.get("deal", deal_key(shop.community, home.key())).status == "accepted"


def test_what_was_sealed_away_is_void_and_who_cites_it_waits() -> None:
    """The order stands beyond the seal of the buyer's lane: it leaves no trace, whether it was fed or not."""
    shop, home = traders("shop", "home")
    placed = home.place(shop)
    shop.say(TRADE, "order.accepted", order=home.key(), takes=[placed])
    home.close_epoch(beyond={TRADE: 1})
    home.continue_lane(CHARTER)
    home.continue_lane(TRADE)
    cut = cut_of(shop, home)
    state = one_state(cut)
    found = [(status.status, status.code) for status in statuses(cut, state)]
    assert found == [("pending", None), ("void", "beyond_seal")]
    assert state.get("void", placed.position) is None


def test_a_lane_that_the_note_does_not_name_is_sealed_at_nothing() -> None:
    """Its entries are void; who has folded them already begins anew."""
    (shop,) = traders("shop")
    open_state, _ = fold_all(shop)
    shop.close_epoch(beyond={LEDGER: 1})
    cut = cut_of(shop)
    assert LEDGER not in cut.seals[0].lanes
    assert codes_of(cut, one_state(cut)) == ["beyond_seal"]
    with pytest.raises(RebuildNeededError):
        Fold(open_state, CutEntries(cut)).seal(shop.community, 0, cut.seals[0].lanes)


def test_a_note_may_be_told_twice_and_be_beaten_by_another() -> None:
    """Told again when the next epoch runs, it changes nothing; another one for that epoch needs a new fold."""
    (shop,) = traders("shop")
    shop.close_epoch()
    shop.continue_lane(CHARTER)
    cut = cut_of(shop)
    state = fold_cut(cut)
    fold, digest, (seal,) = Fold(state, CutEntries(cut)), state_digest(state), cut.seals
    fold.seal(shop.community, 0, seal.lanes)
    assert state_digest(state) == digest
    other = {name: seal.lanes[name] for name in (CHARTER, TRADE)}
    with pytest.raises(RebuildNeededError):
        fold.seal(shop.community, 0, other)
    early = DictState()
    for lanes in (seal.lanes, other):
        Fold(early, CutEntries(cut)).seal(shop.community, 0, lanes)
    assert sorted(key[2] for table, key in early.rows if table == "seal") == [CHARTER, TRADE]


def test_a_lane_dated_into_the_future_is_freed_by_the_next_epoch() -> None:
    """Time begins anew with the epoch; a lane that an epoch left out continues the one before it."""
    shop = Village("shop")
    shop.now_ms += 10**12
    shop.say(MARKET, "shop.published", shop_id=object_id("s"), name={"en": "S"})
    shop.close_epoch()
    shop.now_ms = START_MS
    shop.continue_lane(CHARTER)
    shop.close_epoch()
    shop.continue_lane(CHARTER)
    shop.continue_lane(MARKET)
    shop.say(MARKET, "shop.published", shop_id=object_id("s"), name={"en": "T"})
    cut = cut_of(shop)
    state = one_state(cut)
    assert codes_of(cut, state) == []
    assert state.get("shop", (shop.community, MARKET, object_id("s"))).published.name == {"en": "T"}
