"""Peers that have proven themselves, are followed perhaps, and lie then: blamed by code, and nobody else is harmed."""

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from node.vault import Vault
from protocol.exchange import session
from protocol.exchange.frames import (
    Answer,
    Bye,
    Entries,
    Frame,
    Heads,
    Ping,
    Proof,
    Request,
    Tiles,
    encode_frame,
)
from protocol.exchange.heads import state_head
from protocol.log.origin import Origin
from tests.exchange.memory_store import MemoryStore
from tests.exchange.villages import entries
from tests.federation.hostile_peer import PATIENCE_SECONDS, hostile_peer, web_frame
from tests.federation.loopback import LoopbackNode, make_vault
from tests.federation.sieges import siege

MALLORY = make_vault("mallory")
LANE = Origin(MALLORY.community, "market/food", 0)


def other_tiles(answer: Answer) -> Answer:
    if not isinstance(answer, Tiles):
        return answer
    return Tiles(answer.number, tuple(bytes([tile[0] ^ 1]) + tile[1:] for tile in answer.tiles))


def other_entries(answer: Answer) -> Answer:
    if not isinstance(answer, Entries):
        return answer
    return Entries(answer.number, answer.count, answer.packed[:-1] + bytes([answer.packed[-1] ^ 1]))


LIES: dict[str, tuple[Callable[[Answer], Answer], str]] = {
    "tiles that are not under the head": (other_tiles, "fetch_root_mismatch"),
    "entries that are not under the tiles": (other_entries, "fetch_bundle_mismatch"),
}


@pytest.mark.parametrize("lie", LIES)
async def test_what_is_not_under_the_signed_head_is_never_shown(lie: str) -> None:
    """A followed community serves a true head and false bytes beneath it: blamed, and not an entry is adopted."""
    tamper, code = LIES[lie]
    key = MALLORY.log_keys[0]
    served = MemoryStore(MALLORY.community, key, {MALLORY.community: key.public})
    advanced = served.append(LANE, entries(700))
    async with siege() as there:
        victim = there.victim
        victim.store.genesis_keys[MALLORY.community] = key.public
        victim.store.set_trust(MALLORY.community, "followed")

        async def attack() -> None:
            async with hostile_peer(victim.address) as peer:
                await peer.greet(MALLORY)
                await peer.say(Heads(0, bytes(16), 0, False, (state_head(advanced.head.note),)))
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while not victim.federation.blames.get(code):
                        frame = await peer.hear()
                        assert not isinstance(frame, Bye), "a lie about a lane ends no session"
                        if isinstance(frame, Request):
                            await peer.say(tamper(served.answer(victim.community, frame)), Ping(1))

        await there.under(attack)
        assert victim.federation.blames[code]
        assert victim.holds(LANE) == []


async def test_a_frame_that_never_ends_is_silence(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bytes that make no frame keep no session alive, however long they dribble."""
    async with siege() as there:
        monkeypatch.setattr(session, "SILENCE_MS", 300)
        monkeypatch.setattr(session, "PING_MS", 300)
        codes: list[str] = []

        async def attack() -> None:
            async with hostile_peer(there.victim.address) as peer:
                await peer.greet(MALLORY)
                raw = web_frame(encode_frame(Entries(1, 1, bytes(200_000))))
                await peer.dribble(raw[:2_000])
                codes.append(await peer.hear_bye())

        await there.under(attack)
        assert codes == ["session_silent"]


async def test_identities_without_end_harm_nobody() -> None:
    """A fresh community on each connection, each let in: the honest session and the bounds stand."""
    vaults = [make_vault(f"sybil {number}") for number in range(60)]
    async with siege() as there:

        async def attack() -> None:
            for vault in vaults:
                async with hostile_peer(there.victim.address) as peer:
                    assert isinstance(await peer.greet(vault), Proof)

        await there.under(attack)


async def test_strangers_at_once_never_take_every_place() -> None:
    """Half of the places are theirs; the next one is told so, and whom the victim follows finds room."""
    *strangers, late, followed = [make_vault(f"sybil {number}") for number in range(6)]
    async with LoopbackNode("victim", sessions_max="8") as victim, AsyncExitStack() as stack:

        async def first_words(vault: Vault) -> Frame:
            peer = await stack.enter_async_context(hostile_peer(victim.address))
            await peer.greet(vault)
            return await peer.hear()

        for vault in strangers:
            assert not isinstance(await first_words(vault), Bye)
        assert await first_words(late) == Bye("session_full")
        victim.store.trusts[followed.community] = "followed"
        assert not isinstance(await first_words(followed), Bye)
