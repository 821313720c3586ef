"""A thief and a guesser against a whole node, as raw frames: told off by code, and nothing of theirs is kept."""

from pathlib import Path

from node.vault.kit import Kit
from protocol.exchange.frames import InviteRedeem, Refused, StatementNews
from protocol.identity.keys import SigningKey
from protocol.limits import INVITE_GUESSES_MAX
from tests.federation.hostile_peer import hostile_peer
from tests.federation.loopback import make_vault
from tests.federation.test_statements_between_nodes import kept, successor_note
from tests.pages.neighbour_nodes import Community, opened_community

MALLORY = make_vault("mallory")


async def test_a_thiefs_successor_note_is_blamed_and_not_kept(tmp_path: Path) -> None:
    """Signed by a key that the community never promised: the node named in it stays what it is."""
    kits: list[Kit] = []
    async with opened_community(tmp_path / "a", "Orchard", keep_kit=kits.append) as orchard:
        async with hostile_peer(orchard.address) as peer:
            await peer.greet(MALLORY)
            stolen = successor_note(kits[0], key=SigningKey(b"\x07" * 32))
            await peer.say(StatementNews(stolen))
            await orchard.until(lambda: was_blamed(orchard, "successor_not_authorised"))
        assert await kept(orchard, orchard.node.community) == []
        assert orchard.node.epoch == 0


async def was_blamed(community: Community, code: str) -> bool:
    return bool(community.node.federation_service.blames.get(code))


async def test_whoever_guesses_invites_is_sent_away(tmp_path: Path) -> None:
    """Each guess is refused in the same words, and after a few of them the session is over."""
    async with opened_community(tmp_path / "a", "Orchard") as orchard, hostile_peer(orchard.address) as peer:
        await peer.greet(MALLORY)
        guesses = [SigningKey(bytes([n]) * 32) for n in range(1, INVITE_GUESSES_MAX + 1)]
        await peer.say(
            *(InviteRedeem(n, key.public, key.sign(b"guess")) for n, key in enumerate(guesses, start=1))
        )
        assert await peer.hear_bye() == "invite_guesses_too_many"
        refused = [frame.code for frame in peer.heard if isinstance(frame, Refused) and frame.number]
        assert refused == ["invite_foreign"] * INVITE_GUESSES_MAX
