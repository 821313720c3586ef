"""State is a function of the cut: no order of arrival, no portions, no moment of a seal changes a byte."""

from random import Random
from typing import Any

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.dict_state import DictState
from protocol.fold import Fold
from protocol.lanes.kind import CHARTER, TRADE, Lane, Position
from tests.feeding import Cut, fold_villages, random_cut
from tests.village import Village, VillageEntries, codes, fold_all
from tests.worlds import World, make_world

SEEDS = st.integers(0, 10_000)


def rows(state: DictState) -> list[tuple[str, Any, Any]]:
    """The dump, readable where a test fails."""
    decode = msgspec.msgpack.decode
    return [(table, decode(key), decode(value)) for table, key, value in state.dump()]


def assert_one_state(world: World, cut: Cut | None, feedings: range) -> None:
    first, sizes = fold_villages(world.villages, Random(feedings[0]), cut)
    dumped = list(first.dump())
    for feeding in feedings[1:]:
        state, reached = fold_villages(world.villages, Random(feeding), cut)
        assert reached == sizes, f"feeding {feeding} came to another cut"
        if list(state.dump()) != dumped:
            assert rows(state) == rows(first), f"feeding {feeding}"
            raise AssertionError("equal values, other bytes")


@settings(max_examples=50, deadline=None, derandomize=True)
@given(SEEDS, SEEDS)
def test_any_interleaving_of_whole_lanes_gives_the_same_bytes(world_seed: int, feeding: int) -> None:
    """Orders, rejections, crossed cancellations, refunds, thieves, postings, garbage, charters to come."""
    assert_one_state(make_world(world_seed, steps=110), None, range(feeding, feeding + 3))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SEEDS, SEEDS)
def test_any_interleaving_up_to_a_partial_cut_gives_the_same_bytes(world_seed: int, feeding: int) -> None:
    """Lanes break off anywhere: what waits for the rest waits alike, whichever way the cut was reached."""
    world = make_world(world_seed, steps=110)
    assert_one_state(world, random_cut(world.villages, Random(feeding)), range(feeding, feeding + 3))


@settings(max_examples=50, deadline=None, derandomize=True)
@given(SEEDS, SEEDS, st.sampled_from(["whole", "partial"]))
def test_seals_may_arrive_at_any_moment(world_seed: int, feeding: int, reach: str) -> None:
    """Epochs end before or after their lanes are folded, too early for some records, and lanes go on."""
    world = make_world(world_seed, steps=110, epochs=True)
    cut = random_cut(world.villages, Random(feeding)) if reach == "partial" else None
    assert_one_state(world, cut, range(feeding, feeding + 3))


def test_the_worlds_hold_what_these_tests_are_about() -> None:
    """Over some seeds: every status, stalls, waiters, queues, seals that cut records off, many refusals."""
    statuses, codes, tables, stalls, sealed_away = set(), set(), set(), 0, 0
    for seed in range(40):
        world = make_world(seed, steps=110, epochs=seed % 2 == 1)
        for (table, _), value in world.state.rows.items():
            tables.add(table)
            if table == "deal":
                statuses.add(value.status)
            if table == "void":
                codes.add(value.code)
        stalls += len(world.stalled)
        for village in world.villages:
            for epoch, seals in enumerate(village.seals):
                said = village.entries_in(epoch)
                sealed_away += sum(len(said[lane]) - seals[lane][0] for lane in seals if lane != CHARTER)
    assert statuses == {"placed", "accepted", "rejected", "cancelled", "fulfilled", "completed"}
    assert {"pending", "queue", "queue_link", "unknown", "posting", "awaited", "untaken", "seal"} <= tables
    assert stalls > 5
    assert sealed_away > 20
    assert len(codes) > 30, sorted(codes)


def test_a_stalled_lane_goes_on_when_its_charter_has_grown() -> None:
    """The stall names the charter position that the next entry waits for; feeding the rest again is enough."""
    home = Village("home")
    home.adopt()
    placed = home.place(home)
    state = DictState()
    fold = Fold(state, VillageEntries([home]))
    charter, trade = Lane(home.community, CHARTER), Lane(home.community, TRADE)
    said = home.entries[CHARTER]
    fold.feed(charter, epoch=0, start=0, entries=said[:-1])
    stalled = fold.feed(trade, epoch=0, start=0, entries=home.entries[TRADE])
    assert (stalled.consumed, stalled.stalled_on) == (1, Position(home.community, CHARTER, 0, len(said) - 1))
    fold.feed(charter, epoch=0, start=len(said) - 1, entries=said[-1:])
    assert state.get("placement", (home.community, home.key().order_id)) is None
    assert fold.feed(trade, epoch=0, start=1, entries=home.entries[TRADE][1:]).stalled_on is None
    assert state.get("placement", (home.community, home.key().order_id)).reference == placed


def test_a_key_that_never_spoke_may_be_replaced_too() -> None:
    """An epoch closes without a single record, not even in the charter: the next one goes on all the same."""
    home = Village("home")
    home.close_epoch()
    home.close_epoch()
    assert home.seals[1] == {}
    home.continue_lane(CHARTER)
    home.continue_lane(TRADE)
    state, folded = fold_all(home)
    assert codes(folded) == []
    assert state.get("opened_lane", (home.community, TRADE)).epoch == 2
