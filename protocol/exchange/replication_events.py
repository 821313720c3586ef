"""What happens to a node's replication, and what it wants done (PROTOCOL.md section 18).

Events are what the driver tells the machine, effects are what it performs for it, in order.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from protocol.exchange.following import OwnLaneSeen, ReportDamage
from protocol.exchange.frames import Answer, Frame, Request, StatedHead
from protocol.exchange.holding import Blame, CompareHead, HeldLane, ReportFork, SignedHead, StoreStep
from protocol.exchange.listing import HeadsItemized, HeadsSummedUp, Place, SumUpHeads
from protocol.exchange.machine import Tell
from protocol.exchange.places import KeepPlace
from protocol.exchange.standing import KeepShown
from protocol.limits import LANES_TOLD_MAX
from protocol.log.origin import Origin


@dataclass(frozen=True, slots=True)
class PlacesLoaded:
    """The places in the lists of peers that were kept before this start; told before any peer is open."""

    places: Mapping[bytes, Place]


@dataclass(frozen=True, slots=True)
class PeerOpened:
    """A session with the community `peer` stands; `requests_max` of ours may wait there at a time.

    `remote` is the IP address of its other end, empty where somebody stands in between.
    """

    peer: bytes
    requests_max: int
    remote: str = ""


@dataclass(frozen=True, slots=True)
class PeerClosed:
    """The session with `peer` is over; `code` is why."""

    peer: bytes
    code: str = "session_lost"


@dataclass(frozen=True, slots=True)
class FrameReceived:
    """A frame of a proven peer."""

    peer: bytes
    frame: Frame


@dataclass(frozen=True, slots=True)
class LanesLoaded:
    """The store has answered `LoadLanes`: what it holds of the lanes to follow, and which it leaves."""

    held: tuple[HeldLane, ...]
    unwanted: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class LaneStored:
    """The first `size` entries of a lane that is being fetched are on disk."""

    origin: Origin
    size: int


@dataclass(frozen=True, slots=True)
class StepsFailed:
    """The store did not take some step for this lane."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class HeadCompared:
    """The store has held a head against what it has, and acted on what it found."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class HeadsStated:
    """A peer has stated these heads of our own lanes; their signatures hold, or their epoch is closed."""

    peer: bytes
    heads: tuple[StatedHead, ...]


@dataclass(frozen=True, slots=True)
class OwnHeadSeen:
    """A peer holds a head that we signed and do not have."""

    origin: Origin
    head: SignedHead


@dataclass(frozen=True, slots=True)
class ForkProven:
    """It is proven that the log key of this lane has signed two histories."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class LaneFull:
    """The store did not take entries of a lane, because its quota leaves no room for them (section 30.5)."""

    origin: Origin


@dataclass(frozen=True, slots=True)
class LaneAdvanced:
    """A lane shows a new head: one of our own, or one that was adopted; its checkpoint is synced.

    `packed` holds the `count` entries from `start` on, where they are at hand (else `count` is 0). `readers`
    are the communities that may see the lane, None where everybody may.
    """

    origin: Origin
    head: SignedHead
    is_own: bool
    start: int = 0
    count: int = 0
    packed: bytes = b""
    readers: frozenset[bytes] | None = None


StepOutcome = LaneStored | LaneAdvanced | StepsFailed | LaneFull


@dataclass(frozen=True, slots=True)
class WishesChanged:
    """Lanes that were not wanted may be wanted now."""


@dataclass(frozen=True, slots=True)
class RequestAsked:
    """Another part of the node asks a peer; the `Reply` bears the same `token`."""

    peer: bytes
    token: int
    request: Request


@dataclass(frozen=True, slots=True)
class PeerSilent:
    """A peer has not said in time which of its heads changed: its link carries nothing, whatever stands."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class PeerVisited:
    """The session with `peer` will end in a moment: it was only looked in on, and is no link of the tree."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class Woken:
    """The time of the last `WakeAt` has come."""


Event = (
    PlacesLoaded | PeerOpened | PeerVisited | PeerClosed | FrameReceived | LanesLoaded | HeadsSummedUp | HeadsItemized
    | LaneStored | StepsFailed | LaneFull | HeadCompared | HeadsStated | ForkProven | LaneAdvanced | WishesChanged
    | RequestAsked | Woken
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Send:
    """Send a frame to an open peer."""

    peer: bytes
    frame: Frame


@dataclass(frozen=True, slots=True)
class Serve:
    """Answer a peer's request from the store."""

    peer: bytes
    request: Request


@dataclass(frozen=True, slots=True)
class LoadLanes:
    """Ask the store for these lanes; `LanesLoaded` names each of them once."""

    origins: tuple[Origin, ...]


@dataclass(frozen=True, slots=True)
class Reply:
    """The end of a `RequestAsked`: an answer, which may be `Refused`, or None and the code of why not."""

    token: int
    answer: Answer | None
    code: str = ""


@dataclass(frozen=True, slots=True)
class Drop:
    """End the session with this peer."""

    peer: bytes
    code: str


@dataclass(frozen=True, slots=True)
class WakeAt:
    """Come back with `Woken` at this time; it replaces the one before."""

    at_ms: int


Effect = (
    Send
    | Serve
    | LoadLanes
    | SumUpHeads
    | KeepPlace
    | KeepShown
    | Reply
    | Drop
    | WakeAt
    | StoreStep
    | Blame
    | ReportFork
    | CompareHead
    | ReportDamage
    | OwnLaneSeen
    | Tell
)


def lanes_loaded(held: Sequence[HeldLane], unwanted: Sequence[Origin]) -> Iterator[LanesLoaded]:
    """Yield one answer of the store in parts: each lane may have a signature verified for each of its offers."""
    for start in range(0, max(len(held), len(unwanted)), LANES_TOLD_MAX):
        part = slice(start, start + LANES_TOLD_MAX)
        yield LanesLoaded(tuple(held[part]), tuple(unwanted[part]))


def merge_loads(effects: list[Effect]) -> list[Effect]:
    """One question to the store instead of many, in the place of the last."""
    origins = tuple(
        origin for effect in effects if isinstance(effect, LoadLanes) for origin in effect.origins
    )
    others: list[Effect] = [effect for effect in effects if not isinstance(effect, LoadLanes)]
    return [*others, LoadLanes(origins)] if origins else others
