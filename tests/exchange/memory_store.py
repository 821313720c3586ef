"""A store in memory, written the naive way: lists of entries, trees computed from all leaves."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from protocol.exchange.frames import (
    Answer,
    Entries,
    EntriesGet,
    HeadsBesides,
    HeadsCompare,
    HeadsSince,
    Refused,
    Request,
    Statement,
    StatementGet,
    StatementsSince,
    Tiles,
    TilesGet,
)
from protocol.exchange.heads import HeadChange, make_heads_besides, make_heads_page, make_summary
from protocol.exchange.holding import (
    AdoptHead,
    CompareHead,
    HeldLane,
    RememberHead,
    ReportFork,
    SignedHead,
    StoreEntries,
    StoreStep,
)
from protocol.exchange.listing import HeadsItemized, HeadsSummedUp, Place, SumUpHeads, sum_up
from protocol.exchange.replication_events import LaneAdvanced, LaneStored, StepsFailed
from protocol.exchange.statements import (
    JudgeStatement,
    LoadStatements,
    StatementJudged,
    StatementsGrown,
    StatementsLoaded,
    digest_of,
    make_digests_page,
)
from protocol.identity.keys import SigningKey
from protocol.limits import ENTRIES_FRAME_BYTES_MAX
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.fork import FIRST_LINE, make_fork, parse_fork, verify_fork
from protocol.log.merkle import CompactRange, consistency_proof, leaf_hashes, subtree_root
from protocol.log.origin import Origin
from protocol.log.tiles import pack_entries, unpack_entries


@dataclass
class MemoryLane:
    entries: list[bytes] = field(default_factory=list)
    leaves: list[bytes] = field(default_factory=list)
    adopted: SignedHead | None = None
    remembered: SignedHead | None = None
    readers: frozenset[bytes] | None = None
    change: int = 0

    def range(self) -> CompactRange:
        lane = CompactRange()
        lane.extend(self.leaves)
        return lane

    def tile(self, level: int, index: int, width: int) -> bytes | None:
        span = 256**level
        if (index * 256 + width) * span > len(self.leaves):
            return None
        starts = range(index * 256 * span, (index * 256 + width) * span, span)
        return b"".join(subtree_root(self.leaves[start : start + span]) for start in starts)


def sign_head(origin: Origin, leaves: Iterable[bytes], key: SigningKey) -> SignedHead:
    lane = CompactRange()
    lane.extend(list(leaves))
    checkpoint = Checkpoint(origin.text, lane.size, lane.root())
    return SignedHead(make_checkpoint_note(checkpoint, key), checkpoint)


class MemoryStore:
    """`log_publics` are the log keys of all communities that this one follows, its own among them."""

    def __init__(self, community: bytes, key: SigningKey, log_publics: dict[bytes, bytes]) -> None:
        self.community = community
        self.key = key
        self.log_publics = log_publics
        self.lanes: dict[Origin, MemoryLane] = {}
        self.changes = 0
        self.instance = community[:16]
        self.places: dict[bytes, Place] = {}
        self.shown: dict[bytes, dict[Origin, int]] = {}
        self.steps: list[StoreStep] = []
        self.is_full = False
        self.statements: list[bytes] = []
        self.unknown: set[bytes] = set()

    def append(self, origin: Origin, entries: list[bytes]) -> LaneAdvanced:
        lane = self.lanes.setdefault(origin, MemoryLane())
        start = len(lane.entries)
        lane.entries += entries
        lane.leaves += leaf_hashes(entries)
        self._advance(origin, sign_head(origin, lane.leaves, self.key))
        return self.news(origin, start)

    def news(self, origin: Origin, shown: int) -> LaneAdvanced:
        """The newest head of an own lane, with its entries past `shown` where they are few."""
        lane = self.lanes[origin]
        assert lane.adopted is not None
        fresh = lane.entries[shown:]
        packed = pack_entries(fresh) if 0 < len(fresh) <= 256 else b""
        return LaneAdvanced(
            origin, lane.adopted, True, shown, len(fresh) if packed else 0, packed, lane.readers
        )

    def held(self, origin: Origin) -> HeldLane | None:
        if origin.community not in self.log_publics:
            return None
        lane = self.lanes.setdefault(origin, MemoryLane())
        tree = lane.range()
        is_own = origin.community == self.community
        public, is_forked = self.log_publics[origin.community], origin in self.forks
        return HeldLane(
            origin, public, tree.size, tree.hashes, lane.adopted, lane.remembered, is_own, is_forked
        )

    def take(self, step: StoreStep) -> LaneAdvanced | LaneStored | StepsFailed:
        """Entries are taken exactly behind those that are there, and a head exactly behind its entries."""
        lane = self.lanes[step.origin]
        size = len(lane.entries)
        fits = isinstance(step, RememberHead) or size == (
            step.start if isinstance(step, StoreEntries) else step.head.size
        )
        if self.is_full or not fits:
            return StepsFailed(step.origin)
        self.steps.append(step)
        if isinstance(step, RememberHead):
            lane.remembered = step.head
        if isinstance(step, StoreEntries):
            entries = unpack_entries(step.packed, step.count)
            assert step.start // 256 == (step.start + step.count - 1) // 256
            assert list(step.leaf_hashes) == leaf_hashes(entries)
            lane.entries += entries
            lane.leaves += step.leaf_hashes
            whole = len(lane.leaves) % 256 == 0
            assert step.bundle_root == (subtree_root(lane.leaves[-256:]) if whole else None)
        if isinstance(step, AdoptHead):
            tree = lane.range()
            assert (tree.root(), tree.hashes) == (step.head.root, step.hashes)
            return self._advance(step.origin, step.head)
        return LaneStored(step.origin, len(lane.entries))

    def mind(self, effect: LoadStatements | JudgeStatement) -> list[Any]:
        """A statement of the tests holds when it begins with `good`; those in `unknown` cannot be judged."""
        if isinstance(effect, LoadStatements):
            if effect.after is None:
                return [StatementsLoaded(len(self.statements), tuple(map(digest_of, self.statements)))]
            return [StatementsLoaded(len(self.statements), (), tuple(self.statements[effect.after :]))]
        text, digest = effect.text, digest_of(effect.text)
        if text in self.unknown:
            return [StatementJudged(effect.peer, digest, "statement_undecided")]
        if text.startswith(FIRST_LINE):
            verify_fork(parse_fork(text), self.log_publics[parse_fork(text).origin.community])
            is_new = self._add_fork(text)
        elif not text.startswith(b"good"):
            return [StatementJudged(effect.peer, digest, "note_not_signed", is_blamed=True)]
        else:
            is_new = text not in self.statements
            self.statements += [text] if is_new else []
        return [StatementJudged(effect.peer, digest), *([StatementsGrown()] if is_new else [])]

    @property
    def forks(self) -> set[Origin]:
        return {parse_fork(text).origin for text in self.statements if text.startswith(FIRST_LINE)}

    def keep_fork(self, report: ReportFork) -> bool:
        """Make the proof of what was reported, and keep it where it is the first of its lane."""
        public = self.log_publics[report.origin.community]
        begins_with, hashes = report.begins_with, report.proof
        text = make_fork(report.older.note, report.newer.note, public, begins_with=begins_with, hashes=hashes)
        verify_fork(parse_fork(text), public)
        return self._add_fork(text)

    def _add_fork(self, text: bytes) -> bool:
        is_new = parse_fork(text).origin not in self.forks
        self.statements += [text] if is_new else []
        return is_new

    def compare(self, effect: CompareHead) -> ReportFork | None:
        """Hold a smaller head against all leaves."""
        lane, head = self.lanes[effect.origin], effect.head
        smaller = CompactRange()
        smaller.extend(lane.leaves[: head.size])
        if lane.adopted is None or smaller.root() == head.root:
            return None
        leaves = lane.leaves[: lane.adopted.size]
        proof = consistency_proof(
            head.size, len(leaves), lambda level, at: subtree_root(leaves[at << level : (at + 1) << level])
        )
        return ReportFork(effect.origin, head, lane.adopted, smaller.root(), tuple(proof))

    def answer(self, reader: bytes, request: Request) -> Answer:
        if isinstance(request, StatementsSince):
            return make_digests_page(request, set(map(digest_of, self.statements)))
        if isinstance(request, StatementGet):
            found = [text for text in self.statements if digest_of(text) == request.digest]
            refused = Refused(request.number, "statement_not_held", "")
            return Statement(request.number, found[0]) if found else refused
        if isinstance(request, HeadsSince):
            return self._heads(reader, request)
        if isinstance(request, HeadsCompare):
            return make_summary(request, self.notes_for(reader), instance=self.instance, newest=self.changes)
        if isinstance(request, HeadsBesides):
            return make_heads_besides(
                request, self.notes_for(reader), instance=self.instance, newest=self.changes
            )
        if isinstance(request, TilesGet | EntriesGet) and request.origin in self._readable(reader):
            lane = self.lanes[request.origin]
            if isinstance(request, EntriesGet):
                return self._entries(lane, request)
            tiles = [lane.tile(tile.level, tile.index, tile.width) for tile in request.tiles]
            if None not in tiles:
                return Tiles(request.number, tuple(tile for tile in tiles if tile))
        return Refused(request.number, "lane_not_served", "")

    def notes_for(self, reader: bytes) -> list[bytes]:
        heads = [self.lanes[origin].adopted for origin in self._readable(reader)]
        return [head.note for head in heads if head]

    def sum_up(self, wanted: SumUpHeads, fresh_key: bytes) -> HeadsSummedUp | HeadsItemized:
        return sum_up(wanted, self.notes_for(wanted.peer), fresh_key=fresh_key)

    def _entries(self, lane: MemoryLane, request: EntriesGet) -> Answer:
        first = request.bundle * 256
        entries = lane.entries[first + request.start : first + request.end]
        if len(entries) < request.end - request.start:
            return Refused(request.number, "range_not_held", "")
        while len(pack_entries(entries)) > ENTRIES_FRAME_BYTES_MAX:
            entries.pop()
        return Entries(request.number, len(entries), pack_entries(entries))

    def _heads(self, reader: bytes, request: HeadsSince) -> Answer:
        changes = [
            HeadChange(lane.change, origin, lane.adopted.note)
            for origin, lane in self.lanes.items()
            if lane.adopted and lane.change > request.after
        ]
        return make_heads_page(
            request,
            sorted(changes, key=lambda change: change.number),
            readable=self._readable(reader),
            instance=self.instance,
            newest=self.changes,
        )

    def _readable(self, reader: bytes) -> set[Origin]:
        return {
            origin for origin, lane in self.lanes.items() if lane.readers is None or reader in lane.readers
        }

    def _advance(self, origin: Origin, head: SignedHead) -> LaneAdvanced:
        lane = self.lanes[origin]
        self.changes += 1
        lane.change, lane.adopted = self.changes, head
        return LaneAdvanced(origin, head, False, readers=lane.readers)
