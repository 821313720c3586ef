"""Bringing one lane to a head, from several peers at once (PROTOCOL.md section 18.4).

First the hash tiles, which show whether the head continues what is held; then entry bundles, each verified
alone and handed on in order. A liar, a silent peer or a kill costs one bundle. Timeouts are the caller's.

    fetch = LaneFetch(held, head)
    effects = fetch.handle(PeerJoined(peer, its_size))
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from enum import Enum
from typing import ClassVar

from protocol.errors import ProtocolError, SessionError
from protocol.exchange.frames import Answer, Entries, EntriesGet, Refused, Tiles, TilesGet, TileWanted
from protocol.exchange.hash_tiles import HashTiles
from protocol.exchange.holding import (
    AdoptHead,
    Blame,
    HeldLane,
    RememberHead,
    ReportFork,
    SignedHead,
    StoreEntries,
    StoreStep,
    completed_bundle_root,
    kept_bytes,
    step_bytes,
)
from protocol.limits import FETCH_BUNDLES_MAX, FETCH_BYTES_MAX, TILE_HEIGHT, TILE_WIDTH
from protocol.log.merkle import consistency_proof, leaf_hashes, subtree_root
from protocol.log.tiles import tile_width, unpack_entries


@dataclass(frozen=True, slots=True)
class EdgeJob:
    """The right edge and the paths: everything that has to be known before the first bundle."""


@dataclass(frozen=True, slots=True)
class TileJob:
    """One full hash tile."""

    level: int
    index: int


@dataclass(frozen=True, slots=True)
class BundleJob:
    """The entries of one bundle from `start` on, which counts within the bundle."""

    bundle: int
    start: int


Job = EdgeJob | TileJob | BundleJob


@dataclass(frozen=True, slots=True)
class PeerJoined:
    """A peer has shown a head of this lane with `size` entries; it may be asked for any of them."""

    peer: bytes
    size: int


@dataclass(frozen=True, slots=True)
class PeerLeft:
    """A peer is gone."""

    peer: bytes


@dataclass(frozen=True, slots=True)
class Answered:
    """The answer to an `Ask` came."""

    peer: bytes
    job: Job
    answer: Answer


@dataclass(frozen=True, slots=True)
class Unanswered:
    """No answer to an `Ask` came in time."""

    peer: bytes
    job: Job


@dataclass(frozen=True, slots=True)
class Stored:
    """The lane's first `size` entries are on disk."""

    size: int


Event = PeerJoined | PeerLeft | Answered | Unanswered | Stored


@dataclass(frozen=True, slots=True)
class Ask:
    """Send a request to a peer and bring its answer back with the same `job`."""

    peer: bytes
    job: Job
    request: TilesGet | EntriesGet


@dataclass(frozen=True, slots=True)
class Ended:
    """The fetch is over; `code` is empty where the head is reached."""

    code: str


Effect = Ask | StoreStep | Blame | ReportFork | Ended


class Phase(Enum):
    """Where a fetch stands."""

    TILES = "waiting for hashes"
    ENTRIES = "waiting for entries"
    ENDED = "ended"


@dataclass(slots=True)
class _Bundle:
    """A bundle on its way: parts of it may be here already, all from one peer."""

    peer: bytes
    start: int
    packed: list[bytes] = field(default_factory=list)
    hashes: list[bytes] = field(default_factory=list)

    @property
    def next_entry(self) -> int:
        return self.start + len(self.hashes)

    @property
    def memory_bytes(self) -> int:
        return sum(map(len, self.packed)) + kept_bytes(len(self.hashes), 0)


class LaneFetch:
    """The machine that brings one held lane to one signed head."""

    def __init__(
        self,
        held: HeldLane,
        head: SignedHead,
        *,
        bundles_max: int = FETCH_BUNDLES_MAX,
        bytes_max: int = FETCH_BYTES_MAX,
    ) -> None:
        """Take a head of at least `held.size` entries.

        `bundles_max` bounds what is under way, and `bytes_max` what is here and waits for what comes before it.
        """
        assert 0 < head.size >= held.size, "a lane is fetched towards a head that covers what is held"
        self.phase = Phase.TILES
        self.held = held
        self.head = head
        self._known = [
            known for known in (held.adopted, held.remembered) if known and known.size <= head.size
        ]
        self._sealed = held.sealed if held.sealed and held.sealed.size <= head.size else None
        self._tiles = HashTiles(head.checkpoint)
        sealed_sizes = [self._sealed.size] if self._sealed else []
        known_sizes = [known.size for known in self._known]
        self._wanted = self._tiles.first_wanted([held.size, *known_sizes, *sealed_sizes])
        self._range = held.make_range()
        self._remembered = held.remembered
        self._bundles_max = bundles_max
        self._bytes_max = bytes_max
        self._largest_bytes = 1
        self._bundle_end = (head.size + TILE_WIDTH - 1) // TILE_WIDTH
        self._stored = held.size
        self._peers: dict[bytes, int] = {}
        self._in_flight: dict[Job, bytes] = {}
        self._bundles: dict[int, _Bundle] = {}
        self._ready: dict[int, StoreEntries] = {}

    @property
    def memory_bytes(self) -> int:
        """About how many bytes are here that cannot be handed on yet."""
        return sum(map(step_bytes, self._ready.values())) + sum(
            bundle.memory_bytes for bundle in self._bundles.values()
        )

    def handle(self, event: Event) -> list[Effect]:
        """Take one event and return what to do, in order."""
        move = self._MOVES.get((self.phase, type(event)))
        if move is None:
            return []
        return [*move(self, event), *self._ask_on()]

    def held_now(self) -> HeldLane:
        """Return what the store holds once it has taken all steps that were handed on so far."""
        has_arrived = self._range.size == self.head.size
        return replace(
            self.held,
            size=self._range.size,
            hashes=self._range.hashes,
            adopted=self.head if has_arrived else self.held.adopted,
            remembered=self._remembered,
        )

    # Peers come and go.

    def _joined(self, event: PeerJoined) -> list[Effect]:
        self._peers[event.peer] = max(event.size, self._peers.get(event.peer, 0))
        return []

    def _left(self, event: PeerLeft) -> list[Effect]:
        self._peers.pop(event.peer, None)
        for job in [job for job, peer in self._in_flight.items() if peer == event.peer]:
            del self._in_flight[job]
        for index in [index for index, bundle in self._bundles.items() if bundle.peer == event.peer]:
            del self._bundles[index]
        return []

    def _set_aside(self, peer: bytes, code: str, detail: str = "") -> list[Effect]:
        """Ask this peer no more: what it owes is asked elsewhere."""
        self._left(PeerLeft(peer))
        return [Blame(peer, code, detail)]

    def _unanswered(self, event: Unanswered) -> list[Effect]:
        if self._in_flight.get(event.job) != event.peer:
            return []
        return self._set_aside(event.peer, "request_unanswered")

    # Answers, each checked before anything is believed.

    def _answered(self, event: Answered) -> list[Effect]:
        if self._in_flight.get(event.job) != event.peer:
            return []  # asked elsewhere meanwhile
        del self._in_flight[event.job]
        answer, job = event.answer, event.job
        try:
            if isinstance(answer, Refused):
                raise SessionError("request_refused", answer.code)
            if isinstance(answer, Entries) and isinstance(job, BundleJob):
                return self._entries_came(event.peer, job, answer)
            if isinstance(answer, Tiles) and not isinstance(job, BundleJob):
                return self._tiles_came(job, answer)
            raise SessionError("answer_mismatch", type(answer).__name__)
        except ProtocolError as error:
            return self._set_aside(event.peer, error.code, error.detail)

    def _tiles_came(self, job: EdgeJob | TileJob, answer: Tiles) -> list[Effect]:
        if isinstance(job, EdgeJob):
            self._tiles.accept_first(self._wanted, answer.tiles)
            return self._compare()
        if len(answer.tiles) != 1:
            raise SessionError("answer_mismatch", f"{len(answer.tiles)} tiles instead of 1")
        self._tiles.accept(job.level, job.index, answer.tiles[0])
        return self._hand_on()

    def _compare(self) -> list[Effect]:
        """Refuse a head that does not continue every signed head known so far, and what is stored.

        Before that, one of a closed epoch that leads elsewhere than the successor note says: what is held may
        be the other branch, and is compared with the right one.
        """
        if self._sealed and self._tiles.range_at(self._sealed.size).root() != self._sealed.root:
            return self._end("seal_mismatch")
        for known in self._known:
            begins_with = self._tiles.range_at(known.size).root()
            if begins_with != known.root:
                proof = consistency_proof(known.size, self.head.size, self._tiles.node)
                report = ReportFork(self.held.origin, known, self.head, begins_with, tuple(proof))
                return [report, *self._end("lane_forked")]
        if self._tiles.range_at(self.held.size).hashes != self.held.hashes:
            return self._end("fetch_local_damaged")
        self.phase = Phase.ENTRIES
        is_smaller = self._remembered is not None and self._remembered.size > self.head.size
        if is_smaller or self.head in self._known:
            return self._hand_on()  # the larger head stays remembered: it is to be compared when we get there
        self._remembered = self.head
        return [RememberHead(self.held.origin, self.head), *self._hand_on()]

    def _entries_came(self, peer: bytes, job: BundleJob, answer: Entries) -> list[Effect]:
        if answer.count > self._width(job.bundle) - job.start:
            raise SessionError("answer_mismatch", f"{answer.count} entries, more than asked for")
        entries = unpack_entries(answer.packed, answer.count)
        bundle = self._bundles.setdefault(job.bundle, _Bundle(peer, job.start))
        bundle.packed.append(answer.packed)
        bundle.hashes += leaf_hashes(entries)
        width = self._width(job.bundle)
        self._largest_bytes = max(self._largest_bytes, bundle.memory_bytes * width // len(bundle.hashes))
        if bundle.next_entry == width:
            self._ready[job.bundle] = self._verify(job.bundle, self._bundles.pop(job.bundle))
        handed_on = self._hand_on()
        self._make_room()
        return handed_on

    def _make_room(self) -> None:
        """Forget what comes last of that which cannot be handed on yet; it is asked for again in its turn."""
        while self.memory_bytes > self._bytes_max and len(self._ready) + len(self._bundles) > 1:
            last = max([*self._ready, *self._bundles])
            self._ready.pop(last, None)
            self._bundles.pop(last, None)

    def _verify(self, index: int, bundle: _Bundle) -> StoreEntries:
        """One root for a bundle: of all its leaves, or of those held already and those that came."""
        width, came = self._width(index), bundle.hashes
        root: bytes | None = None
        if bundle.next_entry < width or width < TILE_WIDTH:
            matches = came == self._tiles.leaf_hashes(index)[bundle.start : bundle.next_entry]
        else:
            root = self._tiles.hash_at(1, index)
            matches = root == (
                completed_bundle_root(self._range, came) if bundle.start else subtree_root(came)
            )
        if not matches:
            raise SessionError("fetch_bundle_mismatch", f"bundle {index}")
        return StoreEntries(
            origin=self.held.origin,
            start=index * TILE_WIDTH + bundle.start,
            count=len(bundle.hashes),
            packed=b"".join(bundle.packed),
            leaf_hashes=tuple(bundle.hashes),
            bundle_root=root,
        )

    def _hand_on(self) -> list[Effect]:
        """Verified bundles in order, and what came of the oldest; behind the last one, the head."""
        effects = self._verify_part()
        while step := self._ready.pop(self._range.size >> TILE_HEIGHT, None):
            effects.append(step)
            if step.bundle_root and step.count == TILE_WIDTH:
                self._range.append_subtree(step.bundle_root, TILE_HEIGHT)
            else:
                self._range.extend(step.leaf_hashes)
            if step.bundle_root:
                self._tiles.forget(0, (step.end - 1) >> TILE_HEIGHT)
            if self._range.size % (TILE_WIDTH * TILE_WIDTH) == 0:
                self._tiles.forget(1, (self._range.size >> 2 * TILE_HEIGHT) - 1)
            effects += self._verify_part()
        if self._range.size == self.head.size:
            assert self._range.root() == self.head.root, "every part of it was verified"
            effects += [AdoptHead(self.held.origin, self.head, self._range.hashes), *self._end("")]
        return effects

    def _verify_part(self) -> list[Effect]:
        """Make ready what came of the oldest bundle as soon as its leaf hashes are known: no whole one is held."""
        index = self._range.size >> TILE_HEIGHT
        bundle = self._bundles.get(index)
        if bundle is None or index in self._ready or not self._tiles.has(0, index):
            return []
        del self._bundles[index]
        try:
            self._ready[index] = self._verify(index, bundle)
        except SessionError as error:
            return self._set_aside(bundle.peer, error.code, error.detail)
        return []

    def _stored_on(self, event: Stored) -> list[Effect]:
        self._stored = max(self._stored, event.size)
        return []

    # Requests.

    def _ask_on(self) -> list[Effect]:
        """Ask for as much as the window allows, each job at the peer that owes least."""
        asks: list[Effect] = []
        for job in self._open_jobs():
            peer = self._choose_peer(job)
            if peer is not None:
                self._in_flight[job] = peer
                asks.append(Ask(peer, job, self._request(job)))
        if self._is_waiting_for_nothing():
            return self._end("fetch_peer_missing")
        return asks

    def _is_waiting_for_nothing(self) -> bool:
        has_room = self._range.size >> TILE_HEIGHT < self._window_end
        return self.phase is not Phase.ENDED and not self._in_flight and has_room

    @property
    def _window_end(self) -> int:
        return (self._stored >> TILE_HEIGHT) + self._bundles_max

    def _open_jobs(self) -> list[Job]:
        """What could be asked for now and is not: nothing past the window, and a tile before its bundles."""
        if self.phase is Phase.ENDED:
            return []
        if self.phase is Phase.TILES:
            return [] if EdgeJob() in self._in_flight else [EdgeJob()]
        oldest = self._range.size >> TILE_HEIGHT
        ahead = max(1, self._bytes_max // self._largest_bytes)
        indexes = range(oldest, min(self._bundle_end, self._window_end, oldest + ahead))
        jobs = dict.fromkeys(self._job_for(index, oldest) for index in indexes)
        return [job for job in jobs if job is not None and job not in self._in_flight]

    def _job_for(self, index: int, oldest: int) -> Job | None:
        """A bundle that came in part is continued when it is the oldest, once what came of it is handed on."""
        if index in self._ready:
            return None
        if self._width(index) == TILE_WIDTH:
            tile = self._tiles.missing_above(1, index)
            if tile:
                return TileJob(level=tile[0], index=tile[1])
        bundle = self._bundles.get(index)
        if bundle:
            return TileJob(level=0, index=index) if index == oldest else None
        return BundleJob(index, self._range.size % TILE_WIDTH if index == oldest else 0)

    def _choose_peer(self, job: Job) -> bytes | None:
        """The least busy of the peers whose head covers the job."""
        needed = self._size_needed(job)
        able = [peer for peer, size in self._peers.items() if size >= needed]
        busy = list(self._in_flight.values())
        return min(able, key=busy.count, default=None)

    def _size_needed(self, job: Job) -> int:
        if isinstance(job, EdgeJob):
            return self.head.size
        if isinstance(job, TileJob):
            return (job.index + 1) << TILE_HEIGHT * (job.level + 1)
        return job.bundle * TILE_WIDTH + self._width(job.bundle)

    def _request(self, job: Job) -> TilesGet | EntriesGet:
        origin = self.held.origin
        if isinstance(job, EdgeJob):
            return TilesGet(0, origin, self._wanted)
        if isinstance(job, TileJob):
            return TilesGet(0, origin, (TileWanted(job.level, job.index, TILE_WIDTH),))
        return EntriesGet(0, origin, job.bundle, job.start, self._width(job.bundle))

    def _width(self, bundle: int) -> int:
        return tile_width(self.head.size, 0, bundle)

    def _end(self, code: str) -> list[Effect]:
        self.phase = Phase.ENDED
        return [Ended(code)]

    # The legal moves. What is not listed is late and changes nothing.
    _MOVES: ClassVar[Mapping[tuple[Phase, type[Event]], Callable[..., list[Effect]]]] = {
        (Phase.TILES, PeerJoined): _joined,
        (Phase.TILES, PeerLeft): _left,
        (Phase.TILES, Answered): _answered,
        (Phase.TILES, Unanswered): _unanswered,
        (Phase.ENTRIES, PeerJoined): _joined,
        (Phase.ENTRIES, PeerLeft): _left,
        (Phase.ENTRIES, Answered): _answered,
        (Phase.ENTRIES, Unanswered): _unanswered,
        (Phase.ENTRIES, Stored): _stored_on,
    }
