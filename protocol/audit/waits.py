"""What waits: records whose citations the cut does not reach, and postings not made yet (section 19.5).

Neither is a fault. A posting becomes one when its side has posted for a later record of the same lane.

    pending = list_pending(state, stalled); awaited = list_awaited(state, dues, book)
"""

from collections.abc import Iterable

from protocol.audit.findings import Book, Place, Waiting, Waits
from protocol.audit.sums import AuditState, Dues
from protocol.identity.keys import to_base32
from protocol.lanes.kind import LEDGER, Position
from protocol.limits import UNKNOWN_KINDS_LISTED_MAX, WAITING_LISTED_MAX

_OTHER_KINDS = "other kinds"


def list_pending(state: AuditState, stalled: Iterable[tuple[Position, Position, int]]) -> Waiting:
    """Return the records that wait; `stalled` are (first, what it waits for, how many) of unfed lanes."""
    listed: list[Waits] = []
    count = 0
    for first, waits_for, records in stalled:
        count += records
        listed.append(Waits(place=_place(first), waits_for=_place(waits_for)))
    for key, pending in state.items("pending"):
        count += 1
        if len(listed) < WAITING_LISTED_MAX:
            position = Position(*key)
            cited = _place(Position(*pending.waits_for)) if pending.waits_for else None
            listed.append(Waits(place=_place(position, pending.record_id), waits_for=cited))
    return Waiting(count=count, listed=tuple(listed[:WAITING_LISTED_MAX]))


def list_awaited(state: AuditState, dues: Dues, book: Book) -> Waiting:
    """Return the postings that are still owed; those that were passed over are findings instead."""
    listed: list[Waits] = []
    count = 0
    for key, _ in state.items("awaited"):
        party, position = key[0], Position(*key[1:])
        if dues.posted_up_to.get((party, position.community), (-1, -1)) > (position.epoch, position.index):
            detail = f"for {position.lane} {position.index} of {to_base32(position.community)}"
            book.find("posting_overdue", detail, place=Place(community=to_base32(party), lane=LEDGER))
            book.count("postings", failed=1)
            continue
        count += 1
        book.count("postings", not_opened=1)
        if len(listed) < WAITING_LISTED_MAX:
            listed.append(Waits(place=_place(position), party=to_base32(party)))
    return Waiting(count=count, listed=tuple(listed))


def count_unknown(state: AuditState) -> dict[str, int]:
    """Return how many records there are of each kind that this version does not know."""
    counts: dict[str, int] = {}
    for _, unknown in state.items("unknown"):
        is_listed = unknown.kind in counts or len(counts) < UNKNOWN_KINDS_LISTED_MAX
        kind = unknown.kind if is_listed else _OTHER_KINDS
        counts[kind] = counts.get(kind, 0) + 1
    return dict(sorted(counts.items()))


def _place(position: Position, record_id: bytes | None = None) -> Place:
    return Place(
        community=to_base32(position.community),
        lane=position.lane,
        epoch=position.epoch,
        index=position.index,
        record_id=None if record_id is None else to_base32(record_id),
    )
