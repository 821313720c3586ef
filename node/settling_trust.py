"""Trust becomes mutual: follow and vouch in one transaction (PROTOCOL.md sections 26.4 and 26.5).

Here an invite is used up, an accepted one is settled, a pairing is sealed. What is asked for twice is done once.
"""

from dataclasses import replace

from node.errors import NodeError
from node.writer.transaction import Transaction
from protocol.exchange.addresses import Address
from protocol.exchange.invite import Invite
from protocol.exchange.trust_events import (
    DONE,
    EndRedemption,
    FollowKnown,
    InvitesLoaded,
    InviteTaken,
    PeerTrusted,
    RedemptionEnded,
    Settle,
    Settled,
    TakeInvite,
)
from protocol.lanes.charter.peers import PeerVouched
from protocol.lanes.kind import CHARTER
from storage.invites import (
    WAITING,
    all_invites,
    all_redemptions,
    end_redemption,
    invite_of,
    use_invite,
)
from storage.peers import Peer, peer_of, save_peer
from storage.views.reading import StateReader

NO_ADDRESSES: tuple[Address, ...] = ()  # where an inviter is, the search for others knows by now


def settle(transaction: Transaction, effect: Settle) -> Settled:
    """Do what a machine wants done about trust, and return what came of it.

    Raises `NodeError` and `ProtocolError` where the charter cannot be written now; then nothing was done.
    """
    if isinstance(effect, TakeInvite):
        code = _code_of(transaction, effect)
        if not code:
            trust(transaction, effect.peer)
            use_invite(transaction.connection, effect.key, by=effect.peer, now_ms=transaction.clock.now())
        return InviteTaken(effect.peer, effect.number, code)
    if isinstance(effect, EndRedemption):
        if effect.outcome == DONE:
            trust(transaction, effect.inviter)
        end_redemption(transaction.connection, effect.inviter, effect.outcome)
        return RedemptionEnded(effect.inviter, effect.outcome)
    if isinstance(effect, FollowKnown):
        _follow(transaction, effect)
    else:
        trust(transaction, effect.peer)
    return PeerTrusted(effect.peer)


def trust(transaction: Transaction, community: bytes) -> None:
    """Follow a community and vouch for it, as far as that is not so yet."""
    peer = peer_of(transaction.connection, community)
    if peer is not None and peer.trust == "blocked":
        raise NodeError("peer_blocked")
    vouched = transaction.get("peer", (transaction.community, community))
    if vouched is None or not vouched.is_vouched:
        transaction.say(CHARTER, PeerVouched(community=community))
    known = peer or Peer(community=community, label="", addresses=(), trust="found")
    save_peer(transaction.connection, replace(known, trust="followed"))


def invites_at_start(read: StateReader) -> InvitesLoaded:
    """Return what the machine has to know of invites when the node starts."""
    accepted = [
        Invite(each.inviter, each.secret, each.expires_ms, NO_ADDRESSES)
        for each in all_redemptions(read.connection)
        if each.outcome == WAITING
    ]
    keys = tuple(each.invite_key for each in all_invites(read.connection))
    return InvitesLoaded(keys, tuple(accepted))


def _follow(transaction: Transaction, effect: FollowKnown) -> None:
    peer = peer_of(transaction.connection, effect.peer)
    if peer is not None and peer.trust == "blocked":
        raise NodeError("peer_blocked")
    known = peer or Peer(community=effect.peer, label="", addresses=(), trust="found")
    save_peer(
        transaction.connection, replace(known, trust="followed", genesis=known.genesis or effect.genesis)
    )


def _code_of(transaction: Transaction, effect: TakeInvite) -> str:
    """Why the invite does not hold for this peer, or nothing; whoever used it may ask again and hears the same."""
    invite = invite_of(transaction.connection, effect.key)
    if invite is None:
        return "invite_foreign"
    if invite.used_by is not None:
        return "" if invite.used_by == effect.peer else "invite_used"
    if invite.revoked_ms is not None:
        return "invite_revoked"
    return "invite_expired" if transaction.clock.now() >= invite.expires_ms else ""
