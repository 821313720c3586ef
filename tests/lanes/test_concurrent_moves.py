"""Two moves that cross: whichever lane is folded first, and whichever the seller writes first, the result is one."""

from itertools import product

import pytest

from protocol.amounts.split import TaxTotal
from protocol.dict_state import DictState
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, Reference
from tests.lanes.deals import BUYER_MOVES, SELLER_MOVES, STATUSES, Dealing, code_at
from tests.village import Village, fold_all

# (status before, seller's move) -> status after, where the buyer has said something at the same time that the
# move does not take. What is absent is void, and the order stays where it was.
ALONE = {
    ("placed", "order.accepted"): "accepted",
    ("placed", "order.rejected"): "rejected",
    ("placed", "order.taken"): "placed",
    ("placed", "order.cancelled"): "cancelled",
    ("accepted", "order.taken"): "accepted",
    ("accepted", "order.cancelled"): "cancelled",
    ("accepted", "order.fulfilled"): "fulfilled",
    ("accepted", "order.refunded"): "accepted",
    ("fulfilled", "order.taken"): "fulfilled",
    ("fulfilled", "order.refunded"): "fulfilled",
    ("completed", "order.taken"): "completed",
    ("completed", "order.refunded"): "completed",
    ("rejected", "order.taken"): "rejected",
    ("cancelled", "order.taken"): "cancelled",
}
# The two moves that need what the buyer said: void when they come first in the seller's line.
NEED_IT_BEFORE = {
    ("accepted", "cancellation.refused", "cancellation.requested"): ("accepted", "refused"),
    ("fulfilled", "cancellation.refused", "cancellation.requested"): ("fulfilled", "refused"),
    ("completed", "cancellation.refused", "cancellation.requested"): ("completed", "refused"),
    ("fulfilled", "order.completed", "order.received"): ("completed", "none"),
}
PAIRS = list(product(STATUSES, BUYER_MOVES, SELLER_MOVES))


def both_ways(dealing: Dealing) -> DictState:
    """Fold with the buyer's trade lane first and with the seller's first; the bytes are the same."""
    rest = [(village, CHARTER) for village in dealing.villages]
    trade = [(dealing.home, TRADE), (dealing.shop, TRADE)]
    first, _ = fold_all(*dealing.villages, lanes=[*rest, *trade])
    second, _ = fold_all(*dealing.villages, lanes=[*rest, *reversed(trade)])
    assert list(first.dump()) == list(second.dump())
    return first


def standing(dealing: Dealing, state: DictState) -> tuple[str, str, bool, int]:
    deal = dealing.deal(state)
    assert deal is not None
    return deal.status, deal.cancellation, deal.is_received, sum(t.gross_minor for t in deal.totals)


def on_the_desk(state: DictState) -> list[Reference]:
    return [value.reference for (table, _), value in state.rows.items() if table == "untaken"]


@pytest.mark.parametrize(("status", "buyer_kind", "seller_kind"), PAIRS)
def test_the_sellers_move_counts_and_the_buyers_waits_on_the_desk(
    status: str, buyer_kind: str, seller_kind: str
) -> None:
    """All pairs, neither side having seen the other: the order goes where the seller's move alone leads."""
    dealing = Dealing()
    dealing.reach(status)
    said = dealing.buyer_says(buyer_kind)
    move = dealing.seller_says(seller_kind)
    state = both_ways(dealing)
    after = ALONE.get((status, seller_kind))
    assert (code_at(state, move) is None) == (after is not None)
    is_received = status == "completed"
    assert standing(dealing, state)[:3] == (after or status, "none", is_received)
    assert on_the_desk(state) == [said]


@pytest.mark.parametrize(("status", "buyer_kind", "seller_kind"), PAIRS)
def test_which_of_the_two_the_seller_writes_first_does_not_matter(
    status: str, buyer_kind: str, seller_kind: str
) -> None:
    """All pairs in both orders in the seller's line; only completion and refusal need the buyer's word before."""
    results = []
    for taken_first in (True, False):
        dealing = Dealing()
        dealing.reach(status)
        said = dealing.buyer_says(buyer_kind)
        if taken_first:
            dealing.seller_says("order.taken", said)
        move = dealing.seller_says(seller_kind)
        if not taken_first:
            dealing.seller_says("order.taken", said)
        state = both_ways(dealing)
        assert on_the_desk(state) == []
        results.append((standing(dealing, state), code_at(state, move)))
    (before, code_before), (behind, code_behind) = results
    asked = "requested" if buyer_kind == "cancellation.requested" else "none"
    received = buyer_kind == "order.received" or status == "completed"
    needed = NEED_IT_BEFORE.get((status, seller_kind, buyer_kind))
    if needed:
        assert before[:3] == (*needed, received)
        assert behind[:3] == (status, asked, received)
        assert (code_before, code_behind) == (
            None,
            {"order.completed": "receipt_missing"}.get(seller_kind, "cancellation_not_requested"),
        )
        return
    assert before == behind
    assert code_before == code_behind
    assert before[:3] == (ALONE.get((status, seller_kind), status), asked, received)


def placed_and_asked_back() -> tuple[Dealing, Reference]:
    """The buyer cancels before it sees any answer."""
    dealing = Dealing()
    return dealing, dealing.buyer_says("cancellation.requested")


def test_a_cancellation_that_crosses_the_acceptance_may_be_granted() -> None:
    """The seller's `order.cancelled` takes it: nothing is to be posted."""
    dealing, asked = placed_and_asked_back()
    dealing.seller_says("order.accepted", dealing.placed)
    assert standing(dealing, both_ways(dealing))[:2] == ("accepted", "none")
    dealing.seller_says("order.cancelled", asked)
    state = both_ways(dealing)
    assert standing(dealing, state)[:2] == ("cancelled", "requested")
    assert on_the_desk(state) == []
    assert not [key for key in state.rows if key[0] == "awaited"]


def test_a_cancellation_that_crosses_the_acceptance_may_be_refused() -> None:
    """The order goes on under its terms; it may be asked for again, and refused again."""
    dealing, asked = placed_and_asked_back()
    dealing.seller_says("order.accepted", dealing.placed)
    dealing.seller_says("cancellation.refused", asked)
    assert standing(dealing, both_ways(dealing))[:2] == ("accepted", "refused")
    idle = dealing.seller_says("cancellation.refused")
    again = dealing.buyer_says("cancellation.requested")
    dealing.seller_says("order.taken", again)
    assert standing(dealing, both_ways(dealing))[:2] == ("accepted", "requested")
    dealing.seller_says("cancellation.refused")
    dealing.seller_says("order.fulfilled")
    dealing.seller_says("order.completed", *dealing.need("order.completed"))
    state = both_ways(dealing)
    assert code_at(state, idle) == "cancellation_not_requested"
    assert standing(dealing, state)[:3] == ("completed", "refused", True)


@pytest.mark.parametrize("kind", ["order.rejected", "order.cancelled"])
def test_an_order_and_its_cancellation_may_be_answered_at_once(kind: str) -> None:
    """One record takes both."""
    dealing, asked = placed_and_asked_back()
    dealing.seller_says(kind, dealing.placed, asked)
    state = both_ways(dealing)
    assert standing(dealing, state)[:2] == (kind.removeprefix("order."), "requested")
    assert on_the_desk(state) == []


def test_a_receipt_before_the_handover_is_kept() -> None:
    """The buyer's word comes early; completion still follows fulfilment, and takes nothing more."""
    dealing = Dealing()
    dealing.reach("accepted")
    dealing.seller_says("order.taken", *dealing.need("order.completed"))
    early = dealing.seller_says("order.completed")
    dealing.seller_says("order.fulfilled")
    dealing.seller_says("order.completed")
    state = both_ways(dealing)
    assert code_at(state, early) == "move_not_legal"
    assert standing(dealing, state)[0] == "completed"


def shares_of(village: Village, state: DictState) -> dict[str, int]:
    return {
        key[2]: value.balance_minor
        for (table, key), value in state.rows.items()
        if table == "account" and key[0] == village.community
    }


@pytest.mark.parametrize("is_refunded_before", [True, False], ids=["before", "after"])
def test_a_refund_crosses_the_receipt(is_refunded_before: bool) -> None:  # noqa: FBT001  a case, not a switch
    """Refunded before or after completion, the accounts come to the split of what is left."""
    dealing = Dealing()
    dealing.reach("fulfilled")
    refund = [TaxTotal(tax_class="food", rate_bp=700, gross_minor=5_350)]
    fields = {"order": dealing.key, "takes": [], "totals": refund, "code": "half_broken"}
    received = dealing.buyer_says("order.received")
    moves = []
    if is_refunded_before:
        dealing.shop.say(TRADE, "order.refunded", **fields)
    moves.append(dealing.seller_says("order.completed", received))
    if not is_refunded_before:
        moves.append(dealing.shop.say(TRADE, "order.refunded", **fields))
    for move in moves:
        dealing.shop.post(move, dealing.home)
        dealing.home.post(move, dealing.shop)
    state, _ = fold_all(*dealing.villages)
    assert standing(dealing, state) == ("completed", "none", True, 5_350)
    assert shares_of(dealing.shop, state) == {
        "collected": 5_350,
        "due": -125,
        "share/commons": -25,
        "share/seller": -4_700,
        "share/seller_community": -150,
        "share/tax": -350,
    }
    assert shares_of(dealing.home, state) == {"due": 125, "share/buyer_community": -125}
    assert not [key for key in state.rows if key[0] == "awaited"]


def test_a_full_refund_returns_every_share_to_nought() -> None:
    """In two steps, after completion; every account is even again."""
    dealing = Dealing()
    dealing.reach("fulfilled")
    moves = [dealing.seller_says("order.completed", *dealing.need("order.completed"))]
    for gross_minor in (333, 0):
        totals = [TaxTotal(tax_class="food", rate_bp=700, gross_minor=gross_minor)]
        moves.append(
            dealing.shop.say(
                TRADE, "order.refunded", order=dealing.key, takes=[], totals=totals, code="all_broken"
            )
        )
    for move in moves:
        for one, other in ((dealing.shop, dealing.home), (dealing.home, dealing.shop)):
            one.post(move, other)
    state, _ = fold_all(*dealing.villages)
    assert set(shares_of(dealing.shop, state).values()) == {0}
    assert set(shares_of(dealing.home, state).values()) == {0}
    assert len(dealing.home.entries[LEDGER]) == 4


@pytest.mark.parametrize(
    ("totals", "code"),
    [
        ([("food", 700, 10_700)], "refund_refused"),
        ([("food", 700, 10_701)], "refund_refused"),
        ([("food", 1_900, 100)], "refund_refused"),
        ([("drink", 700, 100)], "refund_refused"),
        ([("drink", 700, 0), ("food", 700, 100)], "refund_refused"),
        ([("food", 700, 10_699)], None),
        ([("food", 700, 0)], None),
    ],
)
def test_a_refund_states_lower_totals_of_the_same_classes(
    totals: list[tuple[str, int, int]], code: str | None
) -> None:
    """Not more, not the same, not in another class or at another rate."""
    dealing = Dealing()
    dealing.reach("accepted")
    stated = [TaxTotal(tax_class=name, rate_bp=rate, gross_minor=gross) for name, rate, gross in totals]
    move = dealing.shop.say(
        TRADE, "order.refunded", order=dealing.key, takes=[], totals=stated, code="half_broken"
    )
    assert code_at(both_ways(dealing), move) == code


def test_an_order_refunded_in_full_before_completion_has_nothing_to_post() -> None:
    """It still completes; nobody's ledger waits for anything."""
    dealing = Dealing()
    dealing.reach("fulfilled")
    nothing = [TaxTotal(tax_class="food", rate_bp=700, gross_minor=0)]
    dealing.shop.say(TRADE, "order.refunded", order=dealing.key, takes=[], totals=nothing, code="all_broken")
    dealing.seller_says("order.completed", *dealing.need("order.completed"))
    state = both_ways(dealing)
    assert standing(dealing, state) == ("completed", "none", True, 0)
    assert not [key for key in state.rows if key[0] == "awaited"]
