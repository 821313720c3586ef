"""What the communities of a replay do, from the founding to equal lanes on all nodes.

holdings = await Replaying(plan, village, display).play()
"""

import asyncio
from collections.abc import Callable, Mapping
from functools import partial
from gettext import gettext as _

from node.operations.demo.api_client import together
from node.operations.demo.display import Display
from node.operations.demo.settling import Holdings, all_hold_all
from node.operations.demo.village import Community, Founding, Village, until
from node.operations.replay.arrivals import Arrivals, watched_arrivals
from node.operations.replay.market import Market
from node.operations.replay.order import OrderLife, random_id
from node.operations.replay.plan import RECEIVED, Plan, PlannedOrder, States
from node.operations.replay.source import CURRENCY

OPEN_ORDERS_MAX = 1_024
SETTLE_SECONDS_MAX = 600.0

POLICY = {
    "base": "net",
    "shares": [
        {"role": "seller_community", "beneficiary": "seller_community", "share_bp": 300},
        {"role": "buyer_community", "beneficiary": "buyer_community", "share_bp": 250},
        {"role": "commons", "beneficiary": "seller_community", "share_bp": 50},
    ],
    "same_community": "to_seller_community",
    "tax_remitter": "seller",
}
"""The one policy that all adopt; what no share names is the seller's."""


def foundings_of(states: States) -> list[Founding]:
    """Return how the communities are founded: numbered from 1, in the currency of the source."""
    return [
        Founding(
            f"community-{number:02}", {"zh-Hans": f"社区 {number}", "en": f"Community {number}"}, CURRENCY
        )
        for number in range(1, len(states) + 1)
    ]


class Replaying:
    """One replay."""

    def __init__(self, plan: Plan, village: Village, display: Display) -> None:
        """Take what is planned, and a village of that many communities that is not founded yet."""
        self._plan = plan
        self._village = village
        self._communities = village.communities
        self._display = display

    async def play(self) -> Holdings:
        """Do all of it; returns when every node holds everything and nothing waits."""
        with self._display.chapter("start", _("The communities are founded, and their nodes start")):
            await self._village.found()
            await self._village.start()
        with self._display.chapter("agree", _("They meet, vouch for each other and adopt one policy")):
            await self._village.meet()
            await self._agree()
        async with watched_arrivals(self._communities) as arrivals:
            market = Market(self._plan, self._communities)
            with self._display.chapter("publish", _("Shops and first prices are published")) as chapter:
                total = len(self._plan.shops) + len(self._plan.products)
                await market.open(partial(chapter.one_more, total))
            with self._display.chapter("order", _("Orders go their ways, and prices change")) as chapter:
                total = len(self._plan.orders)
                await self._order(market, arrivals, partial(chapter.one_more, total))
        with self._display.chapter(
            "settle", _("Receipts complete orders, and all nodes come to hold all lanes")
        ):
            return await self._settle()

    async def _agree(self) -> None:
        """Each by itself; vouching opens trade and ledger to the others, following brings them here."""
        await together(
            community.api.call("POST", "/policies", {"policy": POLICY}) for community in self._communities
        )
        await together(
            one.api.call("POST", f"/peers/{other.id}/{word}")
            for one in self._communities
            for other in self._village.others(one)
            for word in ("vouch", "following")
        )
        await all_hold_all(self._communities, seconds_max=SETTLE_SECONDS_MAX)

    async def _order(
        self, market: Market, arrivals: Mapping[str, Arrivals], heard: Callable[[], None]
    ) -> None:
        """Begin the orders as they were purchased, so that each finds those done that it waits for."""
        turns = asyncio.Semaphore(OPEN_ORDERS_MAX)
        groups: dict[int | None, str | None] = {None: None}

        async def live(order: PlannedOrder) -> None:
            buyer, seller = self._communities[order.buyer], self._communities[order.seller]
            group_id = groups.setdefault(order.group, random_id())
            async with turns:
                await OrderLife(order, buyer, seller, market, arrivals, group_id).live()
            heard()

        await together([market.change_prices(), *map(live, self._plan.orders)])

    async def _settle(self) -> Holdings:
        """The nodes complete and post by themselves: when that is done, they say so."""
        await together(
            until(
                partial(self._has_completed, number, community),
                f"{community.key}: completed orders",
                seconds_max=SETTLE_SECONDS_MAX,
            )
            for number, community in enumerate(self._communities)
        )
        return await all_hold_all(self._communities, seconds_max=SETTLE_SECONDS_MAX)

    async def _has_completed(self, number: int, community: Community) -> bool:
        wanted = sum(order.seller == number and order.ending in RECEIVED for order in self._plan.orders)
        orders = (await community.api.call("GET", "/status"))["orders"]
        return bool(orders.get("completed", 0) == wanted)
