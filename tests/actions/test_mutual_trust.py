"""Two communities come to trust each other: by an invite, whoever dials, and by four words."""

import asyncio
from pathlib import Path

import pytest

from node.actions.invites import (
    InviteDraft,
    InviteName,
    InvitesQuery,
    InviteText,
    accept_invite,
    list_invites,
    make_invite,
    revoke_own_invite,
)
from node.actions.pairing import cancel_pairing, confirm_pairing, show_pairing, start_pairing
from node.actions.peers import PeerName, PeersQuery, block_peer, list_peers
from node.core import Node
from node.errors import NodeError
from protocol.errors import ProtocolError
from protocol.exchange.addresses import parse_address
from protocol.exchange.discovery_events import AddressNamed
from protocol.exchange.invite import read_invite
from protocol.identity.keys import from_base32
from tests.pages.neighbour_nodes import Community, opened_community


async def trust_between(one: Community, other: Community) -> tuple[str, bool, bool]:
    """How `one` stands with `other`: trust, whether it vouches, whether it is vouched for as far as it knows."""
    for peer in (await list_peers(one.node, PeersQuery())).peers:
        if peer.community == other.id:
            return peer.trust, peer.is_vouched, peer.vouches_for_us
    return "unknown", False, False


async def both_trust(one: Community, other: Community) -> bool:
    mutual = ("followed", True, True)
    return await trust_between(one, other) == mutual == await trust_between(other, one)


async def outcome_of(guest: Community) -> str:
    return (await list_invites(guest.node, InvitesQuery())).accepted[0].outcome


async def test_an_invite_makes_trust_mutual_in_one_step(tmp_path: Path) -> None:
    """The guest's steward pastes the link, and that is all; the charters of both say it, and the invite is used up."""
    async with (
        opened_community(tmp_path / "a", "Orchard") as orchard,
        opened_community(tmp_path / "b", "Ferry") as ferry,
        opened_community(tmp_path / "c", "Thief") as thief,
    ):
        made = await make_invite(orchard.node, InviteDraft(label="the ferry"))
        assert made.addresses == [orchard.address]
        accepted = await accept_invite(ferry.node, InviteText(text=f"Come in!\n{made.link}\n"))
        assert (accepted.community, accepted.outcome) == (orchard.id, "waiting")
        await ferry.until(lambda: both_trust(orchard, ferry))
        assert await outcome_of(ferry) == "done"
        (ours,) = (await list_invites(orchard.node, InvitesQuery())).invites
        assert (ours.state, ours.used_by, ours.label) == ("used", ferry.id, "the ferry")
        secret = read_invite(made.link).secret
        for folder in ("a", "b"):
            kept = b"".join(path.read_bytes() for path in (tmp_path / folder).rglob("*.db*"))
            assert len(kept) > 10_000
            assert secret not in kept or folder == "b", "the inviter keeps a key of it, never the secret"
        await accept_invite(thief.node, InviteText(text=made.link))

        async def is_refused() -> bool:
            return await outcome_of(thief) == "invite_used"

        await thief.until(is_refused)
        assert await trust_between(orchard, thief) == ("found", False, False)


async def test_an_invite_works_when_the_inviter_dials(tmp_path: Path) -> None:
    """An inviter that only dials out: its link has no address, and it adds the guest by the guest's."""
    async with (
        opened_community(tmp_path / "a", "Orchard", reached_at="none") as orchard,
        opened_community(tmp_path / "b", "Ferry") as ferry,
    ):
        made = await make_invite(orchard.node, InviteDraft())
        assert made.addresses == []
        await accept_invite(ferry.node, InviteText(text=made.link.upper()))
        address = AddressNamed(parse_address(ferry.address), "added", from_base32(ferry.id, 32))
        orchard.node.federation_service.hear(address)
        await ferry.until(lambda: both_trust(orchard, ferry))


async def test_an_invite_that_does_not_hold_has_its_code(tmp_path: Path) -> None:
    """One's own, a mistyped one, a revoked one, one of a community that is blocked."""
    async with (
        opened_community(tmp_path / "a", "Orchard") as orchard,
        opened_community(tmp_path / "b", "Ferry") as ferry,
    ):
        made = await make_invite(orchard.node, InviteDraft())
        for community, text, code in (
            (orchard, made.link, "invite_own"),
            (ferry, made.link[:-1], "invite_malformed"),
        ):
            with pytest.raises((NodeError, ProtocolError)) as refusal:
                await accept_invite(community.node, InviteText(text=text))
            assert refusal.value.code == code
        revoked = await revoke_own_invite(orchard.node, InviteName(invite=made.invite))
        assert revoked.state == "revoked"
        await accept_invite(ferry.node, InviteText(text=made.link))

        async def is_refused() -> bool:
            return await outcome_of(ferry) == "invite_revoked"

        await ferry.until(is_refused)
        assert await trust_between(ferry, orchard) == ("found", False, False)
        await block_peer(ferry.node, PeerName(community=orchard.id))
        again = await make_invite(orchard.node, InviteDraft())
        with pytest.raises(NodeError) as refusal:
            await accept_invite(ferry.node, InviteText(text=again.link))
        assert refusal.value.code == "peer_blocked"
        with pytest.raises(NodeError) as refusal:
            await revoke_own_invite(orchard.node, InviteName(invite=ferry.id))
        assert refusal.value.code == "invite_unknown"


async def test_four_words_make_trust_mutual(tmp_path: Path) -> None:
    """Each steward clicks once, both see the same words in both languages, each confirms."""
    async with (
        opened_community(tmp_path / "a", "Orchard") as orchard,
        opened_community(tmp_path / "b", "Ferry") as ferry,
    ):
        to_ferry, to_orchard = PeerName(community=ferry.id), PeerName(community=orchard.id)
        with pytest.raises(NodeError) as refusal:
            await start_pairing(orchard.node, to_ferry)
        assert refusal.value.code == "peer_not_connected"
        near = AddressNamed(parse_address(orchard.address), "nearby", from_base32(orchard.id, 32))
        ferry.node.federation_service.hear(near)

        async def are_connected() -> bool:
            return bool(
                ferry.node.federation_service.connected() and orchard.node.federation_service.connected()
            )

        await ferry.until(are_connected)
        assert (await start_pairing(orchard.node, to_ferry)).step == "started"
        await step(ferry, to_orchard, "offered")
        with pytest.raises(NodeError) as refusal:
            await confirm_pairing(ferry.node, to_orchard)
        assert refusal.value.code == "pairing_not_ready"
        await start_pairing(ferry.node, to_orchard)
        await step(ferry, to_orchard, "comparing")
        await step(orchard, to_ferry, "comparing")
        ours, theirs = (
            (await show_pairing(orchard.node, to_ferry)),
            await show_pairing(ferry.node, to_orchard),
        )
        assert ours.words == theirs.words
        assert {language: len(words) for language, words in ours.words.items()} == {"en": 4, "zh-Hans": 4}
        await confirm_pairing(orchard.node, to_ferry)
        await step(ferry, to_orchard, "agreed")
        assert (await trust_between(orchard, ferry))[1] is False
        await confirm_pairing(ferry.node, to_orchard)
        await ferry.until(lambda: both_trust(orchard, ferry))
        assert (await cancel_pairing(ferry.node, to_orchard)).step == "none"


async def step(community: Community, peer: PeerName, wanted: str) -> None:
    async def stands() -> bool:
        return (await show_pairing(community.node, peer)).step == wanted

    await community.until(stands)


async def test_a_pairing_that_is_broken_off_leaves_no_trust(tmp_path: Path) -> None:
    """The words differ, says one steward: both are told, and nobody is followed."""
    async with (
        opened_community(tmp_path / "a", "Orchard") as orchard,
        opened_community(tmp_path / "b", "Ferry") as ferry,
    ):
        to_ferry, to_orchard = PeerName(community=ferry.id), PeerName(community=orchard.id)
        near = AddressNamed(parse_address(orchard.address), "nearby", from_base32(orchard.id, 32))
        ferry.node.federation_service.hear(near)

        async def are_connected() -> bool:
            return bool(
                ferry.node.federation_service.connected() and orchard.node.federation_service.connected()
            )

        await ferry.until(are_connected)
        await start_pairing(ferry.node, to_orchard)
        await step(orchard, to_ferry, "offered")
        await start_pairing(orchard.node, to_ferry)
        await step(ferry, to_orchard, "comparing")
        await cancel_pairing(orchard.node, to_ferry)
        await step(ferry, to_orchard, "ended")
        assert (await show_pairing(ferry.node, to_orchard)).code == "pairing_cancelled"
        assert await trust_between(ferry, orchard) == ("found", False, False)
        await asyncio.sleep(0)


async def test_who_is_connected_is_listed_however_the_store_is_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A question that is answered on another thread asks nothing of the federation there."""
    monkeypatch.setattr(Node, "look", Node.read)
    async with (
        opened_community(tmp_path / "a", "Orchard") as orchard,
        opened_community(tmp_path / "b", "Ferry") as ferry,
    ):
        made = await make_invite(orchard.node, InviteDraft(label="the ferry"))
        await accept_invite(ferry.node, InviteText(text=made.link))
        await ferry.until(lambda: both_trust(orchard, ferry))
        (known,) = (await list_peers(ferry.node, PeersQuery())).peers
        assert (known.community, known.is_connected) == (orchard.id, True)
