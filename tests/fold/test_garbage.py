"""Garbage under a right root: void with its code, kept as evidence, and harmless to everything else."""

from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.dict_state import DictState
from protocol.encoding import encode
from protocol.fold import Fold
from protocol.lanes import BODY_TYPES
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, Lane, Position
from protocol.limits import INSTANT_RECORDS_MAX, RECORD_BYTES_MAX
from protocol.log.merkle import leaf_hash
from protocol.log.record import decode_record, encode_record
from protocol.waiting import awaiting_queue
from tests.feeding import fold_villages, random_cut
from tests.village import MARKET, Village, VillageEntries, Villager, codes, fold_all, object_id
from tests.worlds import make_world

LANES = (CHARTER, MARKET, TRADE, LEDGER)
NOBODY, DEE = Villager("nobody"), Villager("dee")
Maker = Callable[[Village, str], bytes]


def moon(**changed: Any) -> Maker:
    """A record of no known kind, with elements of the envelope replaced by a value, or by what it makes."""

    def make(village: Village, lane: str) -> bytes:
        elements = {
            "format": 1,
            "kind": "moon.risen",
            "time_ms": village.now_ms,
            "charter_size": village.charter_size(lane),
            "author": None,
            "body": {},
            "signature": None,
        }
        for name, value in changed.items():
            elements[name] = value(elements[name]) if callable(value) else value
        return encode(list(elements.values()))

    return make


def bytes_of(raw: bytes) -> Maker:
    return lambda village, lane: raw


def said(kind: str, **fields: Any) -> Maker:
    return lambda village, lane: village.record(lane, kind, **fields)


def signed(member: Villager, kind: str, **fields: Any) -> Maker:
    return lambda village, lane: member.record(village, lane, kind, **fields)


def genesis_again(village: Village, lane: str) -> bytes:
    genesis = decode_record(village.entries[CHARTER][0], BODY_TYPES).body
    return encode_record("community.founded", genesis, time_ms=village.now_ms)


# What no lane admits: bytes or envelope are wrong, and so the lane's clock stays as it was.
INADMISSIBLE: dict[str, tuple[Maker, str]] = {
    "nothing": (bytes_of(b""), "encoding_malformed"),
    "noise": (bytes_of(b"\xc1" * 40), "encoding_malformed"),
    "text": (bytes_of(b"hello"), "encoding_trailing_bytes"),
    "latin text": (bytes_of(b"\xa1\xe9"), "encoding_not_utf8"),
    "a float": (bytes_of(encode([1, 0.5])), "encoding_type_refused"),
    "a large number": (moon(body=2**60), "encoding_integer_range"),
    "a deep body": (bytes_of(b"\x91" * 50_000), "encoding_too_deep"),
    "a long form": (bytes_of(b"\xdc\x00\x01\x01"), "encoding_not_canonical"),
    "a large entry": (moon(body=bytes(RECORD_BYTES_MAX)), "encoding_too_large"),
    "the largest entry": (bytes_of(bytes(65_535)), "encoding_too_large"),
    "a map": (bytes_of(encode({"format": 1})), "record_shape"),
    "six elements": (bytes_of(encode([1, "moon.risen", 5, 0, None, {}])), "record_shape"),
    "another format": (moon(format=2), "format_unknown"),
    "an author alone": (moon(author=bytes(16)), "record_shape"),
    "a signature alone": (moon(signature=bytes(64)), "record_shape"),
    "the body of another kind": (moon(kind="order.placed"), "body_refused"),
    "an old record": (moon(time_ms=0), "time_decreased"),
}

# What a lane admits and its kind refuses: it moves the lane's clock, and nothing else.
WITHOUT_EFFECT: dict[str, tuple[str, Maker, str]] = {
    "a second genesis": (CHARTER, genesis_again, "genesis_misplaced"),
    "a lane of no name": (CHARTER, said("lane.declared", lane="moon", visibility="public"), "lane_unknown"),
    "the charter": (CHARTER, said("lane.declared", lane=CHARTER, visibility="peers"), "lane_unknown"),
    "nobody leaves": (CHARTER, said("member.left", member_id=bytes(16)), "member_unknown"),
    "nobody is dismissed": (CHARTER, said("peer.dismissed", community=bytes(32)), "peer_not_vouched"),
    "no policy ends": (CHARTER, said("policy.retired", policy_id=bytes(32)), "policy_not_adopted"),
    "a member for all": (CHARTER, signed(DEE, "peer.vouched", community=bytes(32)), "author_not_permitted"),
    "a market kind": (TRADE, said("listing.withdrawn", listing_id=bytes(16)), "kind_not_of_lane"),
    "a charter kind": (LEDGER, said("member.left", member_id=bytes(16)), "kind_not_of_lane"),
    "a trade kind": (MARKET, said("order.received", order_id=bytes(16)), "kind_not_of_lane"),
    "a second opening": (TRADE, said("lane.opened", lane=TRADE), "lane_opening_misplaced"),
    "a continuation": (
        TRADE,
        said("lane.continued", lane=TRADE, epoch=0, size=1, root=bytes(32)),
        "lane_opening_misplaced",
    ),
    "no listing": (MARKET, said("listing.withdrawn", listing_id=bytes(16)), "listing_unknown"),
    "a stranger": (MARKET, signed(NOBODY, "listing.withdrawn", listing_id=bytes(16)), "author_unknown"),
    "no order": (TRADE, said("order.received", order_id=bytes(16)), "order_unknown"),
}


def trade_once(
    after_each: Callable[[Village, str], None] = lambda village, lane: None,
) -> tuple[Village, Village]:
    """One order to both postings; `after_each` may disturb the lane that was just spoken in."""
    shop, home = Village("shop"), Village("home")
    for village in (shop, home):
        village.adopt()
        village.admit(DEE)
        after_each(village, CHARTER)
    placed = home.place(shop)
    after_each(home, TRADE)
    shop.say(TRADE, "order.accepted", order=home.key(), takes=[placed])
    after_each(shop, TRADE)
    shop.say(TRADE, "order.fulfilled", order=home.key(), takes=[])
    after_each(shop, TRADE)
    received = home.say(TRADE, "order.received", order_id=object_id("order"))
    after_each(home, TRADE)
    completed = shop.say(TRADE, "order.completed", order=home.key(), takes=[received])
    after_each(shop, TRADE)
    shop.post(completed, home)
    after_each(shop, LEDGER)
    home.post(completed, shop)
    after_each(home, LEDGER)
    return shop, home


def without(state: DictState, position: Position) -> dict[Any, Any]:
    """The rows of a state without the void row of one entry and the size that it added."""
    rows: dict[Any, Any] = dict(state.rows)
    del rows["void", position]
    clock = rows["lane_clock", (position.community, position.lane)]
    rows["lane_clock", (position.community, position.lane)] = (clock.size - 1, clock.time_ms, clock.instant)
    return rows


def with_bare_clock(state: DictState, lane: Lane) -> dict[Any, Any]:
    clock = state.rows["lane_clock", lane]
    return {**state.rows, ("lane_clock", lane): (clock.size, clock.time_ms, clock.instant)}


@pytest.mark.parametrize("lane", LANES)
@pytest.mark.parametrize("what", INADMISSIBLE)
def test_an_entry_that_no_lane_admits_leaves_its_void_row_and_no_other_trace(what: str, lane: str) -> None:
    """The state is the one before, with the entry's code and id as evidence."""
    make, code = INADMISSIBLE[what]
    shop, home = trade_once()
    before, _ = fold_all(shop, home)
    raw = make(shop, lane)
    reference = shop.append(lane, raw)
    after, folded = fold_all(shop, home)
    assert codes(folded) == [code]
    assert after.get("void", reference.position).record_id == leaf_hash(raw)
    assert without(after, reference.position) == with_bare_clock(before, Lane(shop.community, lane))


@pytest.mark.parametrize("what", WITHOUT_EFFECT)
def test_a_record_without_effect_moves_its_lanes_clock_and_nothing_else(what: str) -> None:
    """Its time is the newest of the lane, so that it can't be said again; all else is as before."""
    lane, make, code = WITHOUT_EFFECT[what]
    shop, home = trade_once()
    shop.now_ms += 5
    before, _ = fold_all(shop, home)
    raw = make(shop, lane)
    reference = shop.append(lane, raw)
    after, folded = fold_all(shop, home)
    assert codes(folded) == [code]
    clock = after.rows["lane_clock", (shop.community, lane)]
    assert (clock.time_ms, clock.instant) == (shop.now_ms, [leaf_hash(raw)])
    place = ("lane_clock", (shop.community, lane))
    assert {k: v for k, v in after.rows.items() if k not in (place, ("void", reference.position))} == {
        k: v for k, v in before.rows.items() if k != place
    }


@pytest.mark.parametrize("lane", LANES)
def test_garbage_between_all_records_changes_no_deal_and_no_balance(lane: str) -> None:
    """Every kind of garbage after every record of the story: the story ends as without."""

    def disturb(village: Village, spoken_in: str) -> None:
        if spoken_in == lane:
            for make, _ in INADMISSIBLE.values():
                village.append(lane, make(village, lane))

    quiet, _ = fold_all(*trade_once())
    noisy, folded = fold_all(*trade_once(disturb))
    assert len(codes(folded)) >= 2 * len(INADMISSIBLE) or lane == MARKET
    assert values(noisy, "account") == values(quiet, "account")
    assert [deal.status for deal in values(noisy, "deal").values()] == ["completed"]
    assert not values(noisy, "awaited")


def values(state: DictState, table: str) -> dict[Any, Any]:
    return {key: value for (name, key), value in state.rows.items() if name == table}


@pytest.mark.parametrize("lane", LANES)
def test_a_lane_that_begins_with_garbage_is_never_opened(lane: str) -> None:
    """Whatever it says is void, and so is what leans on it; lanes that do not are not touched."""
    shop, home = trade_once()
    shop.entries[lane] = [b"garbage", *shop.entries[lane]]
    state, folded = fold_all(shop, home)
    in_the_lane = [
        o.code for part in folded for o in part.outcomes if o.position[:2] == (shop.community, lane)
    ]
    assert len(in_the_lane) == len(shop.entries[lane])
    assert set(in_the_lane[1:]) <= {
        "lane_not_opened",
        "lane_opening_misplaced",
        "genesis_misplaced",
        "charter_size_decreased",
    }
    assert not any(key[:2] == (shop.community, lane) for key in values(state, "posting"))
    if lane == LEDGER:
        assert state.get("account", (home.community, "EUR", "due", shop.community)).balance_minor == 250
        assert state.get("account", (shop.community, "EUR", "due", home.community)) is None


@settings(max_examples=150, deadline=None, derandomize=True)
@given(st.integers(0, 500), st.integers(0, 10_000), st.data())
def test_an_altered_entry_at_the_end_of_any_cut_is_void_alone(
    world_seed: int, feeding: int, data: st.DataObject
) -> None:
    """Random worlds, random cuts, bytes of a record altered: where that is void, it is all that changes."""
    world = make_world(world_seed, steps=60)
    cut = random_cut(world.villages, Random(feeding))
    state, sizes = fold_villages(world.villages, Random(feeding), cut)
    village = data.draw(st.sampled_from(world.villages))
    lane = data.draw(st.sampled_from(LANES))
    place = Lane(village.community, lane)
    altered = bytearray(data.draw(st.sampled_from(village.entries[lane])) or b"x")
    altered[data.draw(st.integers(0, len(altered) - 1))] = data.draw(st.integers(0, 255))
    before = with_bare_clock(state, place) if ("lane_clock", place) in state.rows else None
    position = Position(*place, *sizes[place])
    if state.get("queue", awaiting_queue(position)) or before is None:
        return
    fold = Fold(state, VillageEntries(world.villages))
    folded = fold.feed(place, epoch=0, start=position.index, entries=[bytes(altered)])
    void = state.get("void", position)
    if void is None:
        return
    assert [outcome.code for outcome in folded.outcomes] == [void.code]
    after = without(state, position)
    if void.code in INADMISSIBLE_CODES:
        assert after == before
    else:
        del after["lane_clock", place], before["lane_clock", place]
        assert after == before


INADMISSIBLE_CODES = {code for _, code in INADMISSIBLE.values()} | {
    "charter_size_decreased",
    "record_repeated",
}


def test_the_same_record_counts_once() -> None:
    """Said again at once it is a repetition, said again later it is too old."""
    home = Village("home")
    for name in ("one", "two"):
        home.say(MARKET, "shop.published", shop_id=object_id(name), name={"en": name})
    one, two = home.entries[MARKET][-2:]
    home.append(MARKET, two)
    home.append(MARKET, one)
    assert codes(fold_all(home)[1]) == ["record_repeated", "time_decreased"]


def test_a_millisecond_has_room_for_so_many_records() -> None:
    """The bound is met, one more is void, and the next millisecond is free again."""
    home = Village("home")
    home.now_ms += 1
    for number in range(INSTANT_RECORDS_MAX + 1):
        shop_id = object_id(str(number))
        home.append(MARKET, home.record(MARKET, "shop.published", shop_id=shop_id, name={"en": "S"}))
    home.say(MARKET, "shop.published", shop_id=object_id("last"), name={"en": "S"})
    state, folded = fold_all(home)
    assert codes(folded) == ["instant_full"]
    assert len(values(state, "shop")) == INSTANT_RECORDS_MAX + 1


def test_charter_sizes_never_decrease_and_are_nought_in_the_charter() -> None:
    """A record under an older charter than the one before it, and a size named in the charter itself."""
    home = Village("home")
    home.say(MARKET, "shop.published", shop_id=object_id("s"), name={"en": "S"})
    home.append(MARKET, moon(charter_size=lambda size: size - 1)(home, MARKET))
    home.append(CHARTER, moon(charter_size=1)(home, CHARTER))
    assert codes(fold_all(home)[1]) == ["charter_size_refused", "charter_size_decreased"]


def test_an_unknown_kind_is_kept_and_counts_for_nothing() -> None:
    """It moves the clock as any record does, and is listed with its kind."""
    home = Village("home")
    home.now_ms += 1
    reference = home.append(TRADE, moon()(home, TRADE))
    state, folded = fold_all(home)
    assert codes(folded) == []
    assert state.get("unknown", reference.position).kind == "moon.risen"
    assert [outcome.status for part in folded for outcome in part.outcomes] == ["unknown"]
