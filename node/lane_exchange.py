"""Questions and steps of the federation, as functions of a connection or a transaction.

A lane for peers is served to those whom its owner's charter vouches for, and to the owner (section 17.5).
Which thread they run on, `node/peering.py` says.
"""

from collections.abc import Callable, Container, Iterable, Iterator, Sequence
from dataclasses import replace
from functools import partial

from node.backups import answer_about_backup
from node.epochs import epoch_chain
from node.forks import forked_lanes
from node.found_communities import rules
from node.statements import answer_about_statements
from node.witnessing import keep_cosignatures
from node.writer.transaction import Transaction
from protocol.exchange.follow_rules import keeps_lane
from protocol.exchange.frames import (
    Answer,
    BackupGet,
    BackupState,
    Blob,
    BlobGet,
    Entries,
    EntriesGet,
    HeadsBesides,
    HeadsCompare,
    HeadsSince,
    Refused,
    Request,
    Sealed,
    SealedGet,
    SealedObject,
    StatementGet,
    StatementsSince,
    Tiles,
    TilesGet,
    WrappedKey,
)
from protocol.exchange.heads import (
    HeadChange,
    make_heads_besides,
    make_heads_page,
    make_summary,
)
from protocol.exchange.holding import (
    HeldLane,
    KeepCosignatures,
    RememberHead,
    StoreEntries,
    StoreStep,
    in_chain,
    open_head,
)
from protocol.exchange.replication_events import LaneAdvanced, LaneStored
from protocol.exchange.resuming import HeadsOfLoaded, OwnHeadsLoaded
from protocol.identity.succession import EpochChain
from protocol.lanes.kind import CHARTER, Lane
from protocol.limits import (
    ENTRIES_FRAME_BYTES_MAX,
    HEADS_PAGE_MAX,
    NEWS_BYTES_MAX,
    SEALED_BYTES_MAX,
    TILE_WIDTH,
)
from protocol.log.checkpoint import parse_checkpoint
from protocol.log.note import Note, format_note, parse_note
from protocol.log.origin import Origin
from protocol.log.tiles import pack_entries, tile_width, unpack_entries
from storage.acknowledgements import acknowledging_peers
from storage.blobs import blob
from storage.heads import Head, HeadStore
from storage.lanes import Bundle, LaneStore
from storage.peers import peer_of
from storage.remembered import forget_remembered, remember_head, remembered_head
from storage.sealed import sealed_for
from storage.views.reading import StateReader

FOLLOWED = "followed"
SEALED_ORDERS_MAX = 1_024
HEADS_LOOKED_AT_MAX = HEADS_PAGE_MAX + 1  # for one page; of those that the asker may not read, more follow


def hold_lanes(
    read: StateReader, own: bytes, origins: Iterable[Origin], *, is_recovering: bool = False
) -> tuple[tuple[HeldLane, ...], tuple[Origin, ...]]:
    """Return what is held of the lanes that are to be followed, and which of `origins` are not.

    Whoever `is_recovering` writes nothing, and fetches its own lanes like another's.
    """
    held, unwanted = [], []
    kept = rules(read.connection)
    chains: dict[bytes, EpochChain | None] = {}
    for origin in origins:
        if origin.community not in chains:
            chains[origin.community] = _wanted_chain(read, own, origin.community)
        chain = chains[origin.community]
        is_kept = origin.community == own or keeps_lane(kept, origin.community, origin.lane)
        if chain is None or origin.epoch > chain.epoch or not is_kept:
            unwanted.append(origin)
        else:
            lane = _held(read, own, origin, chain)
            held.append(replace(lane, is_own=False) if is_recovering else lane)
    return tuple(held), tuple(unwanted)


def runs_of(steps: Iterable[StoreStep]) -> Iterator[Sequence[StoreStep]]:
    """Yield the steps in order, neighbouring full bundles of one lane together and every other step alone."""
    run: list[StoreStep] = []
    for step in steps:
        if run and not _continues(run, step):
            yield run
            run = []
        run.append(step)
    if run:
        yield run


def take_run(transaction: Transaction, run: Sequence[StoreStep]) -> LaneStored | LaneAdvanced:
    """Take a run of steps of one lane; raises `StorageError` where it does not fit, then nothing was taken."""
    step, connection = run[0], transaction.connection
    origin = step.origin
    if origin.community == transaction.community and not isinstance(step, KeepCosignatures):
        transaction.note_own_fetched()
    store = LaneStore(connection)
    key = store.open_lane(origin.community, origin.lane, origin.epoch)
    if isinstance(step, RememberHead):
        remember_head(connection, key, step.head.note)
        transaction.note_coming(Lane(origin.community, origin.lane), origin.epoch, step.head.size)
        return LaneStored(origin, store.size(key))
    if isinstance(step, StoreEntries):
        size = _store_entries(store, key, [part for part in run if isinstance(part, StoreEntries)])
        transaction.note_stored(Lane(origin.community, origin.lane), origin.epoch, size)
        return LaneStored(origin, size)
    if isinstance(step, KeepCosignatures):
        keep_cosignatures(transaction, origin, step.head.note)
        return LaneStored(origin, store.size(key))
    note = parse_note(step.head.note)
    alone = format_note(Note(note.text, note.signatures[:1]))  # what nobody knows is not passed on
    HeadStore(connection).set_head(key, step.head.size, step.head.root, alone)
    keep_cosignatures(transaction, origin, step.head.note)
    remembered = remembered_head(connection, key)
    if remembered and parse_checkpoint(parse_note(remembered).text).size <= step.head.size:
        forget_remembered(connection, key)
    return LaneAdvanced(origin, step.head, False)


def may_keep_sealed(transaction: Transaction, sender: bytes, commitments: Sequence[bytes]) -> set[bytes]:
    """Return which commitments belong to orders that `sender` placed with us and that wait for an answer."""
    prefix = (transaction.community, "order.placed", sender)
    wanted: set[bytes] = set()
    for key, _ in transaction.scan("untaken", prefix, length=6, limit=SEALED_ORDERS_MAX):
        placed = transaction.get("placement", key[2:4]).placed
        wanted.update(set(commitments).intersection((*placed.lines, placed.details)))
    return wanted


def answer_request(read: StateReader, reader: bytes, request: Request) -> Answer:
    """Answer what a proven community asks, as far as it may read it."""
    if isinstance(request, HeadsSince):
        return _heads(read, reader, request)
    if isinstance(request, HeadsCompare | HeadsBesides):
        return _compared(read, reader, request)
    if isinstance(request, TilesGet | EntriesGet):
        head = _head(read, request.origin)
        if head is None or not may_serve(read, request.origin, reader):
            return Refused(request.number, "lane_not_served", request.origin.lane)
        return _tiles(read, head, request) if isinstance(request, TilesGet) else _entries(read, head, request)
    if isinstance(request, SealedGet):
        return _sealed(read, reader, request)
    if isinstance(request, BlobGet):
        return _blob(read, request)
    if isinstance(request, BackupState | BackupGet):
        return answer_about_backup(read, reader, request)
    if isinstance(request, StatementsSince | StatementGet):
        return answer_about_statements(read, request)
    return Refused(request.number, "request_refused", type(request).__name__)


def may_serve(read: StateReader, origin: Origin, reader: bytes) -> bool:
    """Tell whether a lane may be shown to the community `reader`."""
    if origin.lane == CHARTER or reader == origin.community:
        return True
    declared = read.get("declared_lane", (origin.community, origin.lane))
    if declared is None:
        return False
    if declared.visibility == "public":
        return True
    vouched = read.get("peer", (origin.community, reader))
    return vouched is not None and vouched.is_vouched


def may_show_head(
    read: StateReader, origin: Origin, reader: bytes, find_forked: Callable[[bytes], Container[Origin]]
) -> bool:
    """Tell whether the head of a lane may be shown to the community `reader`, though perhaps not the lane.

    Where a charter is proven to have two histories, it says of one lane here that it may be read and there that it
    may not, or never declares it. The heads of all its lanes are shown to everybody then, or two histories of
    those would never meet.
    """
    charter = Origin(origin.community, CHARTER, origin.epoch)
    return may_serve(read, origin, reader) or charter in find_forked(origin.community)


def readers_of(read: StateReader, origin: Origin, peers: Iterable[bytes]) -> frozenset[bytes] | None:
    """Return which of `peers` may see a lane, None where anybody may."""
    if may_serve(read, origin, b""):
        return None
    return frozenset(peer for peer in peers if may_serve(read, origin, peer))


def notes_for(read: StateReader, reader: bytes) -> list[bytes]:
    """Return the notes of all heads that a community may see."""
    return [
        head.note
        for head in HeadStore(read.connection).heads()
        if _may_show(read, Origin(head.community, head.lane, head.epoch), reader)
    ]


def own_advance(
    read: StateReader, origin: Origin, shown_size: int, peers: Iterable[bytes]
) -> LaneAdvanced | None:
    """Return the newest head of an own lane, with its entries past `shown_size` where they are few."""
    head = _head(read, origin)
    if head is None:
        return None
    chain = epoch_chain(read, origin.community)
    assert chain is not None, "the own genesis is here"
    if origin.epoch > chain.epoch:
        return None  # a note contradicts the one that opened this epoch
    signed = open_head(head.note, origin, chain.keys[origin.epoch].log_key)
    count, packed = max(head.size - shown_size, 0), b""
    if 0 < count <= TILE_WIDTH:
        packed = pack_entries(LaneStore(read.connection).entries(head.lane_key, shown_size, head.size))
    if not 0 < len(packed) <= NEWS_BYTES_MAX:
        count, packed = 0, b""
    readers = readers_of(read, origin, peers)
    return LaneAdvanced(origin, signed, True, shown_size, count, packed, readers)


def own_heads(read: StateReader, own: bytes, epoch: int) -> OwnHeadsLoaded:
    """Return the own heads of one epoch, the key that signs them, and who has ever acknowledged one."""
    chain = epoch_chain(read, own)
    assert chain is not None, "the own genesis is here"
    epoch = min(epoch, chain.epoch)  # a note may contradict the one that opened ours
    log_public = chain.keys[epoch].log_key
    signed = {}
    for lane in LaneStore(read.connection).lanes(own):
        head = HeadStore(read.connection).head(lane.lane_key)
        if head is not None and lane.epoch == epoch:
            origin = Origin(own, lane.lane, epoch)
            signed[origin] = open_head(head.note, origin, log_public)
    return OwnHeadsLoaded(
        community=own,
        epoch=epoch,
        log_public=log_public,
        heads=signed,
        acknowledged=acknowledging_peers(read.connection),
        is_forked=any(origin.epoch == epoch for origin in forked_lanes(read, own)),
    )


def heads_of(read: StateReader, peer: bytes) -> HeadsOfLoaded:
    """Return the notes of all heads that are held of a peer's own lanes, the adopted and the remembered ones."""
    notes: dict[bytes, None] = {}
    for lane in LaneStore(read.connection).lanes(peer):
        head = HeadStore(read.connection).head(lane.lane_key)
        remembered = remembered_head(read.connection, lane.lane_key)
        notes |= dict.fromkeys(note for note in (head and head.note, remembered) if note)
    return HeadsOfLoaded(peer, tuple(notes))


def _wanted_chain(read: StateReader, own: bytes, community: bytes) -> EpochChain | None:
    """The epochs of a community that is followed, else None."""
    peer = peer_of(read.connection, community)
    if community != own and (peer is None or peer.trust != FOLLOWED):
        return None
    return epoch_chain(read, community)


def _held(read: StateReader, own: bytes, origin: Origin, chain: EpochChain) -> HeldLane:
    log_public = chain.keys[origin.epoch].log_key
    store = LaneStore(read.connection)
    key = store.lane_key(origin.community, origin.lane, origin.epoch)
    held = HeldLane(
        origin,
        log_public,
        is_own=origin.community == own,
        is_forked=origin in forked_lanes(read, origin.community),
    )
    if key is not None:
        head = HeadStore(read.connection).head(key)
        note = remembered_head(read.connection, key)
        lane = store.compact_range(key)
        held = replace(
            held,
            size=lane.size,
            hashes=lane.hashes,
            adopted=open_head(head.note, origin, log_public) if head else None,
            remembered=open_head(note, origin, log_public) if note else None,
        )
    return in_chain(held, chain)


def _continues(run: Sequence[StoreStep], step: StoreStep) -> bool:
    """Whether `step` is the full bundle behind the full bundles of `run`."""
    last = run[-1]
    if not isinstance(last, StoreEntries) or not isinstance(step, StoreEntries):
        return False
    are_full = last.is_full_bundle and step.is_full_bundle
    return are_full and (step.origin, step.start) == (last.origin, last.end)


def _store_entries(store: LaneStore, key: int, run: Sequence[StoreEntries]) -> int:
    """Store what neighbouring steps bring, and return up to where."""
    first = run[0]
    full = [Bundle(step.packed, step.bundle_root) for step in run if step.bundle_root and step.is_full_bundle]
    if full:
        store.append_bundles(key, first.start // TILE_WIDTH, full)
    else:
        store.append(key, first.start, unpack_entries(first.packed, first.count))
    return run[-1].end


def _heads(read: StateReader, reader: bytes, request: HeadsSince) -> Answer:
    heads = HeadStore(read.connection)
    instance, newest = heads.instance(), heads.change_number()
    changed = heads.heads_after(request.after, HEADS_LOOKED_AT_MAX)
    origins = [Origin(head.community, head.lane, head.epoch) for head in changed]
    return make_heads_page(
        request,
        [
            HeadChange(head.change_number, origin, head.note)
            for head, origin in zip(changed, origins, strict=True)
        ],
        readable={origin for origin in origins if _may_show(read, origin, reader)},
        instance=instance,
        newest=newest,
        is_whole=len(changed) < HEADS_LOOKED_AT_MAX,
    )


def _may_show(read: StateReader, origin: Origin, reader: bytes) -> bool:
    return may_show_head(read, origin, reader, partial(forked_lanes, read))


def _compared(read: StateReader, reader: bytes, request: HeadsCompare | HeadsBesides) -> Answer:
    heads = HeadStore(read.connection)
    instance, newest = heads.instance(), heads.change_number()
    notes = notes_for(read, reader)
    if isinstance(request, HeadsCompare):
        return make_summary(request, notes, instance=instance, newest=newest)
    return make_heads_besides(request, notes, instance=instance, newest=newest)


def _tiles(read: StateReader, head: Head, request: TilesGet) -> Answer:
    store, tiles = LaneStore(read.connection), []
    for wanted in request.tiles:
        if wanted.width > tile_width(head.size, wanted.level, wanted.index):
            return Refused(request.number, "range_not_held", f"tile {wanted.level}/{wanted.index}")
        tiles.append(store.tile(head.lane_key, wanted.level, wanted.index, wanted.width))
    return Tiles(request.number, tuple(tiles))


def _entries(read: StateReader, head: Head, request: EntriesGet) -> Answer:
    first = request.bundle * TILE_WIDTH
    start, end = first + request.start, first + request.end
    if start >= end or end > head.size:
        return Refused(request.number, "range_not_held", f"entries {start} to {end}")
    store = LaneStore(read.connection)
    if (request.start, request.end) == (0, TILE_WIDTH):
        packed = store.entry_bundle(head.lane_key, request.bundle, TILE_WIDTH)
        if len(packed) <= ENTRIES_FRAME_BYTES_MAX:
            return Entries(request.number, TILE_WIDTH, packed)
    entries = store.entries(head.lane_key, start, end)
    packed = pack_entries(entries)
    while len(packed) > ENTRIES_FRAME_BYTES_MAX:
        entries.pop()
        packed = pack_entries(entries)
    return Entries(request.number, len(entries), packed)


def _sealed(read: StateReader, reader: bytes, request: SealedGet) -> Answer:
    """Only what is wrapped for the asking community's sealing key, and only its own wrapped key."""
    community = read.get("community", (reader,))
    objects: list[SealedObject] = []
    room = SEALED_BYTES_MAX
    for commitment in request.commitments if community else ():
        found = sealed_for(read.connection, commitment, community.genesis.sealing_key)
        if found is None or len(found[0]) > room:
            continue
        ciphertext, wrapped = found
        room -= len(ciphertext)
        key = WrappedKey(community.genesis.sealing_key, wrapped)
        objects.append(SealedObject(commitment, ciphertext, (key,)))
    return Sealed(request.number, tuple(objects))


def _blob(read: StateReader, request: BlobGet) -> Answer:
    found = blob(read.connection, request.digest)
    if found is None:
        return Refused(request.number, "blob_not_held", "")
    if request.offset >= len(found.content):
        return Refused(request.number, "range_not_held", f"{len(found.content)} bytes")
    part = found.content[request.offset : request.offset + request.length]
    return Blob(request.number, len(found.content), part)


def _head(read: StateReader, origin: Origin) -> Head | None:
    key = LaneStore(read.connection).lane_key(origin.community, origin.lane, origin.epoch)
    return None if key is None else HeadStore(read.connection).head(key)
