"""Who a community is and which log key ruled when: genesis and successor notes (PROTOCOL.md section 19.2).

The genesis proves itself: its leaf hash is the community id, whoever hands it over. Every later key follows
from it by successor notes, so no source is believed anything.

    history = read_history(community, holders, sources, book)
    history.keys[epoch].log_key, history.seals[epoch]
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field

from protocol.audit.bundle import Source, checkpoint_path, lane_folder, successor_path
from protocol.audit.evidence import SUCCESSOR_LINE, CarriedStatement, name_statement, read_statements
from protocol.audit.findings import Book, Place
from protocol.errors import AuditError, LogError, ProtocolError
from protocol.identity.genesis import Genesis, verify_genesis
from protocol.identity.keys import to_base32
from protocol.identity.succession import hold_notes, standing_notes
from protocol.identity.successor import EpochKeys, SealedLane, parse_successor, verify_successor
from protocol.lanes import BODY_TYPES
from protocol.lanes.kind import CHARTER
from protocol.limits import BUNDLE_BYTES_MAX, EPOCHS_AUDITED_MAX, NOTE_BYTES_MAX, TILE_WIDTH
from protocol.log.checkpoint import parse_checkpoint
from protocol.log.merkle import leaf_hash
from protocol.log.note import parse_note
from protocol.log.origin import Origin
from protocol.log.record import decode_record
from protocol.log.tiles import entry_bundle_path, tile_width

_LENGTH_BYTES = 2


@dataclass(slots=True)
class History:
    """One community: its genesis, the keys of each epoch, and where each closed epoch was sealed.

    `statements` are those that the sources carry about it; `is_contested` where notes contradict each other.
    """

    community: bytes
    genesis: Genesis
    keys: list[EpochKeys]
    statements: Sequence[CarriedStatement] = ()
    seals: list[Mapping[str, SealedLane]] = field(default_factory=list)
    is_contested: bool = False


def read_history(
    community: bytes, holders: Sequence[tuple[Source, int]], sources: Sequence[Source], book: Book
) -> History | None:
    """Return what the sources prove about a community, or None where none holds its genesis.

    `holders` are the sources with the charter of epoch 0, each with the size that its index states.
    """
    refusals: list[tuple[str, str, ProtocolError]] = []
    for source, size in holders:
        path = _genesis_path(source, Origin(community, CHARTER, 0), size)
        try:
            genesis = _open_genesis(source.read(path, BUNDLE_BYTES_MAX), community)
        except ProtocolError as error:
            refusals.append((source.name, path, error))
            continue
        book.count("genesis", passed=1)
        statements = read_statements(community, sources, book)
        history = History(community, genesis, [EpochKeys.of_genesis(community, genesis)], statements)
        _follow_successors(history, sources, book)
        return history
    book.count("genesis", failed=1)
    place = Place(community=to_base32(community), lane=CHARTER, epoch=0, index=0)
    for name, path, refusal in refusals:
        book.find(refusal.code, refusal.detail, place=place, source=name, path=path)
    if not refusals:
        book.find("genesis_missing", place=place)
    return None


def _genesis_path(source: Source, origin: Origin, size: int) -> str:
    """Where the charter's first bundle stands: neither its checkpoint nor the index is trusted yet."""
    sizes = [stated for stated in (_stated_size(source, origin), size) if stated]
    widths = dict.fromkeys([*(tile_width(stated, 0, 0) for stated in sizes), TILE_WIDTH])
    paths = [f"{lane_folder(origin)}/{entry_bundle_path(0, width)}" for width in widths]
    for path in paths:
        try:
            if source.read(path, BUNDLE_BYTES_MAX) is not None:
                return path
        except AuditError:
            return path  # the caller meets the refusal again, and names it
    return paths[0]


def _stated_size(source: Source, origin: Origin) -> int:
    """What the checkpoint says, unproven; 0 where it says nothing. It is judged with its lane."""
    try:
        note = source.read(checkpoint_path(origin), NOTE_BYTES_MAX)
        return 0 if note is None else parse_checkpoint(parse_note(note).text).size
    except (AuditError, LogError):
        return 0


def _open_genesis(bundle: bytes | None, community: bytes) -> Genesis:
    if bundle is None:
        raise AuditError("file_missing")
    entry = bundle[_LENGTH_BYTES : _LENGTH_BYTES + int.from_bytes(bundle[:_LENGTH_BYTES], "big")]
    if leaf_hash(entry) != community:
        raise AuditError("genesis_mismatch")
    body = decode_record(entry, BODY_TYPES).body
    if not isinstance(body, Genesis):
        raise AuditError("genesis_mismatch", "the first record is no genesis")
    verify_genesis(body)
    return body


def _follow_successors(history: History, sources: Iterable[Source], book: Book) -> None:
    """Go from epoch to epoch as long as one successor note, and only one, is proven."""
    sources = list(sources)
    carried = _carried_notes(history, book)
    while len(history.keys) <= EPOCHS_AUDITED_MAX:
        closing = history.keys[-1]
        notes = _read_notes(closing, sources, book)
        notes += _judge_carried(closing, carried.pop(closing.epoch, []), book)
        standing = standing_notes(hold_notes(closing, notes))
        if len(standing) > 1:
            history.is_contested = True
            place = Place(community=to_base32(closing.community), epoch=closing.epoch)
            book.find("successor_contested", f"{len(standing)} notes", place=place)
        if len(standing) != 1:
            break
        history.seals.append(standing[0].lanes)
        history.keys.append(standing[0].succession.opened)
    book.count("succession", not_opened=sum(map(len, carried.values())))


def _carried_notes(history: History, book: Book) -> dict[int, list[CarriedStatement]]:
    """Return by the epoch that they close the successor notes among the statements of all sources."""
    found: dict[int, list[CarriedStatement]] = {}
    for statement in history.statements:
        if statement.first_line != SUCCESSOR_LINE:
            continue
        try:
            epoch = parse_successor(parse_note(statement.text).text).epoch
        except ProtocolError as error:
            name_statement(statement, error, Place(community=to_base32(history.community)), book)
            continue
        found.setdefault(epoch, []).append(statement)
    return found


def _judge_carried(closing: EpochKeys, carried: Iterable[CarriedStatement], book: Book) -> list[bytes]:
    place = Place(community=to_base32(closing.community), epoch=closing.epoch)
    found: list[bytes] = []
    for statement in carried:
        try:
            verify_successor(statement.text, closing)
        except ProtocolError as error:
            name_statement(statement, error, place, book)
            book.count("succession", failed=1)
            continue
        book.count("succession", passed=1)
        found.append(statement.text)
    return found


def _read_notes(closing: EpochKeys, sources: Sequence[Source], book: Book) -> list[bytes]:
    """Return the notes that hold, of each source; name those that do not."""
    path = successor_path(closing.community, closing.epoch)
    place = Place(community=to_base32(closing.community), epoch=closing.epoch)
    found: list[bytes] = []
    for source in sources:
        try:
            raw = source.read(path, NOTE_BYTES_MAX)
            if raw is None:
                continue
            verify_successor(raw, closing)
        except ProtocolError as error:
            book.find(error.code, error.detail, place=place, source=source.name, path=path)
            book.count("succession", failed=1)
            continue
        book.count("succession", passed=1)
        found.append(raw)
    return found
