"""The two tables of moves, walked over their whole products: what is absent is void and changes nothing."""

from itertools import product
from typing import Any

import pytest

from protocol.dict_state import DictState
from protocol.lanes.kind import LEDGER, TRADE, Reference
from protocol.lanes.trade.orders import LEGAL_MOVES, TAKEABLE
from protocol.log.merkle import leaf_hash
from tests.lanes.deals import BUYER_MOVES, SELLER_MOVES, STATUSES, Dealing, code_at
from tests.village import seed

# Written from the text, not taken from the code: where each move leads, by the status before.
LEADS_TO = {
    "placed": {
        "order.accepted": "accepted",
        "order.rejected": "rejected",
        "order.cancelled": "cancelled",
        "order.taken": "placed",
    },
    "accepted": {
        "order.fulfilled": "fulfilled",
        "order.cancelled": "cancelled",
        "order.refunded": "accepted",
        "order.taken": "accepted",
        "cancellation.refused": "accepted",
    },
    "fulfilled": {
        "order.completed": "completed",
        "order.refunded": "fulfilled",
        "order.taken": "fulfilled",
        "cancellation.refused": "fulfilled",
    },
    "completed": {
        "order.refunded": "completed",
        "order.taken": "completed",
        "cancellation.refused": "completed",
    },
    "rejected": {"order.taken": "rejected"},
    "cancelled": {"order.taken": "cancelled"},
}
MAY_TAKE = {
    "order.accepted": {"order.placed"},
    "order.rejected": {"order.placed", "cancellation.requested"},
    "order.taken": {"order.placed", "cancellation.requested", "order.received"},
    "order.cancelled": {"order.placed", "cancellation.requested"},
    "cancellation.refused": {"cancellation.requested"},
    "order.fulfilled": set(),
    "order.completed": {"order.received"},
    "order.refunded": set(),
}


def changed_rows(before: DictState, after: DictState) -> dict[Any, Any]:
    """What is new or other in `after`, and what is gone (None), clocks left out."""
    changes = {key: value for key, value in after.rows.items() if before.rows.get(key) != value}
    changes |= {key: None for key in before.rows if key not in after.rows}
    return {key: value for key, value in changes.items() if key[0] != "lane_clock"}


def test_the_tables_are_those_of_the_text() -> None:
    """Nothing is legal in the code that the text does not name, and the other way round."""
    assert {
        (status, kind): after for status, moves in LEADS_TO.items() for kind, after in moves.items()
    } == LEGAL_MOVES
    assert {kind: set(kinds) for kind, kinds in TAKEABLE.items()} == MAY_TAKE
    assert set(SELLER_MOVES) == set(TAKEABLE)


@pytest.mark.parametrize("same_community", [False, True], ids=["two communities", "one community"])
@pytest.mark.parametrize(("status", "kind"), list(product(STATUSES, SELLER_MOVES)))
def test_a_move_leads_where_the_table_says_or_is_void(status: str, kind: str, same_community: bool) -> None:  # noqa: FBT001  a case of the product, not a switch
    """All statuses and all moves; each comes with what it needs, so that only the status decides."""
    dealing = Dealing(same_community=same_community)
    dealing.reach(status)
    takes = dealing.need(kind)
    before = dealing.fold()
    move = dealing.seller_says(kind, *takes)
    after = dealing.fold()
    expected = LEADS_TO[status].get(kind)
    if expected is None:
        assert code_at(after, move) == "move_not_legal"
        assert list(changed_rows(before, after)) == [("void", move.position)]
        return
    assert code_at(after, move) is None
    deal = dealing.deal(after)
    assert deal is not None
    assert deal.status == expected
    assert after.get("move", move.position).kind == kind
    for reference in takes:
        assert after.get("move", reference.position).is_taken


CITED = ("order.placed", *BUYER_MOVES, *SELLER_MOVES, "lane.opened", "posting.made", "nothing")


@pytest.mark.parametrize(("kind", "cited"), list(product(SELLER_MOVES, CITED)))
def test_a_move_takes_what_the_table_says_or_is_void(kind: str, cited: str) -> None:
    """All moves and all that could be cited; the order stands where the move would be legal."""
    dealing = Dealing()
    status = next(status for status, moves in LEADS_TO.items() if kind in moves)
    opens = kind in LEADS_TO["placed"]
    if not opens:
        dealing.reach(status)
    reference = cite(dealing, cited)
    before = dealing.fold()
    others = [dealing.placed] if opens and cited != "order.placed" else []
    move = dealing.seller_says(kind, *others, reference)
    after = dealing.fold()
    code = code_at(after, move)
    if cited == "nothing":
        assert code is None
        assert after.get("pending", move.position).waits_for == reference.position
        return
    if cited in ("lane.opened", "posting.made"):
        assert code == "reference_unknown"
    elif cited not in MAY_TAKE[kind]:
        assert code == "takes_refused"
    else:
        assert code is None
        assert after.get("move", reference.position).is_taken
        desk = [value for (table, _), value in after.rows.items() if table == "untaken"]
        assert reference not in [untaken.reference for untaken in desk]
        return
    assert list(changed_rows(before, after)) == [("void", move.position)]


def cite(dealing: Dealing, cited: str) -> Reference:
    """A reference to a record of the wanted kind, or to something that is no move at all."""
    home = dealing.home
    if cited == "order.placed":
        return dealing.placed
    if cited in BUYER_MOVES:
        return dealing.buyer_says(cited)
    if cited == "lane.opened":
        return Reference(home.community, TRADE, 0, 0, leaf_hash(home.entries[TRADE][0]))
    if cited == "posting.made":
        return Reference(home.community, LEDGER, 0, 1, seed("posting"))
    if cited == "nothing":
        return Reference(home.community, TRADE, 0, 99, seed("nothing"))
    other = dealing.another()
    if cited in LEADS_TO["placed"]:
        return other.seller_says(cited, other.placed)
    other.reach(next(status for status, moves in LEADS_TO.items() if cited in moves))
    return other.seller_says(cited, *other.need(cited))


def test_what_was_taken_once_is_not_taken_again() -> None:
    """Neither by a later move nor twice by one."""
    dealing = Dealing()
    dealing.reach("accepted")
    again = dealing.seller_says("order.taken", dealing.placed)
    asked = dealing.buyer_says("cancellation.requested")
    twice = dealing.seller_says("order.taken", asked, asked)
    once = dealing.seller_says("order.taken", asked)
    state = dealing.fold()
    assert [code_at(state, move) for move in (again, twice, once)] == ["taken_already", "taken_already", None]


@pytest.mark.parametrize("kind", SELLER_MOVES)
def test_a_move_takes_nothing_of_another_order(kind: str) -> None:
    """What was said about one order has no effect on another between the same two."""
    dealing = Dealing()
    other = dealing.another()
    if kind not in LEADS_TO["placed"]:
        dealing.reach(next(status for status, moves in LEADS_TO.items() if kind in moves))
    takes = other.need(kind) or [other.placed]
    move = dealing.seller_says(kind, *([dealing.placed] if kind in LEADS_TO["placed"] else []), *takes)
    assert code_at(dealing.fold(), move) == "takes_refused"


@pytest.mark.parametrize("kind", SELLER_MOVES)
def test_the_first_answer_takes_the_order(kind: str) -> None:
    """Without `order.placed` among what it takes, no move about a new order counts."""
    dealing = Dealing()
    move = dealing.seller_says(kind, *dealing.need(kind))
    assert code_at(dealing.fold(), move) == "order_not_taken"


@pytest.mark.parametrize("kind", SELLER_MOVES)
def test_only_the_seller_of_the_order_answers_it(kind: str) -> None:
    """A third community, or the buyer itself: whether or not the seller has answered, the code is the same."""
    for status in (None, "accepted"):
        dealing = Dealing()
        if status:
            dealing.reach(status)
        takes = dealing.need(kind) or ([dealing.placed] if "order.placed" in MAY_TAKE[kind] else [])
        thief = dealing.home.say(TRADE, kind, **dealing.fields(kind, *takes))
        code = code_at(dealing.fold(), thief)
        assert code == ("order_not_seller" if takes else "order_not_taken")
