"""The fold against a second, naive implementation of orders and postings, on random worlds."""

from collections import Counter, defaultdict
from random import Random
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.dict_state import DictState
from protocol.lanes.kind import CHARTER, LEDGER, TRADE, Position
from tests.feeding import Cut, fold_villages, random_cut
from tests.naive_trade import EFFECT, UNKNOWN, NaiveTrade
from tests.worlds import World, make_world

SEEDS = st.integers(0, 10_000)


def table(state: DictState, name: str) -> dict[Any, Any]:
    return {key: value for (table, key), value in state.rows.items() if table == name}


def at_spots(rows: dict[Any, Any]) -> dict[Any, Any]:
    """Rows whose key is a position, those of trade and ledger, without the epoch."""
    found = {(key[0], key[1], key[3]): value for key, value in rows.items()}
    return {spot: value for spot, value in found.items() if spot[1] in (TRADE, LEDGER)}


def replay(world: World, cut: Cut) -> NaiveTrade:
    return NaiveTrade(
        {
            (village.community, lane): entries[: cut.get((village.community, lane, 0), len(entries))]
            for village in world.villages
            for lane, entries in village.entries.items()
            if lane in (CHARTER, TRADE, LEDGER)
        }
    )


def assert_agreed(state: DictState, naive: NaiveTrade) -> None:
    """Fates with codes, deals, postings, balances, and all that is still to come."""
    fates = {
        spot: fate
        for spot, fate in naive.fates.items()
        if spot[1] != CHARTER and fate not in (EFFECT, UNKNOWN)
    }
    assert {spot: void.code for spot, void in at_spots(table(state, "void")).items()} == fates
    assert set(at_spots(table(state, "pending"))) == naive.pending
    assert {
        key: (deal.status, totals(deal), deal.cancellation, deal.is_received, deal.code)
        for key, deal in table(state, "deal").items()
    } == {
        key: (deal.status, plain_totals(deal), deal.cancellation, deal.is_received, deal.code)
        for key, deal in naive.deals.items()
    }
    assert set(table(state, "placement")) == set(naive.placed)
    assert {(key[0], (key[1], key[2], key[4])) for key in table(state, "posting")} == set(naive.posted)
    assert {(key[0], (key[1], key[2], key[4])) for key in table(state, "awaited")} == naive.awaited
    untaken = {value.reference.record_id for value in table(state, "untaken").values()}
    assert untaken == {
        move.entry.record_id
        for move in naive.moves.values()
        if not move.is_taken and move.entry.spot[0] == move.order[0] and "takes" not in move.entry.body
    }
    assert {key: row.balance_minor for key, row in table(state, "account").items()} == dict(naive.balances)


def totals(deal: Any) -> list[tuple[str, int, int]]:
    return [(total.tax_class, total.rate_bp, total.gross_minor) for total in deal.totals]


def plain_totals(deal: Any) -> list[tuple[str, int, int]]:
    return [(total["tax_class"], total["rate_bp"], total["gross_minor"]) for total in deal.totals]


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS, SEEDS)
def test_fold_and_replay_agree_on_whole_worlds(world_seed: int, feeding: int) -> None:
    """Every fate and code, every deal, every balance, every posting that is made or awaited."""
    world = make_world(world_seed, steps=120)
    state, _ = fold_villages(world.villages, Random(feeding))
    assert_agreed(state, replay(world, {}))


@settings(max_examples=60, deadline=None, derandomize=True)
@given(SEEDS, SEEDS)
def test_fold_and_replay_agree_on_partial_cuts(world_seed: int, feeding: int) -> None:
    """Also where lanes break off and much waits."""
    world = make_world(world_seed, steps=120)
    cut = random_cut(world.villages, Random(feeding))
    state, _ = fold_villages(world.villages, Random(feeding), cut)
    assert_agreed(state, replay(world, cut))


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SEEDS)
def test_money_is_neither_made_nor_lost(world_seed: int) -> None:
    """Each community's accounts sum to nought; two communities' dues mirror but for what is not posted yet."""
    world = make_world(world_seed, steps=120)
    state, _ = fold_villages(world.villages, Random(world_seed))
    sums: Counter[Any] = Counter()
    dues: dict[Any, int] = defaultdict(int)
    for (community, currency, account, other), row in table(state, "account").items():
        sums[community, currency] += row.balance_minor
        if account == "due":
            dues[frozenset([community, other]), currency] += row.balance_minor
    assert set(sums.values()) <= {0}
    open_pairs = set()
    for (_, *spot), awaited in table(state, "awaited").items():
        move = state.get("move", Position(*spot))
        open_pairs.add(frozenset([move.seller, awaited.order.buyer]))
    assert all(not due for (pair, _), due in dues.items() if pair not in open_pairs)


@settings(max_examples=40, deadline=None, derandomize=True)
@given(SEEDS)
def test_an_order_posted_on_all_sides_has_given_out_its_whole_gross(world_seed: int) -> None:
    """All shares of both communities, over completion and refunds, sum to what the buyer paid in the end."""
    world = make_world(world_seed, steps=120)
    state, _ = fold_villages(world.villages, Random(world_seed))
    shares: Counter[Any] = Counter()
    for (_, *spot), posting in table(state, "posting").items():
        order = (state.get("move", Position(*spot)).seller, posting.order.buyer, posting.order.order_id)
        shares[order] += sum(e.amount_minor for e in posting.entries if e.account.startswith("share/"))
    owed = {(move.seller, *order_of(move)) for move in unposted_moves(state)}
    for order, sum_minor in shares.items():
        if order not in owed:
            deal = state.get("deal", order)
            assert -sum_minor == sum(total.gross_minor for total in deal.totals)


def order_of(move: Any) -> tuple[bytes, bytes]:
    return move.order.buyer, move.order.order_id


def unposted_moves(state: DictState) -> list[Any]:
    return [state.get("move", Position(*spot)) for _, *spot in table(state, "awaited")]


def test_the_worlds_move_enough_money_to_mean_something() -> None:
    """Over some seeds: postings of completions and of refunds, within one community and across two."""
    kinds: Counter[Any] = Counter()
    for seed in range(40):
        world = make_world(seed, steps=120)
        for (_, *spot), posting in table(world.state, "posting").items():
            move = world.state.get("move", Position(*spot))
            kinds[move.kind, move.seller == posting.order.buyer] += 1
    assert min(kinds["order.completed", True], kinds["order.completed", False]) > 10
    assert min(kinds["order.refunded", True], kinds["order.refunded", False]) > 5
