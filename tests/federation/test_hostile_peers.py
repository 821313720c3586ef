"""Peers that lie, flood, dribble and never read: who they are told off, and nobody else is harmed (section 30)."""

import asyncio
import os
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import pytest

from node.federation import listener
from node.federation.intake import MESSAGE_BYTES_MAX
from node.vault import Vault
from protocol.exchange.frames import (
    BlobGet,
    Bye,
    EntriesGet,
    Frame,
    Graft,
    Heads,
    HeadsSince,
    News,
    Ping,
    Proof,
    Prune,
    Refused,
    SealedObject,
    SealedPut,
    StatedHead,
    StatementNews,
    Tiles,
    encode_frame,
)
from protocol.exchange.heads import state_head
from protocol.exchange.session import bind_proxied
from protocol.identity.keys import SigningKey
from protocol.limits import FRAME_BYTES_MAX, HANDSHAKES_MAX, SEALED_BYTES_MAX
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.origin import Origin
from tests.federation.hostile_peer import (
    CLOSE,
    CONTINUATION,
    PING,
    TEXT,
    UPGRADE,
    HostilePeer,
    hostile_peer,
    raw_connection,
    web_frame,
)
from tests.federation.loopback import LoopbackNode, make_vault, until
from tests.federation.sieges import siege

MALLORY = make_vault("mallory")
FORGER = SigningKey(b"forger's key".ljust(32))


def flip(proof: Proof) -> Proof:
    return Proof(bytes([proof.signature[0] ^ 1]) + proof.signature[1:])


def forged_head(origin: Origin, size: int = 2**48) -> StatedHead:
    return state_head(make_checkpoint_note(Checkpoint(origin.text, size, os.urandom(32)), FORGER))


# What is refused before anybody is let in.


async def test_a_proof_that_does_not_hold_opens_nothing() -> None:
    """A false signature, another way, another host: refused with the code, and the victim knows nobody new."""
    async with LoopbackNode("victim") as victim:
        for tampered in ({"tamper": flip}, {"binding": bind_proxied("shop.example")}):
            async with hostile_peer(victim.address) as peer:
                assert isinstance(await peer.greet(MALLORY, **tampered), Proof)
                assert await peer.hear_bye() == "session_proof_invalid"
        async with hostile_peer(victim.address) as peer:
            stolen = replace(MALLORY, genesis_record=make_vault("honest").genesis_record)
            assert await peer.greet(stolen) == Bye("session_key_mismatch")
        async with hostile_peer(victim.address) as peer:
            assert await peer.greet(replace(MALLORY, genesis_record=b"no")) == Bye("session_genesis_refused")
        assert victim.store.met_at == []


async def test_a_handshake_that_is_played_again_opens_nothing() -> None:
    """What once opened a session is worth nothing the second time: the listener's nonce is another."""
    async with LoopbackNode("victim") as victim:
        said: list[bytes] = []
        async with hostile_peer(victim.address) as peer:
            send = peer.send

            async def note(raw: bytes) -> None:
                said.append(raw)
                await send(raw)

            peer.send = note  # type: ignore[method-assign]  # somebody listens in
            assert isinstance(await peer.greet(MALLORY), Proof)
            await until(lambda: MALLORY.community in victim.federation.connected())
        async with hostile_peer(victim.address) as thief:
            await thief.send(b"".join(said))
            assert await thief.hear_bye() == "session_proof_invalid"


MESSAGES = {
    "a text": (web_frame(b"hello", opcode=TEXT), "frame_malformed"),
    "a byte more than a frame may have": (web_frame(bytes(FRAME_BYTES_MAX + 1)), "frame_too_large"),
    "more than is read at all": (web_frame(bytes(MESSAGE_BYTES_MAX + 9)), ""),
    "a length that never comes": (web_frame(b"", length=2**40), ""),
    "a compressed message": (web_frame(b"hello", rsv1=True), ""),
    "fragments without a beginning": (web_frame(b"x", opcode=CONTINUATION), ""),
    "fragments without an end": (
        web_frame(b"x", is_last=False) + web_frame(bytes(65_536), opcode=CONTINUATION, is_last=False) * 20,
        "frame_too_large",
    ),
    "a nested bomb": (web_frame(b"\x91" * 60_000), "frame_malformed"),
    "a map for an array": (web_frame(b"\x81\xa4ping\x01"), "frame_malformed"),
    "a false close": (web_frame(b"\x00", opcode=CLOSE), ""),
}


@pytest.mark.parametrize("message", MESSAGES)
async def test_a_message_against_the_rules_ends_that_connection(message: str) -> None:
    """With its code where a frame could be read, at once where it could not."""
    raw, code = MESSAGES[message]
    async with LoopbackNode("victim") as victim, hostile_peer(victim.address) as peer:
        await peer.send(raw)
        assert await peer.hear_bye() == code


async def test_no_extension_is_agreed_to() -> None:
    """Whoever asks for compression gets a WebSocket without it."""
    async with LoopbackNode("victim") as victim, raw_connection(victim.address) as peer:
        head = await peer.upgrade(extensions="Sec-WebSocket-Extensions: permessage-deflate\r\n")
        assert head.startswith("HTTP/1.1 101 ")
        assert "extensions" not in head.lower()


async def test_whoever_dribbles_is_cut_off(monkeypatch: pytest.MonkeyPatch) -> None:
    """No TLS, no request, half a request, no greeting: each has its time, and no more."""
    monkeypatch.setattr(listener, "HANDSHAKE_MS", 300)
    async with LoopbackNode("victim") as victim:
        host, _, port = victim.address.rpartition(":")
        reader, writer = await asyncio.open_connection(host, int(port))  # says nothing, not even TLS
        assert await reader.read(1) == b""
        writer.close()
        for said in (b"", UPGRADE[:40].encode(), b"GET / HTTP/1.1\r\nHost: victim\r\n\r\n"):
            async with raw_connection(victim.address) as peer:
                await peer.dribble(said)
                await peer.is_closed()


async def test_one_range_of_addresses_cannot_connect_again_and_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each connection is a good one and is gone before the next: what is refused, the rate alone refuses."""
    monkeypatch.setattr(listener, "CONNECTIONS_BURST", 4)
    monkeypatch.setattr(listener, "CONNECTIONS_SECOND", 1)
    async with LoopbackNode("victim") as victim:
        served = [await is_served(victim.address) for _ in range(12)]
        assert served[:4] == [True] * 4
        assert False in served[4:]


async def is_served(address: str) -> bool:
    """Whether a connection comes as far as the WebSocket."""
    try:
        async with raw_connection(address) as peer:
            return "101" in await peer.upgrade()
    except (OSError, asyncio.IncompleteReadError):
        return False


# What a stranger with an open session can do to others: nothing.


@asynccontextmanager
async def one_of_few(doors: asyncio.Semaphore, address: str, vault: Vault) -> AsyncIterator[HostilePeer]:
    """An open session, made while few others are: of one address range no more may greet at a time."""
    async with AsyncExitStack() as stack:
        async with doors:
            peer = await stack.enter_async_context(hostile_peer(address))
            await peer.greet(vault)
        yield peer


async def repeat(peer: HostilePeer, frames: list[Frame], times: int) -> None:
    """Say the same again and again, until it is all said or the connection is ended."""
    raw = b"".join(web_frame(encode_frame(frame)) for frame in frames)
    try:
        async with asyncio.timeout(20):
            for _ in range(times):
                await peer.send(raw)
    except (OSError, TimeoutError):
        return


LANE = make_vault("victim").community
FLOODS: dict[str, tuple[list[Frame], int]] = {
    "pings": ([Ping(number) for number in range(500)], 100),
    "answers nobody asked for": ([Tiles(77, (bytes(8_192),) * 32)] * 4, 20),
    "requests of all kinds": (
        [
            HeadsSince(1, bytes(16), 0),
            EntriesGet(2, Origin(LANE, "market/food", 0), 0, 0, 1),
            BlobGet(3, bytes(32), 0, 9),
        ]
        * 100,
        60,
    ),
    "parting words": ([Bye("session_stopping")] * 500, 20),
    "refusals": ([Refused(9, "lane_not_served", "")] * 500, 60),
    "sealed parts for nobody": (
        [SealedPut(1, (SealedObject(bytes(32), bytes(SEALED_BYTES_MAX - 200), ()),))] * 8,
        3,
    ),
    "news of lanes that nobody has": (
        [News(forged_head(Origin(LANE, f"market/{letter * 9}", 0)), 0, bytes(60_000)) for letter in "abcd"],
        60,
    ),
    "statements that say nothing": ([StatementNews(bytes([i]) * 30_000) for i in range(80)], 8),
    "prunes and grafts of everybody": (
        [frame for i in range(400) for frame in (Prune(bytes([i % 256]) * 32, False), Graft(bytes(32)))],
        30,
    ),
    "lanes that do not exist": (
        [
            Heads(
                0,
                bytes(16),
                0,
                False,
                tuple(
                    forged_head(Origin(LANE, f"market/{'abcdefghijklmnop'[i]}{'abcdefghijklmnop'[j]}", 0))
                    for j in range(16)
                ),
            )
            for i in range(16)
        ],
        20,
    ),
}


@pytest.mark.parametrize("flood", FLOODS)
@pytest.mark.parametrize("ear", ["read", "unread"])
async def test_a_flood_harms_nobody_else(flood: str, ear: str) -> None:
    """The honest peer replicates meanwhile, the loop goes round, and memory stays within what is printed."""
    frames, times = FLOODS[flood]
    async with siege() as there:

        async def attack() -> None:
            async with hostile_peer(there.victim.address) as peer:
                await peer.greet(MALLORY)
                reading = asyncio.ensure_future(peer.hear_all()) if ear == "read" else None
                await repeat(peer, frames, times)
                if reading is not None:
                    reading.cancel()

        await there.under(attack)


async def test_a_list_of_heads_without_end_is_read_at_our_pace() -> None:
    """One page after the other, each empty or full of lanes that nobody has: as many a second as we verify."""
    async with siege() as there:
        pages = 0

        async def attack() -> None:
            nonlocal pages
            async with hostile_peer(there.victim.address) as peer:
                await peer.greet(MALLORY)
                async with asyncio.timeout(2):
                    while not isinstance(frame := await peer.hear(), Bye):
                        if isinstance(frame, HeadsSince):
                            pages += 1
                            head = forged_head(Origin(os.urandom(32), "charter", 0))
                            heads = (head,) * (pages % 2 * 256)
                            await peer.say(Heads(frame.number, b"i" * 16, frame.after + 1, True, heads))

        async def timed() -> None:
            try:
                await attack()
            except TimeoutError:
                return

        await there.under(timed)
        assert 1 < pages < 400


async def test_half_open_sessions_take_no_place_from_others() -> None:
    """As many as may dawdle do; who is turned away is told so, and the honest session does not notice."""
    async with siege() as there:

        async def attack() -> None:
            async with asyncio.TaskGroup() as tasks:
                for _ in range(HANDSHAKES_MAX + 8):
                    tasks.create_task(dawdle())

        async def dawdle() -> None:
            try:
                async with hostile_peer(there.victim.address) as peer:
                    await peer.send(web_frame(b"ping", opcode=PING) * 100)
            except (OSError, asyncio.IncompleteReadError):
                return  # turned away

        await there.under(attack)


async def test_a_head_far_ahead_of_everything_is_asked_for_and_given_up() -> None:
    """A community that the victim follows signs 2^48 entries it does not have, and answers with nonsense."""
    async with siege() as there:
        there.victim.store.genesis_keys[MALLORY.community] = MALLORY.log_keys[0].public
        there.victim.store.set_trust(MALLORY.community, "followed")
        origin = Origin(MALLORY.community, "market/food", 0)
        note = make_checkpoint_note(Checkpoint(origin.text, 2**48, bytes(32)), MALLORY.log_keys[0])

        async def attack() -> None:
            async with hostile_peer(there.victim.address) as peer:
                await peer.greet(MALLORY)
                await peer.say(Heads(0, bytes(16), 0, False, (state_head(note),)))
                for _ in range(3):
                    frame = await peer.hear()
                    number = getattr(frame, "number", 0)
                    await peer.say(Tiles(number, (bytes(8_192),)) if number else Ping(1))

        await there.under(attack)
        assert there.victim.holds(origin) == []


async def test_messages_that_never_become_whole_cost_what_is_printed() -> None:
    """Eight strangers begin a large frame each; two are read, the rest waits in their own buffers, and all go."""
    vaults = [make_vault(f"dawdler {number}") for number in range(8)]
    whole = web_frame(
        encode_frame(SealedPut(1, (SealedObject(bytes(32), bytes(SEALED_BYTES_MAX - 200), ()),)))
    )
    async with siege() as there:

        async def dawdle(number: int, doors: asyncio.Semaphore, begun: asyncio.Barrier) -> None:
            async with one_of_few(doors, there.victim.address, vaults[number]) as peer:
                sending = asyncio.ensure_future(peer.send(whole[:-1]))
                await asyncio.wait([sending], timeout=1)
                await begun.wait()
                sending.cancel()

        async def attack() -> None:
            begun, doors = asyncio.Barrier(len(vaults)), asyncio.Semaphore(3)
            async with asyncio.TaskGroup() as tasks:
                for number in range(len(vaults)):
                    tasks.create_task(dawdle(number, doors, begun))

        await there.under(attack)


async def test_many_who_never_read_cost_what_is_printed() -> None:
    """Each asks for more than it takes; the bound of the process is never reached, and all of them go."""
    vaults = [make_vault(f"sloth {number}") for number in range(12)]
    async with siege() as there:
        there.victim.store.blobs = {bytes(32): bytes(1_048_576)}

        async def sloth(number: int, doors: asyncio.Semaphore) -> None:
            async with one_of_few(doors, there.victim.address, vaults[number]) as peer:
                await repeat(peer, [BlobGet(number, bytes(32), 0, 1_048_576) for number in range(1, 64)], 1)
                await peer.say(Ping(1))

        async def attack() -> None:
            doors = asyncio.Semaphore(3)
            async with asyncio.TaskGroup() as tasks:
                for number in range(len(vaults)):
                    tasks.create_task(sloth(number, doors))

        await there.under(attack)
