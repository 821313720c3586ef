"""Postings: exactly what follows from the cited move, once a side, and nothing else."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import UNSET

from protocol.amounts.entries import AccountEntry, account_entries
from protocol.amounts.split import Allocation
from protocol.lanes.kind import LEDGER, TRADE, Reference
from tests.lanes.deals import Dealing, code_at
from tests.village import CHARTER, Village, codes, fold_all, seed

ENTRIES = [
    AccountEntry("collected", 10_700),
    AccountEntry("due", -250),
    AccountEntry("share/commons", -50),
    AccountEntry("share/seller", -9_400),
    AccountEntry("share/seller_community", -300),
    AccountEntry("share/tax", -700),
]


def completed() -> tuple[Dealing, Reference]:
    dealing = Dealing()
    dealing.reach("fulfilled")
    return dealing, dealing.seller_says("order.completed", *dealing.need("order.completed"))


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({}, None),
        ({"entries": ENTRIES}, None),
        ({"currency": "USD"}, "posting_mismatch"),
        ({"counterparty": seed("other")}, "posting_mismatch"),
        ({"counterparty": UNSET}, "posting_mismatch"),
        ({"entries": ENTRIES[::-1]}, "posting_mismatch"),
        ({"entries": [*ENTRIES, AccountEntry("share/void", 0)]}, "posting_mismatch"),
        ({"entries": ENTRIES[:1] + ENTRIES[2:]}, "posting_unbalanced"),
        ({"entries": [AccountEntry("collected", 1), AccountEntry("due", -1)]}, "posting_mismatch"),
        ({"entries": [*ENTRIES[:-1], AccountEntry("share/tax", -699)]}, "posting_unbalanced"),
    ],
)
def test_a_posting_says_what_the_split_says(changed: dict[str, Any], code: str | None) -> None:
    """Another currency, counterparty, account, amount or order of accounts is void, and still awaited."""
    dealing, move = completed()
    posting = dealing.shop.post(move, dealing.home, **changed)
    state = dealing.fold()
    assert code_at(state, posting) == code
    owed = state.get("awaited", (dealing.shop.community, *move.position))
    assert (owed is None) == (code is None)
    assert (state.get("account", (dealing.shop.community, "EUR", "collected", b"")) is None) == bool(code)


def test_each_side_posts_a_move_once() -> None:
    """The second time is void, whichever move came in between."""
    dealing, move = completed()
    dealing.shop.post(move, dealing.home)
    dealing.home.post(move, dealing.shop)
    again = dealing.shop.post(move, dealing.home)
    state = dealing.fold()
    assert code_at(state, again) == "posting_made_already"
    assert state.get("account", (dealing.shop.community, "EUR", "collected", b"")).balance_minor == 10_700


def test_who_is_on_neither_side_posts_nothing() -> None:
    """A third community copies the seller's posting."""
    dealing, move = completed()
    third = Village("third")
    third.say(
        LEDGER,
        "posting.made",
        order=dealing.key,
        move=move,
        currency="EUR",
        entries=ENTRIES,
        counterparty=dealing.home.community,
    )
    assert codes(fold_all(dealing.shop, dealing.home, third)[1]) == ["posting_not_party"]


@pytest.mark.parametrize("cited", ["order.accepted", "order.placed", "another order"])
def test_only_a_move_that_gives_something_is_posted(cited: str) -> None:
    """The acceptance, the order itself, or the right move under another order's name."""
    dealing, move = completed()
    other = dealing.another()
    key = dealing.key
    if cited == "order.placed":
        move = dealing.placed
    elif cited == "another order":
        key = other.key
    else:
        key, move = other.key, other.seller_says("order.accepted", other.placed)
    posting = dealing.shop.say(
        LEDGER,
        "posting.made",
        order=key,
        move=move,
        currency="EUR",
        entries=ENTRIES,
        counterparty=dealing.home.community,
    )
    assert code_at(dealing.fold(), posting) == "posting_move_refused"


def test_a_posting_that_comes_before_its_move_waits_for_it() -> None:
    """The ledger arrives first; the posting counts when the seller's lane does."""
    dealing, move = completed()
    posting = dealing.shop.post(move, dealing.home)
    rest = [(dealing.shop, CHARTER), (dealing.home, CHARTER), (dealing.shop, LEDGER)]
    early, _ = fold_all(dealing.shop, dealing.home, lanes=rest)
    assert early.get("pending", posting.position).waits_for == move.position
    late, _ = fold_all(
        dealing.shop, dealing.home, lanes=[*rest, (dealing.home, TRADE), (dealing.shop, TRADE)]
    )
    assert late.get("posting", (dealing.shop.community, *move.position)).entries == tuple(ENTRIES)


ALLOCATIONS = st.lists(
    st.builds(
        Allocation,
        role=st.sampled_from(["a", "b", "c", "seller", "tax"]),
        beneficiary=st.sampled_from(["seller", "buyer"]),
        amount_minor=st.integers(-(10**14), 10**14),
    ),
    max_size=5,
    unique_by=lambda allocation: allocation.role,
)


@settings(max_examples=200, deadline=None, derandomize=True)
@given(ALLOCATIONS, st.sampled_from(["seller", "buyer"]))
def test_the_two_halves_of_a_posting_mirror_each_other(allocations: list[Allocation], collector: Any) -> None:
    """Each half sums to nought, dues cancel out, shares are all there, and one side alone has both halves."""
    halves = {
        side: {
            entry.account: entry.amount_minor
            for entry in account_entries(allocations, sides=frozenset({side}), collector=collector)
        }
        for side in ("seller", "buyer")
    }
    whole = account_entries(allocations, sides=frozenset({"seller", "buyer"}), collector=collector)
    for half in halves.values():
        assert sum(half.values()) == 0
        assert list(half) == sorted(half)
        assert 0 not in half.values()
    assert halves["seller"].get("due", 0) + halves["buyer"].get("due", 0) == 0
    assert sum(entry.amount_minor for entry in whole) == 0
    assert "due" not in [entry.account for entry in whole]
    merged = {
        account: amount for half in halves.values() for account, amount in half.items() if account != "due"
    }
    assert {entry.account: entry.amount_minor for entry in whole} == merged
    total = sum(allocation.amount_minor for allocation in allocations)
    assert merged.get("collected", 0) == total
