"""Redeeming invites, on both sides of a session (PROTOCOL.md section 26.4).

invites = Invites(own_community)
effects = invites.handle(InviteAccepted(read_invite(link)), now_ms)
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

from protocol.exchange.discovery_events import TrustChanged
from protocol.exchange.frames import InviteRedeem, InviteRedeemed, Refused
from protocol.exchange.invite import Invite, redeeming_message
from protocol.exchange.machine import AskPeer, PeerAnswered, Tell
from protocol.exchange.replication_events import (
    Drop,
    FrameReceived,
    PeerClosed,
    PeerOpened,
    Send,
    WakeAt,
    WishesChanged,
    Woken,
)
from protocol.exchange.trust_events import (
    DONE,
    EndRedemption,
    InviteAccepted,
    InviteMade,
    InvitesLoaded,
    InviteTaken,
    PeerTrusted,
    RedemptionEnded,
    SettlingFailed,
    TakeInvite,
)
from protocol.identity.keys import is_signature_valid
from protocol.limits import INVITE_GUESSES_MAX, INVITE_RETRIED_MS, INVITES_ACCEPTED_MAX

FINAL = frozenset({"invite_foreign", "invite_used", "invite_expired", "invite_revoked"})


@dataclass(slots=True)
class _OpenPeer:
    """A peer in session: how often it guessed, whether one of its invites is being looked up."""

    guesses: int = 0
    is_taking: bool = False


class Invites:
    """The machine of one node's invites: its own, and those that it has accepted.

    | an own invite | `invite_redeem` with its signature | without |
    |---|---|---|
    | known | the store decides, one at a time a peer | a guess |
    | not known | a guess: refused, the last one ends the session | |

    | an accepted invite | session stands | redeemed | refused for good | no answer, refused for now |
    |---|---|---|---|---|
    | waiting | asked | | | |
    | asked | | settled, trust is mutual | settled with the code | waiting |
    """

    HEARS: ClassVar[frozenset[type]] = frozenset(
        {
            InvitesLoaded,
            InviteMade,
            InviteAccepted,
            InviteTaken,
            RedemptionEnded,
            PeerTrusted,
            SettlingFailed,
            PeerOpened,
            PeerClosed,
        }
    )
    FRAMES: ClassVar[frozenset[type]] = frozenset({InviteRedeem})

    def __init__(self, own: bytes) -> None:
        """Take the own community; nothing is known before `InvitesLoaded`."""
        self._own = own
        self._keys: set[bytes] = set()
        self._accepted: dict[bytes, Invite] = {}
        self._peers: dict[bytes, _OpenPeer] = {}
        self._asked: set[bytes] = set()

    def handle(self, event: Any, now_ms: int) -> list[Any]:
        """Take one event and return what to do, in order."""
        effects = self._MOVES[type(event)](self, event)
        waiting = [name for name in self._accepted if name in self._peers and name not in self._asked]
        return [*effects, WakeAt(now_ms + INVITE_RETRIED_MS)] if waiting else effects

    def _loaded(self, event: InvitesLoaded) -> list[Any]:
        self._keys = set(event.keys)
        self._accepted = {invite.inviter: invite for invite in event.accepted}
        return []

    def _made(self, event: InviteMade) -> list[Any]:
        self._keys.add(event.key)
        return []

    # The inviter's side.

    def _redeem_asked(self, event: FrameReceived) -> list[Any]:
        peer, frame = self._peers.get(event.peer), event.frame
        if peer is None or not isinstance(frame, InviteRedeem):
            return []
        if frame.key not in self._keys or not is_signature_valid(
            frame.key, redeeming_message(self._own, event.peer), frame.signature
        ):
            peer.guesses += 1
            refused = Send(event.peer, Refused(frame.number, "invite_foreign", ""))
            is_enough = peer.guesses >= INVITE_GUESSES_MAX
            return [refused, Drop(event.peer, "invite_guesses_too_many")] if is_enough else [refused]
        if peer.is_taking:
            return [Send(event.peer, Refused(frame.number, "requests_too_many", ""))]
        peer.is_taking = True
        return [TakeInvite(event.peer, frame.number, frame.key)]

    def _taken(self, event: InviteTaken) -> list[Any]:
        peer = self._peers.get(event.peer)
        trusted = [] if event.code else _trusted(event.peer)
        if peer is None:
            return trusted  # it asks again in its next session, and is told so then
        peer.is_taking = False
        answer = Refused(event.number, event.code, "") if event.code else InviteRedeemed(event.number)
        return [Send(event.peer, answer), *trusted]

    # The redeemer's side.

    def _invite_accepted(self, event: InviteAccepted) -> list[Any]:
        inviter = event.invite.inviter
        if inviter in self._accepted or len(self._accepted) < INVITES_ACCEPTED_MAX:
            self._accepted[inviter] = event.invite
        return self._redeem(inviter)

    def _woken(self, _event: Woken) -> list[Any]:
        return [effect for inviter in self._accepted for effect in self._redeem(inviter)]

    def _opened(self, event: PeerOpened) -> list[Any]:
        self._peers[event.peer] = _OpenPeer()
        self._asked.discard(event.peer)
        return self._redeem(event.peer)

    def _closed(self, event: PeerClosed) -> list[Any]:
        self._peers.pop(event.peer, None)
        return []

    def _redeem(self, inviter: bytes) -> list[Any]:
        invite = self._accepted.get(inviter)
        if invite is None or inviter not in self._peers or inviter in self._asked:
            return []
        self._asked.add(inviter)
        key = invite.key
        signature = key.sign(redeeming_message(inviter, self._own))
        return [AskPeer(inviter, InviteRedeem(0, key.public, signature), key.public)]

    def _answered(self, event: PeerAnswered) -> list[Any]:
        self._asked.discard(event.peer)
        invite = self._accepted.get(event.peer)
        if invite is None or invite.key.public != event.about:
            return self._redeem(event.peer)  # another invite of that community was accepted meanwhile
        if isinstance(event.answer, InviteRedeemed):
            return [EndRedemption(event.peer, DONE)]
        if isinstance(event.answer, Refused) and event.answer.code in FINAL:
            return [EndRedemption(event.peer, event.answer.code)]
        return []  # asked again in a while, or when the next session stands

    def _ended(self, event: RedemptionEnded) -> list[Any]:
        self._accepted.pop(event.inviter, None)
        return _trusted(event.inviter) if event.outcome == DONE else []

    def _peer_trusted(self, event: PeerTrusted) -> list[Any]:
        return _trusted(event.peer)

    def _failed(self, event: SettlingFailed) -> list[Any]:
        """An inviter says so; an accepted invite is asked about again, and answered as before."""
        effect = event.effect
        if isinstance(effect, TakeInvite):
            return self._taken(InviteTaken(effect.peer, effect.number, "store_unavailable"))
        return []

    _MOVES: ClassVar[Mapping[type, Callable[..., list[Any]]]] = {
        InvitesLoaded: _loaded,
        InviteMade: _made,
        FrameReceived: _redeem_asked,
        InviteTaken: _taken,
        InviteAccepted: _invite_accepted,
        PeerOpened: _opened,
        PeerClosed: _closed,
        PeerAnswered: _answered,
        RedemptionEnded: _ended,
        PeerTrusted: _peer_trusted,
        SettlingFailed: _failed,
        Woken: _woken,
    }


def _trusted(peer: bytes) -> list[Any]:
    return [Tell(TrustChanged(peer, "followed")), Tell(WishesChanged())]
