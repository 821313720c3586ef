"""What is planned from the source: communities by state, orders by seller's community, prices in their turn."""

import random
import shutil
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from node.operations.replay.plan import ENDINGS, Line, Plan, Price, make_plan, states_of_communities
from node.operations.replay.sectors import DEFAULT, SHELVES, shelf_of
from node.operations.replay.source import Source, SourceItem, SourceOrder, read_source
from protocol.lanes.kind import SECTORS
from protocol.limits import AMOUNT_MINOR_MAX, ORDER_LINES_MAX
from tests.replay.oracle import ranked_states, replay_oracle, rows

MARKET = Path(__file__).parent / "data" / "market"
NOON = datetime(2017, 5, 1, 12)  # noqa: DTZ001  the source has no zones


def totals(plan: Plan) -> list[dict[str, object]]:
    """What the plan expects to be completed, in the form of the last line of `--json`."""
    completed = [order for order in plan.orders if order.ending == "completed"]
    return [
        {
            "community": number + 1,
            "states": list(states),
            "completed_orders": sum(order.seller == number for order in completed),
            "completed_minor": sum(order.total_minor for order in completed if order.seller == number),
        }
        for number, states in enumerate(plan.states)
    ]


def one_order(*items: SourceItem, **fields: object) -> Source:
    """A source with one delivered order of these items, from a seller in AA to a customer in BB."""
    order = SourceOrder("o", "c", "delivered", NOON, {"source_purchased": "2017-05-01"})
    return Source(
        seller_states={"s": "AA", "t": "BB"},
        customer_states={"c": "BB"},
        categories={"p": "pet_shop"},
        orders=[replace(order, **fields)],
        items={"o": list(items)} if items else {},
        faulty_items=frozenset(),
        not_read={},
    )


@pytest.mark.parametrize("communities", [1, 2, 3, 4, 5, 9])
def test_the_invented_market_comes_to_what_the_oracle_says(communities: int) -> None:
    """To the cent, for any number of communities."""
    plan = make_plan(read_source(MARKET), communities=communities)
    assert (totals(plan), plan.not_replayed) == replay_oracle(MARKET, communities=communities)


@pytest.mark.parametrize("communities", [2, 8, 30])
def test_the_real_orders_come_to_what_the_oracle_says(
    shared_data: Callable[[str], Path], communities: int
) -> None:
    """Thousands of orders, planned in a second."""
    folder = shared_data("olist-open")
    plan = make_plan(read_source(folder), communities=communities)
    assert (totals(plan), plan.not_replayed) == replay_oracle(folder, communities=communities)


def test_states_with_many_sellers_have_a_community_of_their_own() -> None:
    """Ties go by the state's code; the last community has the rest, if any is left."""
    sellers = dict(enumerate("CBAABBCCD"))
    states = {str(number): state for number, state in sellers.items()}
    assert states_of_communities(states, 3) == (("B",), ("C",), ("A", "D"))
    assert states_of_communities(states, 1) == (("B", "C", "A", "D"),)
    assert states_of_communities(states, 6) == (("B",), ("C",), ("A",), ("D",), (), ())
    assert [state for states in states_of_communities(states, 3) for state in states] == list("BCAD")
    assert ranked_states(MARKET) == ["AA", "BB", "CC", "DD"]


def test_parts_of_one_order_form_a_group() -> None:
    """Sellers of one community deliver one order; those of several deliver a group of orders."""
    items = [SourceItem("p", "s", 100, 1), SourceItem("q", "t", 200, 2), SourceItem("q", "s", 300, 3)]
    first, second = make_plan(one_order(*items), communities=2).orders
    assert (first.seller, first.total_minor, first.freight_minor) == (0, 404, 4)
    assert (second.seller, second.total_minor, second.freight_minor) == (1, 202, 2)
    assert first.group == second.group is not None
    assert [order.buyer for order in (first, second)] == [1, 1]
    (alone,) = make_plan(one_order(*items), communities=1).orders
    assert (alone.group, len(alone.lines), alone.total_minor) == (None, 3, 606)


def test_a_customer_from_a_state_without_sellers_buys_in_the_last_community() -> None:
    """The rest of the states is the last community's, whether or not anybody sells there."""
    source = replace(one_order(SourceItem("p", "s", 100, 1)), customer_states={"c": "ZZ"})
    assert make_plan(source, communities=2).orders[0].buyer == 1


def test_every_status_has_its_ending() -> None:
    """As the table of the module says; money that was never paid is not refunded."""
    source = one_order(SourceItem("p", "s", 100, 1))
    found = {}
    for status in ENDINGS:
        for day in ({}, {"source_delivered": "2017-05-09"}):
            order = replace(source.orders[0], status=status, days=source.orders[0].days | day)
            plan = make_plan(replace(source, orders=[order]), communities=2)
            found[status, bool(day)] = plan.orders[0].ending
    expected = {(status, seen): ending for status, ending in ENDINGS.items() for seen in (False, True)}
    assert found == expected | {("canceled", True): "refunded"}
    free = one_order(SourceItem("p", "s", 0, 0), status="canceled", days=order.days)
    assert make_plan(free, communities=2).orders[0].ending == "cancelled"


@pytest.mark.parametrize(
    ("source", "reason"),
    [
        (replace(one_order(SourceItem("p", "s", 1, 1)), customer_states={}), "customer_missing"),
        (replace(one_order(), customer_states={}), "customer_missing"),
        (one_order(), "items_missing"),
        (replace(one_order(SourceItem("p", "s", 1, 1)), faulty_items=frozenset("o")), "item_malformed"),
        (one_order(SourceItem("p", "s", 1, 1), SourceItem("p", "x", 1, 1)), "seller_missing"),
        (one_order(SourceItem("p", "s", 1, 1), status="lost"), "status_unknown"),
        (one_order(*[SourceItem("p", "s", 1, 1)] * ORDER_LINES_MAX), "order_too_large"),
        (one_order(SourceItem("p", "s", AMOUNT_MINOR_MAX, 1)), "order_too_large"),
    ],
)
def test_what_cannot_be_replayed_is_counted_under_its_reason(source: Source, reason: str) -> None:
    """The first reason counts, so that the counts add up to the orders of the source."""
    plan = make_plan(replace(source, not_read={"order_repeated": 2}), communities=2)
    assert (plan.not_replayed, plan.orders) == ({reason: 1, "order_repeated": 2}, [])


def test_a_price_changes_in_the_order_of_purchases() -> None:
    """Whatever the order of the rows; a price that returns is a change as well."""
    source = one_order()
    days = [timedelta(days=day) for day in range(5)]
    orders = [
        replace(
            source.orders[0],
            order_id=str(day.days),
            purchased=NOON + day,
            days={"source_purchased": str((NOON + day).date())},
        )
        for day in days
    ]
    items = {
        str(day): [SourceItem("p", "s", price, 0)] for day, price in enumerate([100, 100, 120, 100, 100])
    }
    random.Random(7).shuffle(orders)
    plan = make_plan(replace(source, orders=orders, items=items), communities=2)
    (product,) = plan.products
    assert product.prices == (
        Price(100, "2017-05-01"),
        Price(120, "2017-05-03"),
        Price(100, "2017-05-04"),
    )
    assert [order.lines for order in plan.orders] == [(Line(0, price, 1),) for price in (0, 0, 1, 2, 2)]


def test_two_prices_in_one_order_are_two_listings() -> None:
    """A listing has one price at a time, and the order comes to the sum of both all the same."""
    items = [SourceItem("p", "s", price, 0) for price in (100, 90, 100)]
    plan = make_plan(one_order(*items), communities=2)
    assert [[price.amount_minor for price in product.prices] for product in plan.products] == [[100], [90]]
    assert plan.orders[0].lines == (Line(0, 0, 2), Line(1, 0, 1))


def test_every_line_adds_up_to_its_order() -> None:
    """Prices times pieces and the freight are the total, in every order of the market."""
    plan = make_plan(read_source(MARKET), communities=3)
    for order in plan.orders:
        lines = [
            plan.products[line.product].prices[line.price].amount_minor * line.steps for line in order.lines
        ]
        assert sum(lines) + order.freight_minor == order.total_minor
        assert {plan.shops[plan.products[line.product].shop].community for line in order.lines} == {
            order.seller
        }
    placed = Counter(order.group for order in plan.orders if order.group is not None)
    assert set(placed.values()) == {2}


def test_shops_stand_in_the_sectors_of_their_products() -> None:
    """A listing needs its shop in its own lane."""
    plan = make_plan(read_source(MARKET), communities=3)
    for product in plan.products:
        assert product.shelf.sector in plan.shops[product.shop].sectors
    assert len(plan.shops) == len({row["seller_id"] for row in rows(MARKET, "items")})


def test_the_table_of_categories_names_sectors_that_exist() -> None:
    """An unknown category, and the empty one, go by the default."""
    assert {shelf.sector for shelf in (*SHELVES.values(), DEFAULT)} <= set(SECTORS)
    assert shelf_of("") == shelf_of("no such thing") == DEFAULT


def test_the_table_knows_every_category_of_the_real_source(shared_data: Callable[[str], Path]) -> None:
    """Those of the products and of the translations, and no other."""
    products = {row["product_category_name"] for row in rows(shared_data("olist-open"), "products")}
    folder = shared_data("olist-ref")
    translated = {row["product_category_name"] for row in rows(folder, "category_translation")}
    assert set(SHELVES) == (products | translated) - {""}


def test_a_folder_that_is_copied_is_planned_alike(tmp_path: Path) -> None:
    """Nothing but the rows decides: no path, no chance."""
    copied = Path(shutil.copytree(MARKET, tmp_path / "elsewhere"))
    assert make_plan(read_source(copied), communities=4) == make_plan(read_source(MARKET), communities=4)
