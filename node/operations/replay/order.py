"""One order of a replay from its placing to its ending, between two running nodes.

await OrderLife(order, buyer, seller, market, arrivals, group_id).live()
"""

import asyncio
import secrets
from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from node.errors import ApiRefusal, NodeError
from node.operations.demo.village import Community, until
from node.operations.replay.arrivals import Arrivals
from node.operations.replay.market import TAX, Market
from node.operations.replay.plan import ACCEPTED, RECEIVED, PlannedOrder
from protocol.identity.keys import to_base32

ORDER_ID_BYTES = 16
DETAILS_TRIES_MAX = 40
DETAILS_SECONDS = 0.3
DETAILS_SECONDS_MAX = 2.0
COMPLETION_SECONDS_MAX = 600.0  # thousands of orders are under way, and nodes complete them in their own time

_CODES = {"rejected": "unavailable", "cancelled": "source_cancelled", "refunded": "source_cancelled"}


def random_id() -> str:
    """Return an id for an order or a group that says nothing of the source."""
    return to_base32(secrets.token_bytes(ORDER_ID_BYTES))


@dataclass(frozen=True, slots=True)
class OrderLife:
    """One order, those who deal in it, and where they hear of each other."""

    order: PlannedOrder
    buyer: Community
    seller: Community
    market: Market
    arrivals: Mapping[str, Arrivals]
    group_id: str | None

    async def live(self) -> None:
        """Say everything that both sides say about it, each when it has heard the other."""
        order_id = random_id()
        placed = await self._place(order_id)
        if self.order.ending not in ACCEPTED:
            self.market.settle(self.order.lines)
        if self.order.ending == "placed":
            return
        await self.arrivals[self.seller.id].of(placed)
        if self.order.ending == "rejected":
            await self._sell(order_id, "rejection")
            return
        await self._accept(order_id)
        self.market.settle(self.order.lines)
        if self.order.ending == "cancelled":
            await self._sell(order_id, "cancellation")
        elif self.order.ending != "accepted":
            await self._deliver(order_id)

    async def _place(self, order_id: str) -> Mapping[str, Any]:
        offers = [await self.market.offer(line) for line in self.order.lines]
        for offer in offers:
            await self.arrivals[self.buyer.id].of(offer.record)
        freight = {"label": {"en": "Freight"}, "amount_minor": self.order.freight_minor, **TAX}
        answer = await self.buyer.api.call(
            "POST",
            "/orders",
            {
                "seller": self.seller.id,
                "lines": [
                    {"sector": offer.sector, "listing_id": offer.listing_id, "steps": line.steps}
                    for offer, line in zip(offers, self.order.lines, strict=True)
                ],
                "charges": [freight] if self.order.freight_minor else [],
                "details": {"fulfilment": "ship"},
                "order_id": order_id,
                "group_id": self.group_id,
                "attributes": self.order.days,
            },
        )
        assert answer["total_minor"] == self.order.total_minor, "an order comes to what the source says"
        record: Mapping[str, Any] = answer["record"]
        return record

    async def _accept(self, order_id: str) -> None:
        """The sealed part of an order travels apart from its record, and comes a little later."""
        wait_seconds = 0.0 if self.buyer is self.seller else DETAILS_SECONDS
        for _ in range(DETAILS_TRIES_MAX):
            await asyncio.sleep(wait_seconds)
            try:
                await self._sell(order_id, "acceptance")
            except ApiRefusal as refused:
                if refused.said.code != "details_missing":
                    raise
            else:
                return
            wait_seconds = min(2 * wait_seconds, DETAILS_SECONDS_MAX)
        raise NodeError(
            "demo_stalled", f"{self.seller.key}: the private part of an order of {self.buyer.key}"
        )

    async def _deliver(self, order_id: str) -> None:
        """The seller's node completes an order by the buyer's receipt, and both post it, by themselves."""
        fulfilled = await self._sell(order_id, "fulfilment")
        if self.order.ending not in RECEIVED:
            return
        await self.arrivals[self.buyer.id].of(fulfilled)
        await self.buyer.api.call("POST", f"/purchases/{order_id}/receipt")
        if self.order.ending == "refunded":
            await until(
                partial(self._is_completed, order_id),
                f"{self.seller.key}: a completed order",
                seconds_max=COMPLETION_SECONDS_MAX,
            )
            nothing = [{"tax_class": TAX["tax_class"], "rate_bp": TAX["rate_bp"], "gross_minor": 0}]
            await self._sell(order_id, "refund", totals=nothing)

    async def _is_completed(self, order_id: str) -> bool:
        shown = await self.seller.api.call("GET", f"/orders/{self.buyer.id}/{order_id}")
        return bool(shown["status"] == "completed")

    async def _sell(self, order_id: str, word: str, **fields: Any) -> Mapping[str, Any]:
        code = _CODES.get(self.order.ending) if word in ("rejection", "cancellation", "refund") else None
        answer = await self.seller.api.call(
            "POST", f"/orders/{self.buyer.id}/{order_id}/{word}", {"code": code, **fields}
        )
        record: Mapping[str, Any] = answer["record"]
        return record
