"""A node as a relay: what it keeps, for whom, how much of it, and what nobody can make it do."""

from typing import Any

import pytest

from node.core import Node
from node.peering import NodePeering
from node.relay_shelf import DAY_MS, RelayRule, listing, may_put, put, register, take
from protocol.exchange.frames import (
    Delivery,
    Receipt,
    Refused,
    RelayDropped,
    RelayGet,
    RelayKept,
    RelayList,
    RelayListed,
    RelayPut,
    RelayRegister,
    RelayTaken,
    RelayTerms,
    Sealed,
    SealedObject,
    WrappedKey,
)
from protocol.limits import RELAY_DAYS_MAX, RELAY_REGISTRATION_DAYS, RELAY_SENDER_PART
from storage.peers import Peer, save_peer
from storage.relay_shelf import shelf
from tests.actions.conftest import OpenNode

SHOP, BUYER, OTHER, STRANGER = b"S" * 32, b"B" * 32, b"O" * 32, b"X" * 32
RULE = RelayRule(objects_max=16, bytes_max=4_000, days=3)
NOW_MS = 1_800_000_000_000


def part(name: int, size: int = 10) -> SealedObject:
    return SealedObject(bytes([name]) * 32, b"c" * size, (WrappedKey(b"k" * 32, b"w" * 80),))


def receipts(*names: int) -> tuple[Receipt, ...]:
    return tuple(Receipt(bytes([name]) * 32, bytes([name, 1]) * 16) for name in names)


class Shelf:
    """The relay's side, asked by anybody at any time."""

    def __init__(self, node: Node) -> None:
        self.node = node
        self.rule = RULE

    async def follow(self, *communities: bytes, trust: str = "followed") -> None:
        for community in communities:
            known = Peer(community, "", (), trust)
            await self.node.write(lambda job, known=known: save_peer(job.connection, known))

    async def register(self, recipient: bytes, *senders: bytes, at: int = NOW_MS) -> Any:
        request = RelayRegister(1, senders)
        return await self.node.write(lambda job: register(job, recipient, request, self.rule, at))

    async def put(self, sender: bytes, *parts: SealedObject, to: bytes = SHOP, at: int = NOW_MS) -> Any:
        if not await self.node.read(lambda read: may_put(read, sender, to, self.rule, at)):
            return "not admitted"
        request = RelayPut(2, to, parts)
        answer = await self.node.write(lambda job: put(job, sender, request, self.rule, at))
        return len(answer.kept) if isinstance(answer, RelayKept) else answer.code

    async def list(self, asker: bytes, after: int = 0) -> RelayListed:
        answer = await NodePeering(self.node).answer(asker, RelayList(3, after))
        assert isinstance(answer, RelayListed)
        return answer

    async def take(self, recipient: bytes, sender: bytes, *names: int) -> None:
        request = RelayTaken(4, sender, receipts(*names))
        await self.node.write(lambda job: take(job, recipient, request, NOW_MS))

    async def waits(self) -> int:
        return (await self.node.read(lambda read: shelf(read.connection))).objects


async def test_a_delivery_waits_is_listed_and_leaves_a_receipt(open_node: OpenNode) -> None:
    """Each hears of what concerns it and of nothing else, and what is noted or repeated changes nothing."""
    async with open_node("relay") as node:
        relay = Shelf(node)
        await relay.follow(SHOP)
        assert await relay.register(SHOP, BUYER) == RelayTerms(1, 16, 4_000, 3)
        assert await relay.put(BUYER, part(1), part(2)) == 2
        assert await relay.put(BUYER, part(1, 99), part(2)) == 2
        listed = await relay.list(SHOP)
        assert listed.waiting == (Delivery(BUYER, b"\x01" * 32), Delivery(BUYER, b"\x02" * 32))
        assert (await relay.list(SHOP, listed.through)).waiting == ()
        for asker in (BUYER, OTHER, STRANGER):
            assert (await relay.list(asker)).waiting == ()

        await relay.take(OTHER, BUYER, 1, 2)
        assert await relay.waits() == 2
        await relay.take(SHOP, BUYER, 1, 9)
        await relay.take(SHOP, BUYER, 1)
        assert await relay.waits() == 1
        told = await relay.list(BUYER)
        assert told.taken == receipts(1)
        assert (await relay.list(STRANGER)).taken == ()
        assert await relay.put(BUYER, part(1)) == 1
        assert await relay.waits() == 1

        assert (await relay.list(BUYER)).taken == receipts(1)
        assert (await relay.list(BUYER, told.through)).taken == ()
        assert (await relay.list(BUYER)).taken == ()
        assert await relay.put(BUYER, part(1)) == 1
        assert [row.commitment for row in (await relay.list(SHOP, told.through)).waiting] == [b"\x01" * 32]


async def test_nobody_fills_a_relay_who_may_not(open_node: OpenNode) -> None:
    """Not for strangers, not from senders that were not named, not after the registration or the trust is over."""
    async with open_node("relay") as node:
        relay = Shelf(node)
        assert isinstance(await relay.register(SHOP, BUYER), Refused)
        assert await relay.put(BUYER, part(1)) == "not admitted"
        await relay.follow(SHOP)
        await relay.register(SHOP, BUYER)
        assert await relay.put(STRANGER, part(1)) == "not admitted"
        assert await relay.put(BUYER, part(1), to=OTHER) == "not admitted"
        last_ms = NOW_MS + RELAY_REGISTRATION_DAYS * DAY_MS
        assert await relay.put(BUYER, part(1), at=last_ms) == "not admitted"
        assert await relay.put(BUYER, part(1), at=last_ms - 1) == 1
        await relay.register(SHOP)
        assert await relay.put(BUYER, part(2)) == "not admitted"
        await relay.register(SHOP, BUYER)
        await relay.follow(SHOP, trust="blocked")
        assert await relay.put(BUYER, part(2)) == "not admitted"
        await relay.follow(SHOP)
        relay.rule = RelayRule(admits="named")
        assert isinstance(await relay.register(SHOP, BUYER), Refused)
        relay.rule = RelayRule(admits="off")
        assert await relay.put(BUYER, part(2)) == "not admitted"


async def test_one_sender_fills_a_part_of_what_is_kept_and_no_more(open_node: OpenNode) -> None:
    """By number and by bytes; another sender still has room, until the recipient's share is full."""
    async with open_node("relay") as node:
        relay = Shelf(node)
        await relay.follow(SHOP)
        senders = [bytes([number]) * 32 for number in range(100, 106)]
        await relay.register(SHOP, *senders)
        share = RULE.objects_max // RELAY_SENDER_PART
        for number, sender in enumerate(senders[:RELAY_SENDER_PART]):
            parts = [part(number * 10 + each) for each in range(share + 1)]
            assert await relay.put(sender, *parts) == share
            assert await relay.put(sender, part(200 + number)) == "relay_full"
        assert await relay.waits() == RULE.objects_max
        assert await relay.put(senders[-1], part(99)) == "relay_full"

        relay.rule = RelayRule(objects_max=1_000, bytes_max=8_000, days=3)
        assert await relay.put(senders[-1], part(99, 2_001)) == "relay_full"
        assert await relay.put(senders[-1], part(98, 1_500), part(97, 501), part(96, 500)) == 2
        assert await relay.put(senders[-1], part(95, 1)) == "relay_full"


async def test_what_nobody_fetches_is_gone_when_its_time_is_over(open_node: OpenNode) -> None:
    """To the millisecond; and the room it took is free again. Receipts stay longer."""
    async with open_node("relay") as node:
        relay = Shelf(node)
        await relay.follow(SHOP)
        await relay.register(SHOP, BUYER)
        assert await relay.put(BUYER, part(1), part(2)) == 2
        await relay.take(SHOP, BUYER, 2)
        end_ms = NOW_MS + RULE.days * DAY_MS
        assert await relay.put(BUYER, part(3), at=end_ms - 1) == 1
        assert await relay.waits() == 2
        assert await relay.put(BUYER, part(4), at=end_ms) == 1
        assert [row.commitment[0] for row in (await relay.list(SHOP)).waiting] == [3, 4]
        assert (await relay.list(BUYER)).taken == receipts(2)
        await relay.register(SHOP, BUYER, at=NOW_MS + RELAY_DAYS_MAX * DAY_MS)
        assert await relay.put(BUYER, part(5), at=NOW_MS + RELAY_DAYS_MAX * DAY_MS) == 1
        assert (await relay.list(BUYER)).taken == ()


async def test_a_list_of_many_comes_in_pages_without_a_gap(open_node: OpenNode) -> None:
    """What is put while somebody reads on comes at the end; a number is never given twice."""
    async with open_node("relay") as node:
        relay = Shelf(node)
        relay.rule = RelayRule(objects_max=4_096, bytes_max=100_000, days=3)
        await relay.follow(SHOP)
        await relay.register(SHOP, BUYER)
        named = [number.to_bytes(2, "big") * 16 for number in range(300)]
        parts = [SealedObject(name, b"c", (WrappedKey(b"k" * 32, b"w" * 80),)) for name in named]
        for start in range(0, 300, 15):
            assert await relay.put(BUYER, *parts[start : start + 15]) == 15
        first = await relay.list(SHOP)
        assert first.has_more
        await node.write(
            lambda job: take(
                job, SHOP, RelayTaken(1, BUYER, tuple(Receipt(name, name) for name in named[256:])), NOW_MS
            )
        )
        assert await relay.put(BUYER, part(255)) == 1
        rest = await relay.list(SHOP, first.through)
        assert [row.commitment for row in rest.waiting] == [b"\xff" * 32]
        assert [row.commitment for row in first.waiting] == named[:256]
        assert not rest.has_more


async def test_a_stranger_s_words_are_looked_at_and_change_nothing(
    open_node: OpenNode, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Registering, taking, listing: refused or empty, nothing is written, and nobody is told of it."""
    async with open_node("relay") as node:
        relay, peering = Shelf(node), NodePeering(node)
        await relay.follow(SHOP)
        await relay.register(SHOP, BUYER)
        assert await relay.put(BUYER, part(1)) == 1
        written: list[object] = []
        monkeypatch.setattr(node.writer, "run", written.append)
        assert await peering.answer(STRANGER, RelayRegister(1, (BUYER,))) == Refused(
            1, "relay_not_admitted", ""
        )
        refused = await peering.answer(STRANGER, RelayPut(2, SHOP, (part(2),)))
        assert refused == Refused(2, "relay_not_admitted", "")
        for sender in (BUYER, STRANGER, node.community):
            assert await peering.answer(STRANGER, RelayTaken(3, sender, receipts(1))) == RelayDropped(3)
        assert await peering.answer(STRANGER, RelayList(4, 99)) == RelayListed(4, 99, False, (), ())
        assert written == []
        assert await relay.waits() == 1


async def test_only_the_recipient_is_handed_what_waits(open_node: OpenNode) -> None:
    """A stranger who knows every commitment gets nothing, and neither does a recipient that is not known."""
    async with open_node("relay") as node:
        relay = Shelf(node)
        await relay.follow(node.community)
        await relay.register(node.community, BUYER)
        assert await relay.put(BUYER, part(1), to=node.community) == 1
        ask = RelayGet(1, BUYER, (b"\x01" * 32, b"\x02" * 32))
        peering = NodePeering(node)
        handed = await peering.answer(node.community, ask)
        assert isinstance(handed, Sealed)
        assert [(item.commitment[0], item.ciphertext) for item in handed.objects] == [(1, b"c" * 10)]
        assert await peering.answer(STRANGER, ask) == Sealed(1, ())
        assert await peering.answer(node.community, RelayGet(1, OTHER, (b"\x01" * 32,))) == Sealed(1, ())
        assert (await node.read(lambda read: listing(read, STRANGER, RelayList(1, 0)))).waiting == ()  # type: ignore[union-attr]  # a page
