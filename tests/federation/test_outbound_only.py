"""Two shops that only dial out trade by way of a relay, which reads nothing of what they seal."""

import dataclasses
from pathlib import Path
from typing import Any

from msgspec.structs import replace

from node.actions.buying import OwnOrderName, PlacedOrder, confirm_receipt
from node.actions.policies import PolicyDraft, adopt_policy
from node.actions.relays import RelaysDraft, name_relays
from node.actions.selling import OrderName, accept_order, fulfil_order
from node.cli.order_text import order_lines
from node.peering import NodePeering
from node.relay_shelf import RelayRule
from node.relaying import load_parts, note_put
from node.writer.transaction import Transaction
from protocol.exchange.frames import (
    Answer,
    Delivery,
    Receipt,
    Refused,
    RelayGet,
    RelayList,
    RelayListed,
    RelayPut,
    Request,
    Sealed,
)
from protocol.exchange.relay_events import (
    NotePut,
    PartsChanged,
)
from protocol.identity.keys import from_base32
from protocol.limits import RELAY_PUTS_MAX, RELAY_SENDER_PART
from storage.relay_shelf import all_recipients, listed_after, shelf
from storage.sent_parts import parts_of_order, save_part
from tests.federation.whole_nodes import (
    DIALS_OUT_ONLY,
    WholeNode,
    befriend,
    dial_relay,
    introduce,
    name_relay,
    offer_cider,
    order_cider,
    sees_offer,
    whole_node,
)
from tests.village import POLICY

WEEKS_MS = 10 * 7 * 86_400_000


async def meet(orchard: WholeNode, ferry: WholeNode, relay: WholeNode) -> str:
    """Orchard sells, Ferry buys; both dial the relay and nobody dials them. Return the id of the listing."""
    listing = await offer_cider(orchard)
    await adopt_policy(ferry.node, PolicyDraft(policy=POLICY))
    await befriend(orchard, relay, ferry)
    await befriend(ferry, relay, orchard)
    await name_relay(orchard, relay.id)
    await sees_offer(ferry, orchard, listing)
    return listing


async def is_delivered(buyer: WholeNode, placed: PlacedOrder) -> None:
    async def holds() -> bool:
        return (await buyer.order(placed)).delivery == "delivered"

    await buyer.until(holds)


async def forget_receipts(buyer: WholeNode, placed: PlacedOrder, relay: WholeNode) -> None:
    """As if the receipts were lost here and at the relay alike: the parts are to be put once more."""
    relay.node.federation_service.tell_shelf_changed(buyer.node.community)

    async def are_gone() -> bool:
        listed = await relay.node.read(
            lambda read: listed_after(read.connection, buyer.node.community, 0, limit=1)
        )
        return not listed

    await buyer.until(are_gone)

    def job(transaction: Transaction) -> None:
        for part in parts_of_order(transaction.connection, from_base32(placed.order_id, 16)):
            save_part(transaction.connection, dataclasses.replace(part, state="queued"))

    await buyer.node.write(job)


async def let_time_pass(buyer: WholeNode, placed: PlacedOrder) -> None:
    """As if the minutes were over that a relay which refused is left in peace."""

    def job(transaction: Transaction) -> None:
        for part in parts_of_order(transaction.connection, from_base32(placed.order_id, 16)):
            save_part(transaction.connection, dataclasses.replace(part, retry_ms=0))

    await buyer.node.write(job)


async def owes(shop: WholeNode) -> bool:
    """Whether a posting of this community is still to be made."""
    return await shop.node.read(lambda read: read.has_any("awaited", (shop.node.community,), length=5))


async def test_a_whole_order_goes_through_a_relay(tmp_path: Path) -> None:
    """From the listing to mirrored postings, with no session between the two; the relay is left with nothing."""
    async with (
        whole_node(tmp_path / "r", "Relay") as relay,
        whole_node(tmp_path / "a", "Orchard", **DIALS_OUT_ONLY) as orchard,
        whole_node(tmp_path / "b", "Ferry", **DIALS_OUT_ONLY) as ferry,
    ):
        placed = await order_cider(ferry, orchard, await meet(orchard, ferry, relay))
        await is_delivered(ferry, placed)
        assert (await orchard.order(placed)).opened == "yes"
        await forget_receipts(ferry, placed, relay)
        assert (await ferry.order(placed)).delivery == "waiting"
        ferry.node.federation_service._links.driver.tell(PartsChanged())
        await is_delivered(ferry, placed)
        assert await relay.node.read(lambda read: shelf(read.connection)) == (0, 0)
        kept_for = await relay.node.read(lambda read: all_recipients(read.connection))
        assert [known.community for known in kept_for] == [orchard.node.community]
        name = OrderName(buyer=placed.buyer, order_id=placed.order_id)
        await accept_order(orchard.node, name)
        await fulfil_order(orchard.node, name)

        async def is_fulfilled() -> bool:
            return (await ferry.order(placed)).status == "fulfilled"

        await ferry.until(is_fulfilled)
        assert (await ferry.order(placed)).delivery is None
        await confirm_receipt(ferry.node, OwnOrderName(order_id=placed.order_id))

        async def are_mirrored() -> bool:
            owed = [await owes(shop) for shop in (orchard, ferry)]
            return (await ferry.order(placed)).status == "completed" and not any(owed)

        await ferry.until(are_mirrored)
        assert ferry.node.community not in orchard.node.federation_service.connected()
        assert orchard.node.community not in ferry.node.federation_service.connected()


class LyingRelay(NodePeering):
    """Hands out garbage, says that everything was taken, and lists again what was taken long ago."""

    def __init__(self, node: Any) -> None:
        super().__init__(node)
        self.lies = True
        self.seen: dict[bytes, bytes] = {}
        self.garbage = 0
        liars.append(self)

    async def answer(self, reader: bytes, request: Request) -> Answer:
        if isinstance(request, RelayPut):
            self.seen |= {item.commitment: reader for item in request.objects}
        answer = await super().answer(reader, request)
        if isinstance(request, RelayList) and isinstance(answer, RelayListed):
            replayed = tuple(Delivery(sender, name) for name, sender in self.seen.items() if sender != reader)
            answer = replace(answer, waiting=answer.waiting or replayed)
            if self.lies:
                answer = replace(answer, taken=tuple(Receipt(name, b"x" * 32) for name in self.seen))
        if isinstance(request, RelayGet) and isinstance(answer, Sealed) and self.lies:
            self.garbage += len(answer.objects)
            spoilt = (replace(item, ciphertext=b"g" + item.ciphertext[1:]) for item in answer.objects)
            answer = replace(answer, objects=tuple(spoilt))
        return answer


liars: list[LyingRelay] = []


async def test_a_relay_that_lies_delivers_nothing_and_convinces_nobody(tmp_path: Path) -> None:
    """Garbage is not kept, an invented receipt is no receipt; once it is honest, everything arrives after all."""
    async with (
        whole_node(tmp_path / "r", "Relay", peering=LyingRelay) as relay,
        whole_node(tmp_path / "a", "Orchard", **DIALS_OUT_ONLY) as orchard,
        whole_node(tmp_path / "b", "Ferry", **DIALS_OUT_ONLY) as ferry,
    ):
        placed = await order_cider(ferry, orchard, await meet(orchard, ferry, relay))
        liar = liars.pop()

        async def has_lied() -> bool:
            relay.node.federation_service.tell_shelf_changed(ferry.node.community)
            blames = ferry.node.federation_service._links.driver.blames
            return liar.garbage > 0 and blames["receipt_refused"] > 0

        await ferry.until(has_lied)
        assert (await orchard.order(placed)).opened == "not_here"
        shown = await ferry.order(placed)
        assert (shown.delivery, shown.kept_by) == ("waiting", {"en": "Relay"})
        liar.lies = False
        relay.node.federation_service.tell_shelf_changed(orchard.node.community)
        await is_delivered(ferry, placed)
        assert (await orchard.order(placed)).opened == "yes"


class FullRelay(NodePeering):
    """Counts what it refuses for want of room."""

    async def answer(self, reader: bytes, request: Request) -> Answer:
        answer = await super().answer(reader, request)
        if isinstance(request, RelayPut) and isinstance(answer, Refused):
            refused.append(answer.code)
        return answer


refused: list[str] = []


async def test_a_relay_that_is_full_keeps_nobody_in_the_dark(tmp_path: Path) -> None:
    """The buyer sees that its order waits at home; once the relay has room it arrives without being said again."""
    async with (
        whole_node(tmp_path / "r", "Relay", peering=FullRelay) as relay,
        whole_node(tmp_path / "a", "Orchard", **DIALS_OUT_ONLY) as orchard,
        whole_node(tmp_path / "b", "Ferry", **DIALS_OUT_ONLY) as ferry,
    ):
        listing = await meet(orchard, ferry, relay)
        relay.node.relay_rule = RelayRule(
            objects_max=RELAY_SENDER_PART - 1
        )  # no room for any part of one sender
        placed = await order_cider(ferry, orchard, listing)

        async def is_refused() -> bool:
            return bool(refused)

        await ferry.until(is_refused)
        assert set(refused) == {"relay_full"}
        shown = await ferry.order(placed)
        assert (shown.delivery, shown.kept_by) == ("waiting", None)
        lines = "\n".join(order_lines(await in_json(ferry, placed)))
        assert "waiting here until the seller's node or a relay fetches them" in lines
        assert await relay.node.read(lambda read: shelf(read.connection)) == (0, 0)
        relay.node.relay_rule = RelayRule()
        await let_time_pass(ferry, placed)
        ferry.node.federation_service._links.driver.tell(PartsChanged())
        await is_delivered(ferry, placed)
        assert (await orchard.order(placed)).opened == "yes"


async def test_what_nobody_fetches_is_put_again_a_few_times_and_then_has_expired(tmp_path: Path) -> None:
    """The seller is away for months: its order waits at the relay again and again, until the buyer is told."""
    async with (
        whole_node(tmp_path / "r", "Relay") as relay,
        whole_node(tmp_path / "b", "Ferry", **DIALS_OUT_ONLY) as ferry,
    ):
        async with whole_node(tmp_path / "a", "Orchard", **DIALS_OUT_ONLY) as orchard:
            listing = await meet(orchard, ferry, relay)
        placed = await order_cider(ferry, orchard, listing)

        async def is_kept() -> bool:
            return (await ferry.order(placed)).kept_by is not None

        await ferry.until(is_kept)
        assert "waiting at Relay for the seller's node" in "\n".join(
            order_lines(await in_json(ferry, placed))
        )
        now_ms, peers = ferry.node.clock.now(), (relay.node.community,)
        with_seller = (*peers, orchard.node.community)
        later_ms = now_ms + WEEKS_MS
        assert await ferry.node.write(lambda job: load_parts(job, with_seller, later_ms)) == ()
        for _ in range(RELAY_PUTS_MAX - 1):
            now_ms += WEEKS_MS
            [batch] = await ferry.node.write(lambda job, now_ms=now_ms: load_parts(job, peers, now_ms))
            names = tuple(item.commitment for item in batch.objects)
            note = NotePut(batch.relay, names, names, 1, 0)
            await ferry.node.write(lambda job, note=note, now_ms=now_ms: note_put(job, note, now_ms))
            assert (await ferry.order(placed)).delivery == "waiting"
        after_ms = now_ms + WEEKS_MS
        assert await ferry.node.write(lambda job: load_parts(job, peers, after_ms)) == ()
        assert (await ferry.order(placed)).delivery == "expired"
        assert "not fetched in time" in "\n".join(order_lines(await in_json(ferry, placed)))


async def in_json(shop: WholeNode, placed: PlacedOrder) -> dict[str, Any]:
    """The order as the API tells it to the command line."""
    from msgspec import to_builtins

    told: dict[str, Any] = to_builtins(await shop.order(placed))
    return told


async def test_a_seller_that_is_connected_takes_the_parts_itself(tmp_path: Path) -> None:
    """Ferry dials Orchard: nothing is left anywhere, and the receipts come over their own session."""
    async with (
        whole_node(tmp_path / "a", "Orchard") as orchard,
        whole_node(tmp_path / "b", "Ferry", **DIALS_OUT_ONLY) as ferry,
    ):
        listing = await offer_cider(orchard)
        await adopt_policy(ferry.node, PolicyDraft(policy=POLICY))
        await dial_relay(ferry, orchard.id, orchard.address)
        await introduce(orchard, ferry)
        await name_relays(orchard.node, RelaysDraft(relays=[ferry.id]))
        await sees_offer(ferry, orchard, listing)
        placed = await order_cider(ferry, orchard, listing)
        await is_delivered(ferry, placed)
        assert (await ferry.order(placed)).kept_by is None
        assert (await orchard.order(placed)).opened == "yes"
