"""Shops and listings of a replay, and their prices as these follow each other.

A seller accepts an order only at the price that the listing has then. So a new price is published when every
order at the one before has been accepted, and an order is placed when its prices have been published.

    await market.open(heard=...)
    sold = await market.offer(line)      # when the line's price stands
    market.settle(line)                  # this line needs its price no longer
"""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from node.operations.demo.api_client import together
from node.operations.demo.village import Community
from node.operations.replay.plan import Line, Plan, Price
from node.operations.replay.source import CURRENCY

TAX = {"tax_class": "none", "rate_bp": 0}
PIECE = "C62"


@dataclass(frozen=True, slots=True)
class Offer:
    """A listing at the price that an order wants: what the order names, and the record that has to be known."""

    sector: str
    listing_id: str
    record: Mapping[str, Any]


@dataclass(slots=True)
class _Tag:
    """One price of a listing."""

    price: Price
    lines_open: int
    offer: "asyncio.Future[Offer]"
    is_settled: asyncio.Event = field(default_factory=asyncio.Event)


class Market:
    """All shops of all communities."""

    def __init__(self, plan: Plan, communities: Sequence[Community]) -> None:
        """Take what is planned and who is to publish it, in the same order."""
        self._plan = plan
        self._communities = communities
        self._shop_ids: list[str] = []
        loop = asyncio.get_running_loop()
        lines = Counter((line.product, line.price) for order in plan.orders for line in order.lines)
        self._tags = [
            [
                _Tag(price, lines[number, place], loop.create_future())
                for place, price in enumerate(product.prices)
            ]
            for number, product in enumerate(plan.products)
        ]

    async def open(self, heard: Callable[[], None]) -> None:
        """Publish every shop in each of its sectors, and every listing at its first price."""
        self._shop_ids = await together(
            self._open_shop(number, heard) for number in range(len(self._plan.shops))
        )
        await together(self._publish_first(number, heard) for number in range(len(self._plan.products)))

    async def change_prices(self) -> None:
        """Publish every further price in its turn; returns after the last one."""
        await together(
            self._change_prices(number)
            for number, product in enumerate(self._plan.products)
            if len(product.prices) > 1
        )

    async def offer(self, line: Line) -> Offer:
        """Wait until the price of a line is published, and return how to order at it."""
        return await self._tags[line.product][line.price].offer

    def settle(self, lines: Iterable[Line]) -> None:
        """Say that an order with these lines has been accepted, or will never be."""
        for line in lines:
            tag = self._tags[line.product][line.price]
            tag.lines_open -= 1
            if tag.lines_open == 0:
                tag.is_settled.set()

    async def _open_shop(self, number: int, heard: Callable[[], None]) -> str:
        """Publish one shop, and return its id."""
        shop = self._plan.shops[number]
        api = self._communities[shop.community].api
        draft = {"name": {"en": f"Shop {number + 1}", "pt": f"Loja {number + 1}"}}
        first, *others = shop.sectors
        shop_id: str = (await api.call("POST", "/shops", {**draft, "sector": first}))["shop_id"]
        await api.call_all(
            "POST", "/shops", [{**draft, "sector": sector, "shop_id": shop_id} for sector in others]
        )
        heard()
        return shop_id

    async def _publish_first(self, number: int, heard: Callable[[], None]) -> None:
        await self._publish(number, self._tags[number][0], None)
        heard()

    async def _change_prices(self, number: int) -> None:
        before, *further = self._tags[number]
        listing_id = (await before.offer).listing_id
        for tag in further:
            await before.is_settled.wait()
            await self._publish(number, tag, listing_id)
            before = tag

    async def _publish(self, number: int, tag: _Tag, listing_id: str | None) -> None:
        """Publish a listing at one price, under the id that it has since the first."""
        product = self._plan.products[number]
        shop = self._plan.shops[product.shop]
        answer = await self._communities[shop.community].api.call(
            "POST",
            "/listings",
            {
                "sector": product.shelf.sector,
                "shop_id": self._shop_ids[product.shop],
                "listing_id": listing_id,
                "title": {"en": f"{product.shelf.words} {number + 1}"},
                "price": {"currency": CURRENCY, "amount_minor": tag.price.amount_minor},
                "unit_code": PIECE,
                "tax": TAX,
                "fulfilment": ["ship"],
                "attributes": {"source_priced": tag.price.day},
            },
        )
        tag.offer.set_result(Offer(product.shelf.sector, answer["listing_id"], answer["record"]))
