"""The orders of the demo while they are worked on: placed at one node, answered at another, watched at both."""

from collections import defaultdict
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from typing import Any

from node.errors import ApiRefusal
from node.operations.demo.api_client import together
from node.operations.demo.orders import OrderPlan
from node.operations.demo.village import Community, until

_PAGE = 500


@dataclass(frozen=True, slots=True)
class Order:
    """A placed order: what was planned, who the two sides are, and its id."""

    plan: OrderPlan
    buyer: Community
    seller: Community
    order_id: str

    async def sell(self, word: str, **fields: Any) -> dict[str, Any]:
        """Say something as the seller: acceptance, rejection, fulfilment, ..."""
        return await self.seller.api.call("POST", f"{self._path}/{word}", fields)

    async def buy(self, word: str) -> dict[str, Any]:
        """Say something as the buyer: cancellation or receipt."""
        return await self.buyer.api.call("POST", f"/purchases/{self.order_id}/{word}")

    async def shown_to_seller(self) -> dict[str, Any]:
        """Return the order as the seller's node shows it."""
        return await self.seller.api.call("GET", self._path)

    @property
    def _path(self) -> str:
        return f"/orders/{self.buyer.id}/{self.order_id}"


async def sellers_see(orders: Iterable[Order], status: str) -> None:
    """Wait until the sellers' nodes show these orders in this state."""
    await _all_see(orders, status, "seller", lambda order: order.seller)


async def buyers_see(orders: Iterable[Order], status: str) -> None:
    """Wait until the buyers' nodes show these orders in this state."""
    await _all_see(orders, status, "buyer", lambda order: order.buyer)


async def sellers_can_open(orders: Iterable[Order]) -> None:
    """Wait until the private part of these orders has arrived at the sellers'."""
    await together(
        until(
            partial(_is_opened, order),
            f"{order.seller.key}: the private part of an order of {order.buyer.key}",
        )
        for order in orders
    )


async def requests_arrive(orders: Iterable[Order]) -> None:
    """Wait until the sellers have the buyers' requests to cancel before them."""
    await together(
        until(partial(_has_request, order), f"{order.seller.key}: a cancellation of {order.buyer.key}")
        for order in orders
    )


async def is_refused(order: Order, word: str, code: str) -> bool:
    """Tell whether the seller's node refuses a word with this code; any other refusal is raised."""
    try:
        await order.sell(word)
    except ApiRefusal as error:
        if error.said.code != code:
            raise
        return True
    return False


async def _all_see(orders: Iterable[Order], status: str, side: str, at: Callable[[Order], Community]) -> None:
    wanted: dict[Community, set[str]] = defaultdict(set)
    for order in orders:
        wanted[at(order)].add(order.order_id)
    await together(
        until(
            partial(_shows, community, side, status, order_ids), f"{community.key}: orders that are {status}"
        )
        for community, order_ids in wanted.items()
    )


async def _shows(community: Community, side: str, status: str, order_ids: set[str]) -> bool:
    fields = {"side": side, "statuses": [status], "limit": _PAGE}
    shown = (await community.api.call("GET", "/orders", fields))["orders"]
    return order_ids <= {order["order_id"] for order in shown}


async def _is_opened(order: Order) -> bool:
    return bool((await order.shown_to_seller())["opened"] != "not_here")


async def _has_request(order: Order) -> bool:
    return "cancellation.requested" in (await order.shown_to_seller())["waiting"]
