"""What the store holds of one lane, and the steps by which it comes to hold more (PROTOCOL.md section 18.3).

The machines of this room never touch the store: they are told what it holds, and say in which order it is to
take the rest. Entries come before the head that covers them, so that whatever a kill leaves behind is true.

    head = open_head(note, held.origin, held.log_public)
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from protocol.errors import ProtocolError
from protocol.identity.succession import EpochChain
from protocol.identity.successor import SealedLane
from protocol.limits import INTEGER_MAX, QUOTA_ENTRY_BYTES, TILE_HEIGHT, TILE_WIDTH
from protocol.log.checkpoint import Checkpoint, open_checkpoint
from protocol.log.merkle import EMPTY_ROOT, CompactRange
from protocol.log.origin import Origin


@dataclass(frozen=True, slots=True)
class SignedHead:
    """A checkpoint whose signature holds, with the bytes of its note."""

    note: bytes
    checkpoint: Checkpoint

    @property
    def size(self) -> int:
        """How many entries it covers."""
        return self.checkpoint.size

    @property
    def root(self) -> bytes:
        """The 32-byte root over them."""
        return self.checkpoint.root


@dataclass(frozen=True, slots=True)
class HeldLane:
    """What the store holds of one log: `size` entries from the first on, with the hashes of their range.

    `adopted` is the head that it shows and serves. `remembered` is a larger one whose entries were on their
    way; after a kill `size` may lie between the two. An own lane is written here and never fetched. A lane that
    `is_forked` is proven to have two histories: it is kept as it stands. `sealed` is what a successor note says
    that the lane came to, where its epoch is closed: then nothing beyond counts, and a fork has ended.
    `room_bytes` is what its quota leaves for more of it (section 30.5).
    """

    origin: Origin
    log_public: bytes
    size: int = 0
    hashes: tuple[bytes, ...] = ()
    adopted: SignedHead | None = None
    remembered: SignedHead | None = None
    is_own: bool = False
    is_forked: bool = False
    sealed: SealedLane | None = None
    room_bytes: int = INTEGER_MAX

    @property
    def is_complete(self) -> bool:
        """Whether the epoch is closed and the lane held as far as it counts."""
        return self.sealed is not None and self.adopted_size >= self.sealed.size

    def has_room_for(self, size: int) -> bool:
        """Whether so many entries may fit into its quota, were all that are missing empty ones."""
        return (size - self.size) * kept_bytes(1, 2) <= self.room_bytes

    @property
    def adopted_size(self) -> int:
        """The size of the adopted head; 0 before the first."""
        return self.adopted.size if self.adopted else 0

    def make_range(self) -> CompactRange:
        """Return the compact range of the entries held."""
        return CompactRange.from_hashes(self.size, self.hashes)


@dataclass(frozen=True, slots=True)
class RememberHead:
    """Keep the note of a head before its entries come: if it is contradicted later, it is evidence."""

    origin: Origin
    head: SignedHead


@dataclass(frozen=True, slots=True)
class StoreEntries:
    """Append `count` entries at `start`, within one bundle; `packed` and `leaf_hashes` are theirs alone.

    `bundle_root` is the hash of the whole bundle where these entries complete it, else None.
    """

    origin: Origin
    start: int
    count: int
    packed: bytes
    leaf_hashes: tuple[bytes, ...]
    bundle_root: bytes | None

    @property
    def end(self) -> int:
        """The size of the lane when they are stored."""
        return self.start + self.count

    @property
    def is_full_bundle(self) -> bool:
        """Whether these are all the entries of a full bundle, so that it is stored as it came."""
        return self.bundle_root is not None and self.count == TILE_WIDTH


@dataclass(frozen=True, slots=True)
class AdoptHead:
    """Show and serve the lane up to this head; `hashes` are those of its compact range."""

    origin: Origin
    head: SignedHead
    hashes: tuple[bytes, ...]


@dataclass(frozen=True, slots=True)
class KeepCosignatures:
    """Keep the cosignatures in this note, those that hold, of a head that is held as far as it goes."""

    origin: Origin
    head: SignedHead


StoreStep = KeepCosignatures | RememberHead | StoreEntries | AdoptHead


def in_chain(held: HeldLane, chain: EpochChain) -> HeldLane:
    """Return a lane with what the successor notes say about its epoch.

    An own lane is not written any more in a closed epoch; what is missing of it only peers can give back.
    """
    epoch = held.origin.epoch
    if not chain.is_closed(epoch):
        return held
    closed = replace(held, sealed=chain.seal(held.origin.lane, epoch) or SealedLane(0, EMPTY_ROOT))
    return replace(closed, is_own=held.is_own and closed.is_complete)


def is_disowned(notes: Iterable[bytes], origin: Origin, chain: EpochChain) -> bool:
    """Whether heads of a lane are signed by another key than the one that opens its epoch (section 25.2).

    Two notes open one number each; the one that is put aside later leaves its lanes behind.
    """
    log_public = chain.log_key(origin.epoch)
    if log_public is None:
        return False  # no note that stands has opened this epoch, and none says that the key is another
    try:
        for note in notes:
            open_head(note, origin, log_public)
    except ProtocolError:
        return True
    return False


def kept_bytes(entries: int, packed_bytes: int) -> int:
    """Return what so many entries, packed into so many bytes, count in a quota."""
    return packed_bytes + entries * QUOTA_ENTRY_BYTES


def step_bytes(step: StoreStep) -> int:
    """Return about how many bytes of memory a step holds while it waits."""
    return (
        len(step.packed) + len(step.leaf_hashes) * 64
        if isinstance(step, StoreEntries)
        else len(step.head.note)
    )


@dataclass(frozen=True, slots=True)
class ReportFork:
    """Keep two signed heads that contradict each other, and mark the lane.

    `begins_with` is the root that the tree of `newer` has at the size of `older`, which is another than `older`
    states, and `proof` shows that it has it. Both are empty for equal sizes, where the two roots say it all.
    """

    origin: Origin
    older: SignedHead
    newer: SignedHead
    begins_with: bytes = b""
    proof: tuple[bytes, ...] = ()


@dataclass(frozen=True, slots=True)
class CompareHead:
    """Hold a signed head that is smaller than the adopted one against what is stored: it may be another history."""

    origin: Origin
    head: SignedHead


@dataclass(frozen=True, slots=True)
class Blame:
    """A peer did not do what the protocol says; `code` is of section 20."""

    peer: bytes
    code: str
    detail: str = ""


def completed_bundle_root(lane: CompactRange, leaves: Sequence[bytes]) -> bytes:
    """Return the hash of the bundle that `leaves` complete at the end of `lane`."""
    open_bundle = CompactRange.from_hashes(
        lane.size % TILE_WIDTH, lane.hashes[(lane.size >> TILE_HEIGHT).bit_count() :]
    )
    open_bundle.extend(leaves)
    return open_bundle.root()


def open_head(note: bytes, origin: Origin, log_public: bytes) -> SignedHead:
    """Return the head that a note states, or raise `LogError` where its form or signature does not hold."""
    return SignedHead(note, open_checkpoint(note, origin.text, log_public))
