"""The charter's statements of all lanes, held against the lanes themselves (PROTOCOL.md section 19.5).

Who splits a lane has to split the charter as well, which everybody follows; so every statement is checked, not
the newest alone.

    check_statements(lanes, state, book)
"""

from protocol.audit.choosing import place_of
from protocol.audit.feeding import EpochCopy, Lanes
from protocol.audit.findings import Book
from protocol.audit.sums import AuditState
from protocol.errors import ProtocolError
from protocol.fold import is_settled
from protocol.lanes import BODY_TYPES
from protocol.lanes.charter.identity import LanesStated, LaneStatement
from protocol.lanes.kind import CHARTER, Lane, Position
from protocol.limits import TILE_WIDTH
from protocol.log.record import decode_record


def check_statements(lanes: Lanes, state: AuditState, book: Book) -> None:
    """Check every statement in effect of every charter; those beyond the copies at hand are not opened."""
    for lane, parts in lanes.items():
        if lane.name == CHARTER:
            for part in parts:
                _check_charter(lane.community, part, lanes, state, book)


def _check_charter(community: bytes, charter: EpochCopy, lanes: Lanes, state: AuditState, book: Book) -> None:
    for first in range(0, charter.end, TILE_WIDTH):
        entries, _ = charter.copy.bundle(first // TILE_WIDTH)
        for index, entry in enumerate(entries[: charter.end - first], first):
            statements = _statements(entry)
            position = Position(community, CHARTER, charter.epoch, index)
            if not statements or not _is_in_effect(state, position):
                continue
            for statement in statements:
                parts = lanes.get(Lane(community, statement.lane), ())
                part = next((part for part in parts if part.epoch == charter.epoch), None)
                _check(statement, part, position, charter, book)


def _is_in_effect(state: AuditState, position: Position) -> bool:
    return is_settled(state, position) and state.get("void", position) is None


def _statements(entry: bytes) -> list[LaneStatement]:
    try:
        body = decode_record(entry, BODY_TYPES).body
    except ProtocolError:
        return []  # void, and named by the fold
    return body.lanes if isinstance(body, LanesStated) else []


def _check(
    statement: LaneStatement, part: EpochCopy | None, position: Position, charter: EpochCopy, book: Book
) -> None:
    if part is None or part.end < statement.size:
        book.count("statements", not_opened=1)
        return
    is_right = part.copy.root_at(statement.size) == statement.root
    book.count("statements", passed=is_right, failed=not is_right)
    if not is_right:
        detail = f"{statement.lane} of size {statement.size} and root {statement.root.hex()}"
        book.find("statement_mismatch", detail, place=place_of(charter.copy.origin, position.index))
