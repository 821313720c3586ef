"""Views are dropped and rebuilt from the lanes, byte for byte: logs are facts, everything else is a view."""

import asyncio

from node.actions.listings import SearchQuery, search_listings
from node.actions.order_book import OrdersQuery, list_orders
from node.actions.selling import CodedAnswer, accept_order, cancel_order
from storage.state import digest
from storage.views.folding import rebuild
from storage.views.search_queue import queued_count
from tests.actions.test_one_community import open_shop, place


async def search_is_done(node) -> None:
    while await node.read(lambda read: queued_count(read.connection)):  # noqa: ASYNC110  another thread's work
        await asyncio.sleep(0)


async def test_dropped_views_come_back_the_same(open_node) -> None:
    """State, orders and search after a rebuild are those from before."""
    async with open_node("spring") as node:
        line = await open_shop(node)
        first, second = await place(node, line), await place(node, line)
        await accept_order(node, first)
        await cancel_order(node, CodedAnswer(buyer=second.buyer, order_id=second.order_id))
        await search_is_done(node)
        before = await node.read(lambda read: digest(read.connection))
        orders = await list_orders(node, OrdersQuery(side="seller"))
        found = await search_listings(node, SearchQuery(words="猫粮"))
        with_stock = found.listings[0].stock_available_steps
        await node.write(lambda transaction: rebuild(transaction.connection))
    async with open_node("spring") as node:
        await search_is_done(node)
        assert await node.read(lambda read: digest(read.connection)) == before
        assert await list_orders(node, OrdersQuery(side="seller")) == orders
        again = await search_listings(node, SearchQuery(words="猫粮"))
        assert again == found
        assert again.listings[0].stock_available_steps == with_stock
