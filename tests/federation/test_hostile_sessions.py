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
    Cosigned,
    CosignGet,
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
from protocol.exchange.holding import KeepCosignatures
from protocol.exchange.witnessing import WitnessesKnown
from protocol.identity.keys import SigningKey
from protocol.limits import TILE_WIDTH
from protocol.log.checkpoint import Checkpoint
from protocol.log.cosignature import make_cosignature
from protocol.log.note import COSIGNATURE_V1, key_id
from protocol.log.origin import Origin, witness_name
from tests.exchange.memory_store import MemoryStore
from tests.exchange.villages import entries
from tests.federation.hostile_peer import PATIENCE_SECONDS, hostile_peer, web_frame
from tests.federation.loopback import LoopbackNode, make_vault
from tests.federation.sieges import siege

MALLORY = make_vault("mallory")
FORGER = SigningKey(b"forger's key".ljust(32))
LANE = Origin(MALLORY.community, "market/food", 0)


def other_tiles(answer: Answer) -> Answer:
    if not isinstance(answer, Tiles):
        return answer
    return Tiles(answer.number, tuple(bytes([tile[0] ^ 1]) + tile[1:] for tile in answer.tiles))


def other_entries(answer: Answer) -> Answer:
    if not isinstance(answer, Entries):
        return answer
    return Entries(answer.number, answer.count, answer.packed[:-1] + bytes([answer.packed[-1] ^ 1]))


def one_entry_more(answer: Answer) -> Answer:
    if not isinstance(answer, Entries) or answer.count == TILE_WIDTH:  # one more than that is no frame at all
        return answer
    return Entries(answer.number, answer.count + 1, answer.packed + b"\x00\x01x")


LIES: dict[str, tuple[Callable[[Answer], Answer], str]] = {
    "tiles that are not under the head": (other_tiles, "fetch_root_mismatch"),
    "entries that are not under the tiles": (other_entries, "fetch_bundle_mismatch"),
    "one more entry than was asked for": (one_entry_more, "answer_mismatch"),
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


@pytest.mark.parametrize("key", [FORGER, MALLORY.witness], ids=["another key", "another head"])
async def test_a_forged_cosignature_is_blamed_and_shown_to_nobody(key: SigningKey) -> None:
    """A witness answers with a line of another key, or with its own for another head: not kept, not passed on."""
    async with siege() as there:
        victim = there.victim
        victim.store.witnesses = WitnessesKnown(1, {MALLORY.community: MALLORY.witness.public})
        told: list[Frame] = []

        async def attack() -> None:
            async with hostile_peer(victim.address) as peer:
                await peer.greet(MALLORY)
                async with asyncio.timeout(PATIENCE_SECONDS):
                    while not victim.federation.blames.get("note_signature_invalid"):
                        frame = await peer.hear()
                        assert not isinstance(frame, Bye), "a forged line ends no session"
                        if isinstance(frame, CosignGet):
                            await peer.say(Cosigned(frame.number, forged_line(key)), Ping(1))
                told.extend(peer.heard)

        await there.under(attack)
        heads = [head for frame in told if isinstance(frame, Heads) for head in frame.heads]
        assert not any(head.cosignatures for head in heads if head.community == victim.community)
        assert not any(isinstance(step, KeepCosignatures) for step in victim.store.memory.steps)


def forged_line(key: SigningKey) -> bytes:
    """What stands in the witness's name, and is not its signature of the head that it was asked for."""
    name = witness_name(MALLORY.community)
    text = Checkpoint("wildgrass/elsewhere", 1, bytes(32)).text
    line = make_cosignature(text, name=name, key=key, time_seconds=1_760_000_000)
    return key_id(name, COSIGNATURE_V1, MALLORY.witness.public) + line.signature


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
