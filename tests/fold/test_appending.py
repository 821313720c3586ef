"""What a writer folds before it writes: the same verdicts as for records that arrive."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.dict_state import DictState
from protocol.errors import ProtocolError, RecordVoid
from protocol.fold import Fold
from protocol.lanes import BODY_TYPES
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, Lane, Position, Reference, Waiting
from protocol.log.record import decode_record
from tests.village import MARKET, Village, VillageEntries, seed
from tests.worlds import World, make_world


def is_known(raw: bytes) -> bool:
    try:
        return decode_record(raw, BODY_TYPES).is_known
    except ProtocolError:
        return True


def appended(state: DictState, world: World, place: Lane, index: int, raw: bytes) -> str:
    """Append to a copy of the state; return what came of it, the state unharmed where it was refused."""
    before = list(state.dump())
    try:
        Fold(state, VillageEntries(world.villages)).append(place, epoch=0, index=index, raw=raw)
    except ProtocolError as error:
        assert list(state.dump()) == before
        return error.code
    except Waiting:
        assert list(state.dump()) == before
        return "waits"
    return "applied"


def copy_of(state: DictState) -> DictState:
    copied = DictState()
    copied.rows = dict(state.rows)
    return copied


@settings(max_examples=25, deadline=None, derandomize=True)
@given(st.integers(0, 10_000))
def test_append_refuses_what_feed_would_void_or_leave_waiting(world_seed: int) -> None:
    """Each entry of a random world is both fed and appended: same code, same state, or nothing changed."""
    world = make_world(world_seed, steps=60)
    state = DictState()
    fold = Fold(state, VillageEntries(world.villages))
    for village in world.villages:
        for lane in (CHARTER, MARKET, TRADE, LEDGER):
            place = Lane(village.community, lane)
            for index, raw in enumerate(village.entries[lane]):
                tried = copy_of(state)
                verdict = appended(tried, world, place, index, raw) if is_known(raw) else None
                folded = fold.feed(place, epoch=0, start=index, entries=[raw])
                assert verdict in (None, fed(folded, Position(*place, 0, index)))
                if verdict == "applied":
                    assert list(tried.dump()) == list(state.dump())
                if folded.stalled_on:
                    break


def fed(folded: Any, position: Position) -> str:
    """What feeding came to for this one entry, in the words of `appended`."""
    if folded.stalled_on:
        return "waits"
    for outcome in folded.outcomes:
        if outcome.position == position:
            return {"pending": "waits", "unknown": "unknown"}.get(outcome.status) or outcome.code
    return "applied"


def opened(village: Village) -> Fold:
    """A fold of the village as it stands."""
    fold = Fold(DictState(), VillageEntries([village]))
    for lane, entries in village.entries.items():
        fold.feed(Lane(village.community, lane), epoch=0, start=0, entries=entries)
    return fold


def test_nothing_is_appended_to_a_sealed_lane() -> None:
    """Also where the lane stands exactly at its seal."""
    home = Village("home")
    fold = opened(home)
    fold.seal(home.community, 0, {lane: (len(said), bytes(32)) for lane, said in home.entries.items()})
    home.now_ms += 1
    raw = home.record(CHARTER, "peer.vouched", community=seed("other"))
    with pytest.raises(RecordVoid) as refused:
        fold.append(Lane(home.community, CHARTER), epoch=0, index=len(home.entries[CHARTER]), raw=raw)
    assert refused.value.code == "beyond_seal"


def test_an_appended_record_wakes_what_waited_for_it() -> None:
    """The seller's acceptance arrived first; the buyer's own node then writes the order."""
    shop, home = Village("shop"), Village("home")
    for village in (shop, home):
        village.adopt()
    home.now_ms += 1
    placed = home.place(shop)
    shop.say(TRADE, "order.accepted", order=home.key(), takes=[placed])
    state = DictState()
    fold = Fold(state, VillageEntries([shop, home]))
    for village in (shop, home):
        for lane, entries in village.entries.items():
            said = entries[:-1] if (village, lane) == (home, TRADE) else entries
            fold.feed(Lane(village.community, lane), epoch=0, start=0, entries=said)
    assert [key for table, key in state.rows if table == "pending"] == [
        Position(shop.community, TRADE, 0, len(shop.entries[TRADE]) - 1)
    ]
    raw = home.entries[TRADE][-1]
    folded = fold.append(Lane(home.community, TRADE), epoch=0, index=placed.index, raw=raw)
    assert (folded.consumed, folded.applied, folded.outcomes) == (1, 2, [])
    deal = state.get("deal", (shop.community, home.community, home.key().order_id))
    assert deal.status == "accepted"


def test_a_record_that_cites_itself_is_never_written() -> None:
    """Its id cannot be right; fed, it is void at once and nobody waits for it."""
    shop = Village("shop")
    shop.adopt()
    fold = opened(shop)
    shop.now_ms += 1
    index = len(shop.entries[TRADE])
    itself = Reference(shop.community, TRADE, 0, index, seed("itself"))
    raw = shop.record(TRADE, "order.taken", order=shop.key(), takes=[itself])
    place = Lane(shop.community, TRADE)
    with pytest.raises((RecordVoid, Waiting)):
        fold.append(place, epoch=0, index=index, raw=raw)
    folded = fold.feed(place, epoch=0, start=index, entries=[raw])
    assert [outcome.code for outcome in folded.outcomes] == ["reference_unknown"]
