"""Several copies of one lane: which one is folded, and how far (PROTOCOL.md sections 19.3, 19.4).

The largest whole copy is the reference. A closed epoch counts as far as it was sealed.

    part = choose(origin, copies, seals, book)
"""

from collections.abc import Mapping, Sequence

from protocol.audit.feeding import EpochCopy
from protocol.audit.findings import Book, Place
from protocol.audit.lane_copy import LaneCopy
from protocol.identity.keys import to_base32
from protocol.identity.successor import SealedLane
from protocol.limits import TILE_WIDTH
from protocol.log.origin import Origin


def place_of(origin: Origin, index: int | None = None, record_id: bytes | None = None) -> Place:
    """Return a place in a lane as a report has it."""
    return Place(
        community=to_base32(origin.community),
        lane=origin.lane,
        epoch=origin.epoch,
        index=index,
        record_id=None if record_id is None else to_base32(record_id),
    )


def choose(
    origin: Origin, copies: Sequence[LaneCopy], seals: Sequence[Mapping[str, SealedLane]], book: Book
) -> EpochCopy | None:
    """Return the copy that is folded and how far it counts, or None where none is whole.

    `seals` are those of the community, by epoch. What contradicts a seal is noted in the book.
    """
    whole = sorted((copy for copy in copies if copy.is_whole), key=lambda copy: -copy.checkpoint.size)
    is_closed = origin.epoch < len(seals)
    sealed = seals[origin.epoch].get(origin.lane) if is_closed else None
    if not is_closed:
        return EpochCopy(origin.epoch, whole[0], whole[0].checkpoint.size) if whole else None
    if sealed is None:
        for copy in whole[:1]:
            _name_beyond(copy, 0, book)
        return None
    reaching = [copy for copy in whole if copy.checkpoint.size >= sealed.size]
    kept = [copy for copy in reaching if _keeps(copy, sealed, book)]
    if kept:
        _name_beyond(kept[0], sealed.size, book)
        return EpochCopy(origin.epoch, kept[0], sealed.size)
    if not reaching:
        book.find("lane_short", f"sealed at {sealed.size}", place=place_of(origin))
        return EpochCopy(origin.epoch, whole[0], whole[0].checkpoint.size) if whole else None
    return None


def _keeps(copy: LaneCopy, sealed: SealedLane, book: Book) -> bool:
    """Whether a whole copy is what the successor note sealed."""
    keeps = copy.root_at(sealed.size) == sealed.root
    book.count("succession", passed=keeps, failed=not keeps)
    if not keeps:
        detail = f"sealed at {sealed.size} with root {sealed.root.hex()}"
        book.find("seal_mismatch", detail, place=place_of(copy.origin), source=copy.source.name)
    return keeps


def _name_beyond(copy: LaneCopy, end: int, book: Book) -> None:
    """Entries beyond the seal have no effect; each is named."""
    for index in range(end, copy.checkpoint.size):
        if index == end or index % TILE_WIDTH == 0:
            record_ids = copy.leaves(index // TILE_WIDTH)
        book.count("records", failed=1)
        place = place_of(copy.origin, index, record_ids[index % TILE_WIDTH])
        book.find("beyond_seal", place=place, source=copy.source.name)
