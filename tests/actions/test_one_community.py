"""One community alone: it publishes, finds, sells to itself, shares and refunds, through actions only."""

import pytest

from node.actions.buying import (
    CancellationDraft,
    DetailsDraft,
    LineDraft,
    OrderDraft,
    OrderPreview,
    OwnOrderName,
    confirm_receipt,
    place_order,
    preview_order,
    request_cancellation,
)
from node.actions.listings import (
    ListingDraft,
    ListingPlace,
    SearchQuery,
    publish_listing,
    search_listings,
    show_listing,
    withdraw_listing,
)
from node.actions.order_book import OrdersQuery, list_orders, show_order
from node.actions.policies import PolicyDraft, adopt_policy
from node.actions.selling import (
    CodedAnswer,
    OrderName,
    RefundDraft,
    accept_order,
    cancel_order,
    fulfil_order,
    refund_order,
    reject_order,
)
from node.actions.shops import ShopDraft, ShopPlace, publish_shop, show_shop
from node.actions.status import StatusQuery, show_status
from node.automation.chores import do_chores, find_chores
from node.core import Node
from node.errors import NodeError
from protocol.amounts.split import TaxTotal
from protocol.identity.keys import to_base32
from protocol.lanes.market.listings import FixedPrice, Tax
from storage.errors import StorageError
from tests.village import POLICY

DETAILS = DetailsDraft(fulfilment="pickup", name="李雷", contact="+86 138 0000 0000", note="周六来取")


async def do_all_chores(node: Node) -> None:
    """Do what the running node does by itself, until nothing is left."""
    while chores := await node.read(lambda read: find_chores(read, node.community)):
        await node.write(lambda transaction, chores=chores: do_chores(transaction, chores))


async def open_shop(node: Node, stock_steps: int = 5) -> LineDraft:
    """Adopt the policy, publish one shop with one listing of 幼猫粮 at 53.50, and return a line of two."""
    await adopt_policy(node, PolicyDraft(policy=POLICY))
    shop = await publish_shop(node, ShopDraft(sector="pets", name={"zh-Hans": "毛孩子", "en": "Paws"}))
    listing = await publish_listing(
        node,
        ListingDraft(
            sector="pets",
            shop_id=shop.shop_id,
            title={"zh-Hans": "幼猫粮 2 公斤", "en": "Kitten food 2 kg"},
            text={"en": "Chicken and rice", "zh-Hans": "鸡肉和米"},
            price=FixedPrice(currency="EUR", amount_minor=5_350),
            unit_code="C62",
            tax=Tax(tax_class="food", rate_bp=700),
            fulfilment=["pickup", "delivery"],
            stock_steps=stock_steps,
        ),
    )
    return LineDraft(sector="pets", listing_id=listing.listing_id, steps=2)


async def place(node: Node, line: LineDraft) -> OrderName:
    draft = OrderDraft(seller=to_base32(node.community), lines=[line], details=DETAILS)
    placed = await place_order(node, draft)
    return OrderName(buyer=placed.buyer, order_id=placed.order_id)


async def test_an_order_goes_through_to_its_posting_and_a_partial_refund(open_node) -> None:
    """107.00 is shared by the policy; a refund of half of it moves every share by the difference."""
    async with open_node("spring") as node:
        order = await place(node, await open_shop(node))
        shown = await show_order(node, order)
        assert (shown.status, shown.total_minor, shown.opened) == ("placed", 10_700, "yes")
        assert shown.details is not None
        assert shown.details.name == "李雷"
        await accept_order(node, order)
        await fulfil_order(node, order)
        await confirm_receipt(node, OwnOrderName(order_id=order.order_id))
        await do_all_chores(node)
        assert (await show_order(node, order)).status == "completed"
        half = [TaxTotal(tax_class="food", rate_bp=700, gross_minor=5_350)]
        await refund_order(node, RefundDraft(buyer=order.buyer, order_id=order.order_id, totals=half))
        shown = await show_order(node, order)
        assert {share.role: share.amount_minor for share in shown.allocations} == {
            "seller_community": 275,
            "buyer_community": 0,
            "commons": 25,
            "tax": 350,
            "seller": 4_700,
        }
        collected = await node.read(
            lambda read: read.get("account", (node.community, "EUR", "collected", b""))
        )
        assert collected.balance_minor == 5_350
        status = await show_status(node, StatusQuery())
        assert (status.awaited, status.pending, status.void) == (0, 0, 0)


async def test_nothing_is_sold_twice(open_node) -> None:
    """Five pieces, two orders of two and a third one: the third is refused, and comes in after a cancellation."""
    async with open_node("spring") as node:
        line = await open_shop(node)
        first, second, third = [await place(node, line) for _ in range(3)]
        await accept_order(node, first)
        await accept_order(node, second)
        with pytest.raises(StorageError) as refused:
            await accept_order(node, third)
        assert refused.value.code == "stock_short"
        assert (await show_order(node, third)).status == "placed"
        await cancel_order(node, CodedAnswer(buyer=first.buyer, order_id=first.order_id))
        await accept_order(node, third)
        sold = await list_orders(node, OrdersQuery(side="seller", statuses=["accepted"]))
        assert {order.order_id for order in sold.orders} == {second.order_id, third.order_id}


async def test_search_finds_words_in_both_languages_until_the_withdrawal(open_node) -> None:
    """猫粮 is found inside 幼猫粮, "kitten" in the English title; a withdrawn listing is not found any more."""
    async with open_node("spring") as node:
        line = await open_shop(node)
        for words in ("猫粮", "kitten", "rice"):
            while not (found := await search_listings(node, SearchQuery(words=words))).listings:
                pass
            assert found.listings[0].shop_name["zh-Hans"] == "毛孩子"
        place_of_it = ListingPlace(sector="pets", listing_id=line.listing_id)
        await withdraw_listing(node, place_of_it)
        while (await search_listings(node, SearchQuery(words="猫粮"))).listings:
            pass
        assert (await show_listing(node, place_of_it)).is_withdrawn
        with pytest.raises(NodeError) as refused:
            await place(node, line)
        assert refused.value.code == "listing_unavailable"


async def test_sending_an_order_again_gives_the_same_answer(open_node) -> None:
    """The order id makes a repeated request harmless; another order under the same id is a conflict."""
    async with open_node("spring") as node:
        line = await open_shop(node)
        draft = OrderDraft(seller=to_base32(node.community), lines=[line], details=DETAILS, order_id="a" * 26)
        first, again = await place_order(node, draft), await place_order(node, draft)
        assert first == again
        other = OrderDraft(
            seller=draft.seller,
            lines=[LineDraft(sector="pets", listing_id=line.listing_id, steps=1)],
            details=DETAILS,
            order_id="a" * 26,
        )
        with pytest.raises(NodeError) as refused:
            await place_order(node, other)
        assert refused.value.code == "conflict"


async def test_a_request_to_cancel_ends_by_the_sellers_word(open_node) -> None:
    """The buyer asks, the seller rejects and takes the request with it; asking again is refused."""
    async with open_node("spring") as node:
        order = await place(node, await open_shop(node))
        await request_cancellation(node, CancellationDraft(order_id=order.order_id))
        assert (await show_order(node, order)).waiting == ["order.placed", "cancellation.requested"]
        await reject_order(node, CodedAnswer(buyer=order.buyer, order_id=order.order_id, code="sold_out"))
        shown = await show_order(node, order)
        assert (shown.status, shown.code, shown.waiting) == ("rejected", "sold_out", [])
        with pytest.raises(NodeError):
            await request_cancellation(node, CancellationDraft(order_id=order.order_id))


async def test_a_preview_says_what_the_order_then_says_and_writes_nothing(open_node) -> None:
    """Total, policy and shares are those of the order that is placed from the same lines."""
    async with open_node("preview") as node:
        line = await open_shop(node)
        seller = to_base32(node.community)
        preview = await preview_order(node, OrderPreview(seller=seller, lines=[line]))
        assert (await list_orders(node, OrdersQuery(side="buyer"))).orders == []
        placed = await place_order(node, OrderDraft(seller=seller, lines=[line], details=DETAILS))
        assert (preview.total_minor, preview.allocations) == (placed.total_minor, placed.allocations)
        order = await show_order(node, OrderName(buyer=placed.buyer, order_id=placed.order_id))
        assert preview.policy_id == order.policy_id


async def test_a_shop_is_shown_by_its_id(open_node) -> None:
    """Its words come back; another id is not found."""
    async with open_node("shop") as node:
        shop = await publish_shop(
            node, ShopDraft(sector="food", name={"en": "Pier"}, pickup={"en": "Fridays"})
        )
        shown = await show_shop(node, ShopPlace(sector="food", shop_id=shop.shop_id))
        assert (shown.name, shown.pickup) == ({"en": "Pier"}, {"en": "Fridays"})
        with pytest.raises(NodeError, match="no such shop"):
            await show_shop(node, ShopPlace(sector="pets", shop_id=shop.shop_id))
