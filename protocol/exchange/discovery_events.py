"""What happens to a node's search for others, and what it wants done (PROTOCOL.md section 26.2)."""

from dataclasses import dataclass
from typing import Literal

from protocol.exchange.addresses import Address

Trust = Literal["blocked", "followed", "found"]
Found = Literal["added", "bootstrap", "came", "invited", "nearby", "told"]


@dataclass(frozen=True, slots=True)
class Known:
    """A community that this node knows: how it was found, how it is reached, and how we stand with it.

    `genesis` is its genesis record once it is known, `record` the newest address record it has signed, `hints`
    are addresses that it did not sign. `met_ms` is when it last proved itself in a session. `rule` is the number of
    the rule by which it is followed, 0: none, and -1 where a steward has stopped following it, which no rule undoes.
    An absent one of the bytes is empty; times are milliseconds since 1970.
    """

    community: bytes
    found: Found
    found_ms: int
    trust: Trust = "found"
    told_by: bytes | None = None
    genesis: bytes = b""
    record: bytes = b""
    hints: tuple[Address, ...] = ()
    met_ms: int | None = None
    rule: int = 0


@dataclass(frozen=True, slots=True)
class SearchBegun:
    """The node has started: what it knows from before, and its own community's record of before."""

    known: tuple[Known, ...]
    own_record: bytes
    time_ms: int


@dataclass(frozen=True, slots=True)
class OwnPlaceChanged:
    """Where this node is reached from now on (nowhere: it only dials out), and what else its record says."""

    addresses: tuple[Address, ...]
    region: str
    sectors: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ClockRead:
    """The clock says this, in milliseconds since 1970."""

    time_ms: int


@dataclass(frozen=True, slots=True)
class AddressNamed:
    """An address that somebody named: settings, a steward, an invite, a neighbour's announcement.

    `community` is who is expected there, None where that is not known. `is_wanted`: to be followed.
    """

    address: Address
    found: Found
    community: bytes | None = None
    is_wanted: bool = False


@dataclass(frozen=True, slots=True)
class PeerMet:
    """A community has proven itself; `PeerOpened` follows where the session is kept.

    `dial` is the number of the `Dial` that reached it, None where it dialled us.
    """

    peer: bytes
    genesis: bytes
    trust: Trust
    dial: int | None = None


@dataclass(frozen=True, slots=True)
class TrustChanged:
    """How we stand with a community from now on."""

    community: bytes
    trust: Trust


@dataclass(frozen=True, slots=True)
class DialEnded:
    """A `Dial` is over: the session that it led to, or the attempt. `stood_ms` is how long that took."""

    dial: int
    code: str
    stood_ms: int


@dataclass(frozen=True, slots=True)
class Dial:
    """Connect to this address; `expected` alone is accepted there, None: whoever answers.

    `is_wanted` says that a steward named the address: who answers is followed. `may_be_near`: its name may turn out
    to mean an address in a network of our own; else it is not connected to there.
    """

    dial: int
    address: Address
    expected: bytes | None
    is_wanted: bool
    may_be_near: bool = False


@dataclass(frozen=True, slots=True)
class KeepKnown:
    """Keep what is known of a community; for its own community, a node keeps the record that it signed."""

    known: Known


@dataclass(frozen=True, slots=True)
class ForgetKnown:
    """Forget a community that was known by hearsay alone."""

    community: bytes


@dataclass(frozen=True, slots=True)
class ReadClock:
    """Tell what the clock says now, by `ClockRead`."""
