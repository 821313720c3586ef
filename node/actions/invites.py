"""Invites: make one, list and revoke them, accept one of another community (PROTOCOL.md section 26.4).

The link of an invite is shown once: only a key made of its secret is kept. Whoever redeems it is followed and
vouched for, and follows and vouches for us, without another word from a steward.
"""

import secrets
from typing import Annotated, Literal

from msgspec import Meta

from node.actions.peers import name_of
from node.actions.shapes import Answer, HashText, Request, hash_of
from node.core import Node
from node.errors import NodeError
from node.writer.transaction import Transaction
from protocol.errors import SessionError
from protocol.exchange.discovery_events import AddressNamed
from protocol.exchange.invite import SECRET_BYTES, Invite, read_invite
from protocol.exchange.trust_events import InviteAccepted, InviteMade
from protocol.fields import Title
from protocol.identity.keys import to_base32
from protocol.limits import INVITES_ACCEPTED_MAX, INVITES_MAX
from storage.invites import (
    WAITING,
    OwnInvite,
    Redemption,
    add_invite,
    all_invites,
    all_redemptions,
    invite_of,
    keep_redemption,
    remove_invites,
    revoke_invite,
)
from storage.peers import Peer, peer_of, save_peer
from storage.views.reading import StateReader

DAYS = 7
DAYS_MAX = 30
LABEL_CHARACTERS_MAX = 60
LINK_CHARACTERS_MAX = 8_192
_DAY_MS = 24 * 3_600_000
_KEPT_MS = 90 * _DAY_MS  # whoever comes so late is told that the invite is not ours

InviteState = Literal["open", "used", "revoked", "expired"]


class InviteDraft(Request, frozen=True, kw_only=True):
    """For whom, as a note to ourselves, and for how many days."""

    label: Annotated[str, Meta(max_length=LABEL_CHARACTERS_MAX)] = ""
    days: Annotated[int, Meta(ge=1, le=DAYS_MAX)] = DAYS


class InviteName(Request, frozen=True, kw_only=True):
    """One of our invites."""

    invite: HashText


class InviteText(Request, frozen=True, kw_only=True):
    """An invite of another community, as it was pasted or as its file has it."""

    text: Annotated[str, Meta(min_length=1, max_length=LINK_CHARACTERS_MAX)]


class InvitesQuery(Request, frozen=True, kw_only=True):
    """Nothing to say: all invites."""


class MadeInvite(Answer, frozen=True, kw_only=True):
    """The invite with its link, which is shown this once. Without addresses the other side waits for our call."""

    invite: str
    link: str
    expires_ms: int
    addresses: list[str]


class InviteAnswer(Answer, frozen=True, kw_only=True):
    """One of our invites; `used_by` is the community that came by it."""

    invite: str
    label: str
    state: InviteState
    made_ms: int
    expires_ms: int
    used_ms: int | None = None
    used_by: str | None = None
    used_by_name: Title | None = None


class AcceptedInvite(Answer, frozen=True, kw_only=True):
    """An invite of another community; `outcome` is `waiting`, `done`, or the code of its refusal."""

    community: str
    outcome: str
    accepted_ms: int
    expires_ms: int
    name: Title | None = None


class InvitesAnswer(Answer, frozen=True, kw_only=True):
    """Our invites and those that we accepted, the newest first."""

    invites: list[InviteAnswer]
    accepted: list[AcceptedInvite]


async def make_invite(node: Node, request: InviteDraft) -> MadeInvite:
    """Make an invite that one other community may redeem, once."""
    now_ms = node.clock.now()
    addresses = node.federation_service.places
    invite = Invite(
        node.community,
        secrets.token_bytes(SECRET_BYTES),
        now_ms + request.days * _DAY_MS,
        addresses,
    )
    kept = OwnInvite(invite.key.public, request.label.strip(), now_ms, invite.expires_ms)

    def job(transaction: Transaction) -> None:
        remove_invites(transaction.connection, expired_before_ms=now_ms - _KEPT_MS)
        if len(all_invites(transaction.connection)) >= INVITES_MAX:
            raise NodeError("invites_full", f"{INVITES_MAX}")
        add_invite(transaction.connection, kept)

    await node.write(job)
    node.federation_service.hear(InviteMade(kept.invite_key))
    return MadeInvite(
        invite=to_base32(kept.invite_key),
        link=invite.link,
        expires_ms=invite.expires_ms,
        addresses=[address.text for address in addresses],
    )


async def list_invites(node: Node, request: InvitesQuery) -> InvitesAnswer:
    """List our invites and those that we accepted."""
    now_ms = node.clock.now()

    def question(read: StateReader) -> InvitesAnswer:
        return InvitesAnswer(
            invites=[_invite_answer(read, invite, now_ms) for invite in all_invites(read.connection)],
            accepted=[_accepted_answer(read, each) for each in all_redemptions(read.connection)],
        )

    return await node.look(question)


async def revoke_own_invite(node: Node, request: InviteName) -> InviteAnswer:
    """Let an invite hold no more; one that was used already has done its work."""
    key, now_ms = hash_of(request.invite), node.clock.now()

    def job(transaction: Transaction) -> None:
        invite = invite_of(transaction.connection, key)
        if invite is None:
            raise NodeError("invite_unknown", request.invite)
        if invite.used_ms is not None:
            raise SessionError("invite_used")
        if invite.revoked_ms is None:
            revoke_invite(transaction.connection, key, now_ms)

    await node.write(job)

    def question(read: StateReader) -> InviteAnswer:
        invite = invite_of(read.connection, key)
        assert invite is not None, "it was there a moment ago"
        return _invite_answer(read, invite, now_ms)

    return await node.look(question)


async def accept_invite(node: Node, request: InviteText) -> AcceptedInvite:
    """Accept another community's invite: it is redeemed as soon as a session with it stands, dialled by either."""
    invite = read_invite(request.text)
    now_ms = node.clock.now()
    if invite.inviter == node.community:
        raise NodeError("invite_own")
    if now_ms >= invite.expires_ms:
        raise SessionError("invite_expired")
    kept = Redemption(invite.inviter, invite.secret, invite.expires_ms, now_ms)

    def job(transaction: Transaction) -> None:
        connection = transaction.connection
        peer = peer_of(connection, invite.inviter)
        if peer is not None and peer.trust == "blocked":
            raise NodeError("peer_blocked", to_base32(invite.inviter))
        waiting = [each for each in all_redemptions(connection) if each.outcome == WAITING]
        if len(waiting) >= INVITES_ACCEPTED_MAX:
            raise NodeError("invites_full", f"{INVITES_ACCEPTED_MAX}")
        keep_redemption(connection, kept)
        if peer is None:
            texts = tuple(address.text for address in invite.addresses)
            save_peer(connection, Peer(invite.inviter, label="", addresses=texts, trust="found"))

    await node.write(job)
    for address in reversed(invite.addresses):  # the one named last is tried first
        node.federation_service.hear(AddressNamed(address, "invited", invite.inviter))
    node.federation_service.hear(InviteAccepted(invite))
    return await node.look(lambda read: _accepted_answer(read, kept))


def _invite_answer(read: StateReader, invite: OwnInvite, now_ms: int) -> InviteAnswer:
    state: InviteState = "open"
    if invite.used_ms is not None:
        state = "used"
    elif invite.revoked_ms is not None:
        state = "revoked"
    elif now_ms >= invite.expires_ms:
        state = "expired"
    return InviteAnswer(
        invite=to_base32(invite.invite_key),
        label=invite.label,
        state=state,
        made_ms=invite.made_ms,
        expires_ms=invite.expires_ms,
        used_ms=invite.used_ms,
        used_by=to_base32(invite.used_by) if invite.used_by else None,
        used_by_name=_name(read, invite.used_by) if invite.used_by else None,
    )


def _accepted_answer(read: StateReader, redemption: Redemption) -> AcceptedInvite:
    return AcceptedInvite(
        community=to_base32(redemption.inviter),
        outcome=redemption.outcome,
        accepted_ms=redemption.accepted_ms,
        expires_ms=redemption.expires_ms,
        name=_name(read, redemption.inviter),
    )


def _name(read: StateReader, community: bytes) -> Title | None:
    return name_of(read, community, peer_of(read.connection, community))
