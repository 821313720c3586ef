"""The demo's orders are ones that the sample communities can really deal with."""

from collections import defaultdict

from node.operations.demo.orders import OrderPlan, find_listings, load_orders, remaining_totals
from node.operations.samples import SampleListing, load_samples
from protocol.amounts.money import parse_amount

SAMPLES = load_samples()
LISTINGS = find_listings(SAMPLES)
ORDERS = load_orders()


def items_of(order: OrderPlan) -> list[tuple[SampleListing, int]]:
    return [(LISTINGS[order.seller, title], steps) for title, steps in order.items.items()]


def gross_minor(order: OrderPlan) -> int:
    return sum(parse_amount(item.price, "CNY") * steps for item, steps in items_of(order))


def test_every_order_names_listings_of_its_seller_and_a_way_that_they_offer() -> None:
    """A line that no listing stands behind could never be placed."""
    for order in ORDERS:
        for listing, _ in items_of(order):
            assert order.way in listing.fulfilment, (order, listing.title.en)


def test_accepted_orders_are_in_stock_and_one_last_piece_is_wanted_twice() -> None:
    """Whoever sells its last piece rejects the second buyer with out_of_stock, and nothing else runs out."""
    taken: dict[str, int] = defaultdict(int)
    for order in ORDERS:
        for listing, steps in items_of(order):
            taken[listing.title.en] += steps if order.is_accepted else 0
            assert listing.stock is None or taken[listing.title.en] <= listing.stock, listing.title.en
    short = [order for order in ORDERS if order.code == "out_of_stock"]
    assert [list(order.items) for order in short] == [["Second-hand treadle thresher, one only"]]
    assert all(taken[item.title.en] == item.stock == 1 for order in short for item, _ in items_of(order))


def test_the_orders_tell_all_endings_between_all_communities() -> None:
    """About thirty: every community buys from every other one, and each way of ending occurs."""
    keys = {sample.key for sample in SAMPLES}
    assert 28 <= len(ORDERS) <= 32
    assert {order.ending for order in ORDERS} == {"accepted", "cancelled", "completed", "kept", "rejected"}
    assert {(order.buyer, order.seller) for order in ORDERS} >= {
        (buyer, seller) for buyer in keys for seller in keys - {buyer}
    }
    assert sum(order.returned is not None for order in ORDERS) == 2
    assert {order.collector for order in ORDERS} == {"buyer", "seller"}


def test_what_goes_back_is_part_of_what_was_paid() -> None:
    """A refund that left nothing would be no partial one."""
    refunded = [order for order in ORDERS if order.returned is not None]
    assert all(0 < parse_amount(order.returned or "", "CNY") < gross_minor(order) for order in refunded)


def test_money_goes_back_from_the_largest_total_first() -> None:
    """3.00 off 2.50 and 1.00 leaves 0.00 and 0.50, and no total falls below zero."""
    totals = [
        {"tax_class": "reduced", "rate_bp": 900, "gross_minor": 100},
        {"tax_class": "standard", "rate_bp": 1300, "gross_minor": 250},
    ]
    remaining = remaining_totals(totals, "3.00", "CNY")
    assert [total["gross_minor"] for total in remaining] == [50, 0]
    assert [total["tax_class"] for total in remaining] == ["reduced", "standard"]
