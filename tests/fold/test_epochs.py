"""Epochs: what a successor note seals, how lanes go on, and what counts anew."""

from random import Random
from typing import Any

import pytest

from protocol.dict_state import DictState
from protocol.fold import Fold, RebuildNeededError
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, Lane, Position
from protocol.log.merkle import EMPTY_ROOT
from tests.feeding import fold_villages
from tests.lanes.deals import Dealing, code_at
from tests.village import MARKET, Village, VillageEntries, Villager, codes, fold_all, object_id

SHOP = {"shop_id": object_id("shop"), "name": {"en": "Shop"}}


def any_way(*villages: Village) -> tuple[DictState, list[str | None]]:
    """Fold in one order and in five random ones: the same state; return it with the codes."""
    state, folded = fold_all(*villages)
    dumped = list(state.dump())
    for number in range(5):
        assert list(fold_villages(villages, Random(number))[0].dump()) == dumped
    return state, codes(folded)


def rotated() -> Village:
    """A village in its second epoch, with a charter that goes on."""
    home = Village("home")
    home.say(MARKET, "shop.published", **SHOP)
    home.close_epoch()
    home.continue_lane(CHARTER)
    return home


def test_a_lane_goes_on_where_the_note_sealed_it() -> None:
    """`lane.continued` names epoch, size and root; the state of the lane is still there."""
    home = rotated()
    home.continue_lane(MARKET)
    home.say(MARKET, "shop.published", shop_id=object_id("second"), name={"en": "Second"})
    state, found = any_way(home)
    assert found == []
    published = [key[2] for table, key in state.rows if table == "shop"]
    assert sorted(published) == sorted([object_id("shop"), object_id("second")])
    assert state.get("opened_lane", (home.community, MARKET)).epoch == 1


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"size": 1}, "lane_continuation_mismatch"),
        ({"root": EMPTY_ROOT}, "lane_continuation_mismatch"),
        ({"epoch": 1}, "lane_continuation_mismatch"),
        ({"lane": TRADE}, "lane_opening_misplaced"),
    ],
    ids=str,
)
def test_a_lane_does_not_go_on_from_anything_else(changed: dict[str, Any], code: str) -> None:
    """Another size, root, epoch or lane: the lane stays shut in this epoch."""
    home = rotated()
    size, root = home.seals[0][MARKET]
    home.say(MARKET, "lane.continued", **{"lane": MARKET, "epoch": 0, "size": size, "root": root, **changed})
    home.say(MARKET, "shop.published", **SHOP)
    _, found = any_way(home)
    assert found == [code, "lane_not_opened"]


def test_a_sealed_lane_is_not_opened_anew_and_an_unused_one_is() -> None:
    """`lane.opened` is for the first use; ledger was declared in epoch 0 and never used."""
    home = Village("home", lanes=[TRADE])
    home.say(CHARTER, "lane.declared", lane=LEDGER, visibility="peers")
    home.close_epoch()
    home.continue_lane(CHARTER)
    home.say(LEDGER, "lane.opened", lane=LEDGER)
    home.say(TRADE, "lane.opened", lane=TRADE)
    state, found = any_way(home)
    assert found == ["lane_opening_misplaced"]
    assert state.get("opened_lane", (home.community, LEDGER)).epoch == 1
    assert state.get("opened_lane", (home.community, TRADE)).epoch == 0


def test_a_lane_unused_for_an_epoch_goes_on_from_the_one_before() -> None:
    """Market rests in epoch 1; in epoch 2 it continues what epoch 0 sealed."""
    home = rotated()
    home.close_epoch()
    home.continue_lane(CHARTER)
    reference = home.continue_lane(MARKET)
    home.say(MARKET, "shop.published", **SHOP)
    _, found = any_way(home)
    assert found == []
    assert (reference.epoch, reference.index) == (2, 0)


def test_what_stands_beyond_the_seal_has_no_effect_and_leaves_no_row() -> None:
    """Also where it was folded before the note came: then the state is made anew."""
    home = Village("home")
    kept = home.say(MARKET, "shop.published", **SHOP)
    cut_off = home.say(MARKET, "shop.published", shop_id=object_id("late"), name={"en": "Late"})
    before, _ = fold_all(home)
    home.close_epoch({MARKET: 1})
    fold = Fold(before, VillageEntries([home]))
    with pytest.raises(RebuildNeededError):
        fold.seal(home.community, 0, home.seals[0])
    home.continue_lane(CHARTER)
    home.continue_lane(MARKET)
    state, found = any_way(home)
    assert found == ["beyond_seal"]
    assert [key for table, key in state.rows if table in ("shop", "void")] == [
        (home.community, MARKET, object_id("shop"))
    ]
    assert (kept.index, cut_off.index) == (1, 2)


def test_the_next_epoch_waits_until_the_one_before_is_folded_to_its_seal() -> None:
    """Asked where to go on, the fold says nothing before the seal is known and reached."""
    home = rotated()
    home.continue_lane(MARKET)
    fold = Fold(DictState(), VillageEntries([home]))
    charter, market = Lane(home.community, CHARTER), Lane(home.community, MARKET)
    assert fold.next_index(charter, 1) is None
    fold.feed(charter, epoch=0, start=0, entries=home.entries_in(0)[CHARTER])
    fold.feed(market, epoch=0, start=0, entries=home.entries_in(0)[MARKET][:1])
    assert fold.next_index(charter, 1) is None
    fold.seal(home.community, 0, home.seals[0])
    assert (fold.next_index(charter, 0), fold.next_index(charter, 1)) == (None, 0)
    assert (fold.next_index(market, 0), fold.next_index(market, 1)) == (1, None)
    fold.feed(market, epoch=0, start=1, entries=home.entries_in(0)[MARKET][1:])
    stalled = fold.feed(market, epoch=1, start=0, entries=home.entries[MARKET])
    assert stalled.stalled_on == Position(home.community, CHARTER, 1, 0)
    fold.feed(charter, epoch=1, start=0, entries=home.entries[CHARTER])
    assert fold.feed(market, epoch=1, start=0, entries=home.entries[MARKET]).applied == 1
    assert fold.folded_size(market) == (1, 1)


def test_a_charter_size_that_the_closed_epoch_never_had_is_refused() -> None:
    """While the epoch was open the lane would have waited; now the charter will never be that long."""
    home = Village("home")
    size = len(home.entries[CHARTER])
    home.charter_size = lambda lane: 0 if lane == CHARTER else size + 1
    home.say(MARKET, "shop.published", **SHOP)
    fold = Fold(DictState(), VillageEntries([home]))
    fold.feed(Lane(home.community, CHARTER), epoch=0, start=0, entries=home.entries[CHARTER])
    market = fold.feed(Lane(home.community, MARKET), epoch=0, start=0, entries=home.entries[MARKET])
    assert market.stalled_on == Position(home.community, CHARTER, 0, size)
    home.close_epoch()
    home.continue_lane(CHARTER)
    assert any_way(home)[1] == ["charter_size_refused"]


def test_charter_sizes_and_signatures_count_within_their_epoch() -> None:
    """A member's word of epoch 0 is not valid in epoch 1, though size and time may be the same."""
    dee = Villager("dee")
    home = Village("home")
    home.admit(dee)
    home.close_epoch()
    home.continue_lane(CHARTER)
    home.continue_lane(MARKET)
    home.say_as(dee, MARKET, "shop.published", **SHOP)
    home.say_as(dee, MARKET, "shop.published", signed={"epoch": 0}, **SHOP)
    assert any_way(home)[1] == ["author_signature"]


def test_an_order_goes_on_over_the_epochs_of_both_sides() -> None:
    """Placed and accepted in epoch 0, completed in epoch 1, posted on both sides; balances go on."""
    dealing = Dealing()
    dealing.reach("fulfilled")
    for village in dealing.villages:
        village.close_epoch()
        for lane in (CHARTER, TRADE, LEDGER):
            village.continue_lane(lane)
    completed = dealing.seller_says("order.completed", *dealing.need("order.completed"))
    dealing.shop.post(completed, dealing.home)
    dealing.home.post(completed, dealing.shop)
    again = dealing.home.place(dealing.shop)
    state, found = any_way(*dealing.villages)
    assert found == ["order_placed_already"]
    assert code_at(state, again) == "order_placed_already"
    due = state.get("account", (dealing.home.community, "EUR", "due", dealing.shop.community))
    assert due.balance_minor == 250


def test_who_cites_what_was_sealed_away_waits_for_ever_and_holds_up_that_order_alone() -> None:
    """The acceptance of an order beyond the seal never counts; another order of the same two does."""
    dealing = Dealing()
    other = dealing.another()
    lost = dealing.another("lost order")
    accepted = lost.seller_says("order.accepted", lost.placed)
    behind = lost.seller_says("order.fulfilled")
    other.seller_says("order.accepted", other.placed)
    dealing.home.close_epoch({TRADE: 1})
    for lane in (CHARTER, TRADE):
        dealing.home.continue_lane(lane)
    state, found = any_way(*dealing.villages)
    assert found == ["beyond_seal"]
    assert state.get("pending", accepted.position).waits_for == lost.placed.position
    assert state.get("pending", behind.position).waits_for is None
    assert other.deal(state).status == "accepted"


def test_a_seal_may_be_told_again_and_be_beaten_in_time() -> None:
    """The same note again changes nothing, however far the fold is; another one only before it was leaned on."""
    home = rotated()
    state = DictState()
    fold = Fold(state, VillageEntries([home]))
    charter = Lane(home.community, CHARTER)
    fold.feed(charter, epoch=0, start=0, entries=home.entries_in(0)[CHARTER])
    sizes = dict(home.seals[0])
    fold.seal(home.community, 0, {CHARTER: sizes[CHARTER]})
    fold.seal(home.community, 0, sizes)
    assert state.get("seal", (home.community, 0, MARKET)).size == sizes[MARKET][0]
    fold.feed(charter, epoch=1, start=0, entries=home.entries[CHARTER])
    dumped = list(state.dump())
    fold.seal(home.community, 0, sizes)
    with pytest.raises(RebuildNeededError):
        fold.seal(home.community, 0, {CHARTER: sizes[CHARTER]})
    assert list(state.dump()) == dumped
