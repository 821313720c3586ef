"""What happens to a node's relays, and what the machine wants done (PROTOCOL.md section 29).

Events are what the node tells the machine of `relay.py`, effects are what the driver has the store do for it.
"""

from dataclasses import dataclass

from protocol.exchange.frames import Delivery, Receipt, RelayTerms, SealedObject

# What the node tells.


@dataclass(frozen=True, slots=True)
class RelaysLoaded:
    """The store has answered `LoadRelays`.

    `own` are the community's relays, `senders` are those from whom it takes deliveries, and `holding` are the
    relays that keep something of ours.
    """

    own: tuple[bytes, ...]
    senders: tuple[bytes, ...]
    holding: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class Batch:
    """Objects of one frame for one recipient, to be put at one relay."""

    relay: bytes
    recipient: bytes
    objects: tuple[SealedObject, ...]


@dataclass(frozen=True, slots=True)
class PartsLoaded:
    """The store has answered `LoadParts`: what is to be put now, the first of it."""

    batches: tuple[Batch, ...]


@dataclass(frozen=True, slots=True)
class ListNoted:
    """The store has taken in `NoteListed` of this relay; so many of its receipts show nothing."""

    relay: bytes
    refused: int = 0


@dataclass(frozen=True, slots=True)
class WorkFailed:
    """The store could not do this just now."""

    work: "RelayWork"


@dataclass(frozen=True, slots=True)
class RelaysChanged:
    """The community has named other relays."""


@dataclass(frozen=True, slots=True)
class PartsChanged:
    """Something new may have to be put."""


@dataclass(frozen=True, slots=True)
class ShelfChanged:
    """As a relay we have something new for this community."""

    community: bytes


# What the node is to do.


@dataclass(frozen=True, slots=True)
class LoadRelays:
    """Ask the store which relays concern us; answered by `RelaysLoaded`."""


@dataclass(frozen=True, slots=True)
class LoadParts:
    """Ask the store what is to be put, while these peers are within reach; answered by `PartsLoaded`."""

    peers: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class NoteTerms:
    """A relay has said what it keeps for us (`terms`), or why nothing (`code`)."""

    relay: bytes
    terms: RelayTerms | None
    code: str = ""


@dataclass(frozen=True, slots=True)
class NotePut:
    """A relay keeps `kept` of the `commitments` that it was handed, for so many seconds.

    The others are to be put again, `retry_ms` milliseconds from now at the earliest.
    """

    relay: bytes
    commitments: tuple[bytes, ...]
    kept: tuple[bytes, ...]
    seconds: int
    retry_ms: int


@dataclass(frozen=True, slots=True)
class NoteListed:
    """A relay says what waits for us, and what of ours was taken; answered by `ListNoted`."""

    relay: bytes
    waiting: tuple[Delivery, ...]
    taken: tuple[Receipt, ...]


RelayEvent = RelaysLoaded | PartsLoaded | ListNoted | WorkFailed
RelayWork = LoadRelays | LoadParts | NoteTerms | NotePut | NoteListed
