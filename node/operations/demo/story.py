"""What the three communities do, from top to bottom: a story that a shop owner can follow.

They use what everybody has, the `wildgrass` command and the API of their own node, and nothing else.

    told = await Story(village, samples, plans, display).tell()
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial
from gettext import gettext as _

from node.operations.demo.api_client import together
from node.operations.demo.catalog import further_sectors, listing_draft, order_draft, shop_drafts
from node.operations.demo.desk import (
    Order,
    buyers_see,
    is_refused,
    requests_arrive,
    sellers_can_open,
    sellers_see,
)
from node.operations.demo.display import Chapter, Display
from node.operations.demo.orders import CROSSED, OrderPlan, find_listings, remaining_totals
from node.operations.demo.settling import Holdings, all_hold_all
from node.operations.demo.village import Community, Village, until
from node.operations.samples import SampleCommunity

SHARES = ("seller_community=3", "buyer_community=2.5", "commons=0.5")
"""The policy of all three, in percent of the net price; the shop gets what is left."""


@dataclass(frozen=True, slots=True)
class Told:
    """What came of it."""

    communities: int
    listings: int
    orders: Sequence[Order]
    holdings: Holdings


class Story:
    """One telling."""

    def __init__(
        self,
        village: Village,
        samples: Sequence[SampleCommunity],
        plans: Sequence[OrderPlan],
        display: Display,
    ) -> None:
        """Take a village that is not founded yet, what its communities offer, and what they will order."""
        self._village = village
        self._communities = village.communities
        self._by_key = {community.key: community for community in village.communities}
        self._samples = {sample.key: sample for sample in samples}
        self._listings = find_listings(samples)
        self._plans = plans
        self._display = display
        self._listing_ids: dict[tuple[str, str], str] = {}
        self._orders: list[Order] = []

    async def tell(self) -> Told:
        """Tell all of it; returns when every node holds everything."""
        with self._display.chapter("found", _("Three communities are founded, each in a folder of its own")):
            await self._village.found()
        with self._display.chapter("start", _("Their nodes start, each a process of its own")):
            await self._village.start()
        with self._display.chapter("meet", _("They find each other by the addresses in their settings")):
            await self._village.meet()
        with self._display.chapter("publish", _("They publish shops and listings")) as chapter:
            await self.publish(chapter)
        with self._display.chapter("agree", _("They adopt one policy, vouch for and follow each other")):
            await self.agree()
        with self._display.chapter("order", _("Members order from the other communities")) as chapter:
            await self.order(chapter)
        with self._display.chapter("answer", _("Sellers accept, and reject what they cannot deliver")):
            await self.answer()
        with self._display.chapter("cross", _("Two cancellations cross an acceptance")):
            await self.cross()
        with self._display.chapter("deliver", _("Goods are handed over, and receipts complete the orders")):
            await self.deliver()
        with self._display.chapter("refund", _("Part of the money goes back twice")):
            await self.refund()
        with self._display.chapter("replicate", _("Every node holds all lanes of all three")) as chapter:
            holdings = await all_hold_all(self._communities)
            chapter.note(_("{count} records on every node").format(count=holdings.records))
            chapter.note(await self.heard())
        return Told(len(self._communities), len(self._listing_ids), self._orders, holdings)

    async def publish(self, chapter: Chapter) -> None:
        """Shops first, in each of their sectors, then what they offer; then all of it is at all nodes."""
        await together(self._open_shops(community, chapter) for community in self._communities)
        await together(
            until(partial(self._knows_all_listings, community), f"{community.key}: all listings")
            for community in self._communities
        )

    async def agree(self) -> None:
        """Each adopts the same policy by itself; vouching opens trade and ledger to the others."""
        adopt = [part for share in SHARES for part in ("--share", share)]
        await together(community.command("policy", "adopt", *adopt) for community in self._communities)
        await together(
            one.api.call("POST", f"/peers/{other.id}/{word}")
            for one in self._communities
            for other in self._village.others(one)
            for word in ("vouch", "following")
        )
        await all_hold_all(self._communities)

    async def order(self, chapter: Chapter) -> None:
        """The buyer's node seals who buys what for the two sides; the others see sums only."""
        self._orders = await together(self._place(plan, chapter) for plan in self._plans)
        await sellers_see(self._orders, "placed")
        await sellers_can_open(self._orders)

    async def answer(self) -> None:
        """Two members wanted the same last piece: whoever comes second hears so."""
        waiting = [order for order in self._orders if order.plan.ending not in CROSSED]
        await together(order.sell("acceptance") for order in waiting if order.plan.is_accepted)
        await together(self._reject(order) for order in waiting if not order.plan.is_accepted)

    async def cross(self) -> None:
        """The buyer asks to be released while the seller, who has not heard of it, accepts."""
        crossed = [order for order in self._orders if order.plan.ending in CROSSED]
        await together(
            move for order in crossed for move in (order.buy("cancellation"), order.sell("acceptance"))
        )
        await requests_arrive(crossed)
        words = {"cancelled": "cancellation", "kept": "cancellation-refusal"}
        await together(order.sell(words[order.plan.ending], code=order.plan.code) for order in crossed)

    async def deliver(self) -> None:
        """The seller's node completes an order by the buyer's receipt, and both post their shares by themselves."""
        delivered = [order for order in self._orders if order.plan.is_completed]
        await together(order.sell("fulfilment") for order in delivered)
        await buyers_see(delivered, "fulfilled")
        await together(order.buy("receipt") for order in delivered)
        await sellers_see(delivered, "completed")

    async def refund(self) -> None:
        """The seller states what the order comes to now; every share is corrected by it."""
        await together(self._refund(order) for order in self._orders if order.plan.returned is not None)

    async def heard(self) -> str:
        """Whether they would have found each other without any address, by mDNS on this machine's loopback."""
        told = await together(community.api.call("GET", "/peers") for community in self._communities)
        failure = next((answer["mdns_failure"] for answer in told if "mdns_failure" in answer), None)
        if failure is not None:
            return _("mDNS tried besides: not possible here ({failure})").format(failure=failure)
        ids = {community.id for community in self._communities}
        heard = [ids & {neighbour["community"] for neighbour in answer["neighbours"]} for answer in told]
        if all(len(others) == len(ids) - 1 for others in heard):
            return _("mDNS tried besides: each has heard all others")
        return _("mDNS tried besides: {count} of {nodes} nodes have heard others").format(
            count=sum(bool(others) for others in heard), nodes=len(told)
        )

    async def _open_shops(self, community: Community, chapter: Chapter) -> None:
        sample = self._samples[community.key]
        opened = await community.api.call_all("POST", "/shops", shop_drafts(sample))
        shop_ids = {shop.key: answer["shop_id"] for shop, answer in zip(sample.shops, opened, strict=True)}
        await community.api.call_all("POST", "/shops", further_sectors(sample, shop_ids))
        published = await community.api.call_all(
            "POST",
            "/listings",
            [listing_draft(item, shop_ids[item.shop], sample.currency) for item in sample.listings],
            heard=lambda: chapter.one_more(len(self._listings)),
        )
        for listing, answer in zip(sample.listings, published, strict=True):
            self._listing_ids[sample.key, listing.title.en] = answer["listing_id"]

    async def _knows_all_listings(self, community: Community) -> bool:
        status = await community.api.call("GET", "/status")
        return bool(status["listings"] == len(self._listings))

    async def _place(self, plan: OrderPlan, chapter: Chapter) -> Order:
        buyer, seller = self._by_key[plan.buyer], self._by_key[plan.seller]
        draft = order_draft(plan, seller.id, self._listings, self._listing_ids)
        answer = await buyer.api.call("POST", "/orders", draft)
        chapter.one_more(len(self._plans))
        return Order(plan, buyer, seller, answer["order_id"])

    async def _reject(self, order: Order) -> None:
        """Where the stock is gone, the node itself refuses the acceptance first."""
        if order.plan.code == "out_of_stock":
            refused = await is_refused(order, "acceptance", "stock_short")
            assert refused, "the last piece was sold twice"
        await order.sell("rejection", code=order.plan.code)

    async def _refund(self, order: Order) -> None:
        shown = await order.shown_to_seller()
        assert order.plan.returned is not None
        totals = remaining_totals(shown["totals"], order.plan.returned, shown["currency"])
        await order.sell("refund", totals=totals, code=order.plan.code)
