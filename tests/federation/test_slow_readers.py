"""A peer that asks much and reads slowly: two answers of it are in memory, in order, and no more."""

import asyncio
from contextlib import nullcontext
from typing import Any, cast

from node.federation.link import Link, WebSocket
from protocol.exchange.frames import BlobGet, Frame, Refused, Request, decode_frame, encode_frame
from protocol.exchange.identify import identify
from protocol.exchange.session import Admit, OwnSide, PeerIdentity, Session, bind_proxied
from tests.federation.loopback import make_vault

REQUESTS = 9


class SlowSocket:
    """The far end takes the first words, and then nothing until it is told to."""

    def __init__(self) -> None:
        self.taken: list[Frame] = []
        self.reads = asyncio.Event()

    async def receive(self) -> Any:
        await asyncio.Event().wait()

    async def send_bytes(self, raw: bytes) -> None:
        if isinstance(decode_frame(raw), Refused):
            await self.reads.wait()
        self.taken.append(decode_frame(raw))

    async def close(self) -> None:
        """Nobody is behind it."""


class CountingHub:
    """Answers at once, and counts."""

    def __init__(self) -> None:
        self.looked_up: list[int] = []

    async def admit(self, link: Link, admit: Admit) -> None:
        """Nobody is admitted here."""

    def received(self, link: Link, frame: Frame) -> None:
        """Nothing is received here."""

    async def answer_within(self, link: Link, request: Request) -> tuple[bytes, int]:
        self.looked_up.append(request.number)
        return encode_frame(Refused(request.number, "blob_not_held", "")), 0

    def answered(self, link: Link, counted_bytes: int) -> None:
        """Nobody else's answers are counted."""

    async def until_room(self) -> None:
        """There is always room."""

    def turn(self) -> nullcontext[None]:
        return nullcontext()

    def outbox_changed(self, change_bytes: int) -> None:
        """Nobody else's outbox is counted."""


def make_link(hub: CountingHub, socket: SlowSocket) -> Link:
    vault = make_vault("giver")
    own = OwnSide(
        vault.genesis_record, PeerIdentity(vault.community, vault.transport.public), vault.transport.sign
    )
    binding = bind_proxied("shop.example")
    session = Session("dialer", own, binding, nonce=bytes(32), time_ms=0, identify=identify)
    return Link(hub, cast("WebSocket", socket), session)


async def turns(count: int) -> None:
    """Let everybody else have their turn, again and again."""
    for _ in range(count):
        await asyncio.sleep(0)


async def test_a_slow_reader_holds_two_answers_in_memory() -> None:
    """While one is sent the next is looked up; the third waits until the first has gone."""
    hub, socket = CountingHub(), SlowSocket()
    link = make_link(hub, socket)
    running = asyncio.ensure_future(link.run())
    for number in range(REQUESTS):
        link.serve(BlobGet(number, bytes(32), 0, 1))
    await turns(100)
    assert hub.looked_up == [0, 1]
    socket.reads.set()
    await turns(100)
    assert hub.looked_up == list(range(REQUESTS))
    assert [frame.number for frame in socket.taken if isinstance(frame, Refused)] == list(range(REQUESTS))
    link.close("session_stopping")
    assert (await running).code == "session_stopping"
