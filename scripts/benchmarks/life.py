"""Two communities that trade: every day the shop publishes, and the buyer buys, over the APIs of their nodes.

life = Life(shop, buyer, shop_community, buyer_community)
await life.begin(address); await life.live_day(0)
"""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial
from itertools import cycle

from msgspec import to_builtins

from benchmarks.mix import POLICY
from benchmarks.processes import Run
from node.operations.demo.api_client import together
from node.operations.demo.catalog import listing_draft
from node.operations.samples import load_samples

LISTINGS_A_DAY = 500
ORDERS_A_DAY = 50
IMPORT = 50
AT_ONCE = 8

_CURRENCY = "EUR"
_POLL_SECONDS = 0.02
_WAIT_SECONDS_MAX = 120.0
_PAGE = 200


class Life:
    """What the two do, one day like the other."""

    def __init__(self, shop: Run, buyer: Run, shop_community: str, buyer_community: str) -> None:
        """Take two running nodes and the communities' ids."""
        self._shop = shop
        self._buyer = buyer
        self._shop_community = shop_community
        self._buyer_community = buyer_community
        self._turns = asyncio.Semaphore(AT_ONCE)
        self._shop_ids: dict[str, str] = {}
        samples = [listing for community in load_samples() for listing in community.listings]
        self._samples = cycle([sample for sample in samples if sample.stock])
        self._sectors = sorted({sample.sector for sample in samples})

    async def begin(self, address: str) -> None:
        """Meet, vouch for each other, adopt one policy, open a shop in every sector."""
        await self._buyer.api.call("POST", "/peers", {"address": address})
        for node in (self._shop, self._buyer):
            await node.api.call("POST", "/policies", {"policy": to_builtins(POLICY)})
        sides = ((self._shop, self._buyer_community), (self._buyer, self._shop_community))
        for node, other in sides:
            await _until(partial(_knows, node, other))
            for word in ("following", "vouch"):
                await node.api.call("POST", f"/peers/{other}/{word}")
        for sector in self._sectors:
            draft = {"sector": sector, "name": {"en": "By the ferry", "zh-Hans": "渡口边"}}
            self._shop_ids[sector] = (await self._shop.api.call("POST", "/shops", draft))["shop_id"]
        for node, other in sides:
            await _until(partial(_holds_policy, node, other))

    async def live_day(self) -> None:
        """Publish the day's listings import by import, then take the day's orders through, word by word."""
        published: list[tuple[str, str]] = []
        for _ in range(0, LISTINGS_A_DAY, IMPORT):
            published += await together(self._publish() for _ in range(IMPORT))
        wanted = published[-ORDERS_A_DAY:]
        await _until(self._buyer_holds_all)
        orders = [await self._place(*listing) for listing in wanted]
        for order in orders:
            await _until(partial(self._is_opened, order))
        for word in ("acceptance", "fulfilment"):
            for order in orders:
                await self._shop.api.call("POST", f"/orders/{self._buyer_community}/{order}/{word}")
        for order in orders:
            await _until(partial(_has_status, self._buyer, self._buyer_community, order, "fulfilled"))
            await self._buyer.api.call("POST", f"/purchases/{order}/receipt")
        for node in (self._shop, self._buyer):
            await _until(partial(_has_status, node, self._buyer_community, orders[-1], "completed"))
        await _until(self._is_posted)

    async def _publish(self) -> tuple[str, str]:
        sample = next(self._samples)
        draft = listing_draft(sample, self._shop_ids[sample.sector], _CURRENCY)
        async with self._turns:
            answer = await self._shop.api.call("POST", "/listings", draft)
        return sample.sector, answer["listing_id"]

    async def _place(self, sector: str, listing_id: str) -> str:
        draft = {
            "seller": self._shop_community,
            "lines": [{"sector": sector, "listing_id": listing_id, "steps": 1}],
            "details": {"fulfilment": "pickup", "name": "李雷", "note": "周六来取"},
        }
        order_id: str = (await self._buyer.api.call("POST", "/orders", draft))["order_id"]
        return order_id

    async def _buyer_holds_all(self) -> bool:
        """Whether the buyer's node has folded every listing of the shop."""
        here, there = await together(node.api.call("GET", "/status") for node in (self._shop, self._buyer))
        return bool(here["listings"] == there["listings"])

    async def _is_opened(self, order: str) -> bool:
        shown = await self._shop.api.call(
            "GET", "/orders", {"side": "seller", "statuses": ["placed"], "limit": _PAGE}
        )
        if order not in {one["order_id"] for one in shown["orders"]}:
            return False
        opened = await self._shop.api.call("GET", f"/orders/{self._buyer_community}/{order}")
        return bool(opened["opened"] != "not_here")

    async def _is_posted(self) -> bool:
        """Whether neither side owes its ledger anything."""
        told = await together(node.api.call("GET", "/status") for node in (self._shop, self._buyer))
        return not any(status["awaited"] or status["unsigned"] for status in told)


async def _knows(node: Run, other: str) -> bool:
    peers = (await node.api.call("GET", "/peers"))["peers"]
    return any(peer["community"] == other and peer["is_connected"] for peer in peers)


async def _holds_policy(node: Run, other: str) -> bool:
    policies = (await node.api.call("GET", "/policies", {"community": other}))["policies"]
    return bool(policies)


async def _has_status(node: Run, buyer: str, order: str, status: str) -> bool:
    shown = await node.api.call("GET", f"/orders/{buyer}/{order}")
    return bool(shown["status"] == status)


async def _until(is_so: Callable[[], Awaitable[bool]]) -> None:
    """Ask until the answer is yes, or give up."""
    deadline = time.monotonic() + _WAIT_SECONDS_MAX
    while not await is_so():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{is_so} was not so in {_WAIT_SECONDS_MAX:.0f} s")
        await asyncio.sleep(_POLL_SECONDS)
