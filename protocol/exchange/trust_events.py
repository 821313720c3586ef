"""What happens to the trust between two communities, and what is to be made of it (PROTOCOL.md section 26)."""

from dataclasses import dataclass

from protocol.exchange.invite import Invite


@dataclass(frozen=True, slots=True)
class InvitesLoaded:
    """The public keys of the own invites, used and revoked ones too, and those of others that were accepted."""

    keys: tuple[bytes, ...]
    accepted: tuple[Invite, ...]


@dataclass(frozen=True, slots=True)
class InviteMade:
    """The own community has made an invite; this is its public key."""

    key: bytes


@dataclass(frozen=True, slots=True)
class InviteAccepted:
    """A steward has accepted another community's invite: it is redeemed as soon as a session stands."""

    invite: Invite


@dataclass(frozen=True, slots=True)
class InviteTaken:
    """What came of a `TakeInvite`: no code, and trust is mutual; else the refusal's."""

    peer: bytes
    number: int
    code: str


@dataclass(frozen=True, slots=True)
class RedemptionEnded:
    """What came of an `EndRedemption` is on disk: the outcome `done`, or a code."""

    inviter: bytes
    outcome: str


@dataclass(frozen=True, slots=True)
class PeerTrusted:
    """What came of a `TrustPeer` is on disk."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class TakeInvite:
    """A peer has proven that it holds an invite of ours: follow it and vouch for it, once, where it still holds."""

    peer: bytes
    number: int
    key: bytes


@dataclass(frozen=True, slots=True)
class EndRedemption:
    """An accepted invite is settled. `done`: follow the inviter and vouch for it; else keep the code."""

    inviter: bytes
    outcome: str


@dataclass(frozen=True, slots=True)
class TrustPeer:
    """Follow a peer and vouch for it: both stewards have compared the words."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class FollowKnown:
    """Follow a community that was found, as a rule says; nobody is vouched for by a rule."""

    peer: bytes
    genesis: bytes


@dataclass(frozen=True, slots=True)
class SettlingFailed:
    """The store could not do it just now."""

    effect: "Settle"


Settle = TakeInvite | EndRedemption | TrustPeer | FollowKnown
Settled = InviteTaken | RedemptionEnded | PeerTrusted
DONE = "done"


@dataclass(frozen=True, slots=True)
class PairingStarted:
    """A steward wants to compare words with a peer; `nonce` are 32 fresh random bytes."""

    peer: bytes
    nonce: bytes


@dataclass(frozen=True, slots=True)
class PairingConfirmed:
    """A steward says that both see the same words."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class PairingCancelled:
    """A steward breaks off, or has read how it ended."""

    peer: bytes
