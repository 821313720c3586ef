"""The fetch of one lane: what it asks, what it believes, what a liar or a kill costs."""

from collections.abc import Callable
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.exchange.fetch import (
    Answered,
    Ask,
    BundleJob,
    EdgeJob,
    Effect,
    Ended,
    Event,
    LaneFetch,
    PeerJoined,
    PeerLeft,
    Phase,
    Stored,
    TileJob,
    Unanswered,
)
from protocol.exchange.frames import Answer, Entries, EntriesGet, Refused, Tiles, TilesGet
from protocol.exchange.holding import (
    AdoptHead,
    Blame,
    HeldLane,
    RememberHead,
    ReportFork,
    SignedHead,
    StoreEntries,
)
from protocol.limits import FETCH_BUNDLES_MAX, FETCH_BYTES_MAX
from protocol.log.merkle import verify_consistency
from protocol.log.tiles import pack_entries
from tests.exchange.memory_store import MemoryStore, sign_head
from tests.exchange.villages import KEYS, LOG_PUBLICS, A, B, entries, lane_of

ORIGIN = lane_of(A)
P, Q, R = b"P" * 32, b"Q" * 32, b"R" * 32
SIZES = (1, 255, 256, 257, 700, 1024)


def full_store(size: int, *, entry_bytes: int = 40, changed: int | None = None) -> MemoryStore:
    """The owner's store with that many entries; `changed` is an entry that says something else."""
    told = entries(size, size=entry_bytes)
    if changed is not None:
        told[changed] = b"another story"
    store = MemoryStore(A, KEYS[A], LOG_PUBLICS)
    store.append(ORIGIN, told)
    return store


def head_of(store: MemoryStore) -> SignedHead:
    head = store.lanes[ORIGIN].adopted
    assert head is not None
    return head


def reader_store(
    size: int = 0, stored: int | None = None, remembered: SignedHead | None = None
) -> MemoryStore:
    """A follower that adopted `size` entries and, before a kill, stored some more of a remembered head."""
    told = entries(size if stored is None else stored)
    owner = full_store(size) if size else None
    store = MemoryStore(B, KEYS[B], LOG_PUBLICS)
    store.held(ORIGIN)
    lane = store.lanes[ORIGIN]
    lane.entries, lane.leaves = told, full_store(len(told)).lanes[ORIGIN].leaves if told else []
    lane.adopted, lane.remembered = head_of(owner) if owner else None, remembered
    return store


def held_in(store: MemoryStore) -> HeldLane:
    held = store.held(ORIGIN)
    assert held is not None
    return held


class Exchange:
    """Plays the peers and the store of one fetch; `lie` may change or withhold what a peer answers."""

    def __init__(
        self,
        reader: MemoryStore,
        owner: MemoryStore,
        *peers: bytes,
        lie: Callable[[Ask, Answer], Answer | None] = lambda _ask, answer: answer,
        bundles_max: int = FETCH_BUNDLES_MAX,
        bytes_max: int = FETCH_BYTES_MAX,
    ) -> None:
        self.reader, self.owner, self.lie = reader, owner, lie
        self.asks: list[Ask] = []
        self.effects: list[Effect] = []
        self.fetch = LaneFetch(held_in(reader), head_of(owner), bundles_max=bundles_max, bytes_max=bytes_max)
        for peer in peers:
            self.tell(PeerJoined(peer, head_of(owner).size))

    def tell(self, event: Event) -> None:
        for effect in self.fetch.handle(event):
            self.effects.append(effect)
            if isinstance(effect, Ask):
                self.asks.append(effect)
            if isinstance(effect, RememberHead | StoreEntries | AdoptHead):
                self.reader.take(effect)

    def run(self, asks_max: int = 10**6) -> "Exchange":
        done = 0
        while self.asks and done < asks_max:
            done += 1
            ask = self.asks.pop(0)
            answer = self.lie(ask, self.owner.answer(B, ask.request))
            self.tell(Answered(ask.peer, ask.job, answer) if answer else Unanswered(ask.peer, ask.job))
            self.tell(Stored(len(self.reader.lanes[ORIGIN].entries)))
        return self

    @property
    def ended(self) -> str | None:
        return next((effect.code for effect in self.effects if isinstance(effect, Ended)), None)

    @property
    def blames(self) -> list[tuple[bytes, str]]:
        return [(effect.peer, effect.code) for effect in self.effects if isinstance(effect, Blame)]

    def has_everything(self) -> bool:
        lane = self.reader.lanes[ORIGIN]
        return lane.entries == self.owner.lanes[ORIGIN].entries and lane.adopted == head_of(self.owner)


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_size_reaches_any_larger_head(data: st.DataObject) -> None:
    """From every local size, within or between bundles, the lane ends equal to the owner's."""
    owner = full_store(data.draw(st.integers(1, 1500)))
    size = data.draw(st.integers(0, head_of(owner).size))
    exchange = Exchange(reader_store(size), owner, P, Q, bundles_max=data.draw(st.integers(1, 4))).run()
    assert (exchange.ended, exchange.has_everything(), exchange.blames) == ("", True, [])
    assert exchange.fetch.held_now() == held_in(exchange.reader)


def test_a_lane_of_several_levels_of_tiles_is_fetched() -> None:
    """Past 65,536 entries the tiles above the bundles are asked for when they are needed."""
    owner = full_store(66_000)
    exchange = Exchange(reader_store(300), owner, P, Q).run()
    assert (exchange.ended, exchange.has_everything()) == ("", True)


def test_entries_come_before_the_head_that_covers_them() -> None:
    """Remember the note, store every entry in order, and only then adopt: a kill leaves no untruth."""
    exchange = Exchange(reader_store(300), full_store(1000), P).run()
    steps = [step for step in exchange.reader.steps if not isinstance(step, StoreEntries)]
    assert [type(step) for step in steps] == [RememberHead, AdoptHead]
    assert isinstance(exchange.reader.steps[0], RememberHead)
    assert isinstance(exchange.reader.steps[-1], AdoptHead)
    starts = [step.start for step in exchange.reader.steps if isinstance(step, StoreEntries)]
    assert starts == [300, 512, 768]


def test_only_missing_entries_are_asked_for() -> None:
    """Of a bundle that is held in part, the rest comes; of those held whole, nothing."""
    exchange = Exchange(reader_store(300), full_store(1000), P)
    seen: list[tuple[int, int, int]] = []
    while exchange.asks:
        request = exchange.asks[0].request
        if isinstance(request, EntriesGet):
            seen.append((request.bundle, request.start, request.end))
        exchange.run(asks_max=1)
    assert seen == [(1, 44, 256), (2, 0, 256), (3, 0, 232)]


def test_several_peers_share_the_work_evenly() -> None:
    """No peer owes more than its part of what is under way."""
    exchange = Exchange(reader_store(), full_store(256 * 20), P, Q, R, bundles_max=12)
    exchange.run(asks_max=1)
    owed = [ask.peer for ask in exchange.asks]
    assert [owed.count(peer) for peer in (P, Q, R)] == [4, 4, 4]
    assert exchange.run().has_everything()


def test_a_peer_with_a_smaller_head_gives_what_it_has() -> None:
    """Bundles that its head covers may come from it; the rest may not."""
    owner = full_store(1000)
    exchange = Exchange(reader_store(), owner, P)
    exchange.tell(PeerJoined(Q, 600))
    asked: dict[bytes, set[int]] = {P: set(), Q: set()}
    while exchange.asks:
        job = exchange.asks[0].job
        if isinstance(job, BundleJob):
            asked[exchange.asks[0].peer].add(job.bundle)
        exchange.run(asks_max=1)
    assert exchange.has_everything()
    assert asked[Q]
    assert asked[Q] <= {0, 1}


def test_no_more_is_under_way_than_the_window_allows() -> None:
    """A store that does not keep up holds the fetch back, and nothing is lost by it."""
    owner = full_store(256 * 30)
    exchange = Exchange(reader_store(), owner, P, bundles_max=5)
    exchange.run(asks_max=1)
    for _ in range(5):
        ask = exchange.asks.pop(0)
        exchange.tell(Answered(ask.peer, ask.job, owner.answer(B, ask.request)))
    assert exchange.asks == []
    assert exchange.ended is None
    exchange.tell(Stored(256 * 2))
    assert [ask.job for ask in exchange.asks] == [BundleJob(5, 0), BundleJob(6, 0)]
    assert exchange.run().has_everything()


@pytest.mark.parametrize("backwards", [False, True])
def test_what_waits_for_what_comes_before_it_is_bounded_in_bytes(*, backwards: bool) -> None:
    """Whatever the sizes of bundles, and in which order they come; what did not fit is asked for again."""
    owner = full_store(256 * 12, entry_bytes=2_000)
    exchange = Exchange(reader_store(), owner, P, Q, bytes_max=1_500_000)
    asks = 0
    while exchange.asks:
        if backwards:
            exchange.asks.reverse()
        exchange.run(asks_max=1)
        asks += 1
        assert exchange.fetch.memory_bytes <= 1_500_000
    assert exchange.has_everything()
    assert asks <= 3 * 12 + 2


@pytest.mark.parametrize("liar", [P, Q])
def test_a_part_is_verified_before_it_is_handed_on(liar: bytes) -> None:
    """Entries that came without the rest of their bundle are held against its leaf hashes, whoever told those."""
    owner = full_store(300, entry_bytes=30_000)
    exchange = Exchange(reader_store(), owner, P, Q, lie=lie_from(liar, flip_entry)).run()
    assert exchange.has_everything()
    assert exchange.blames == [(liar, "fetch_bundle_mismatch")]


def test_a_bundle_larger_than_a_frame_comes_in_parts_and_one_at_a_time() -> None:
    """Only the oldest bundle is continued, and handed on part by part: memory never holds a whole large one."""
    owner = full_store(600, entry_bytes=30_000)
    exchange = Exchange(reader_store(), owner, P, Q, bundles_max=3, bytes_max=2_000_000)
    parts: list[BundleJob] = []
    while exchange.asks:
        job = exchange.asks[0].job
        if isinstance(job, BundleJob):
            parts.append(job)
        exchange.run(asks_max=1)
        assert exchange.fetch.memory_bytes <= 2_000_000
    assert exchange.has_everything()
    later = [job for job in parts if job.start]
    assert len(later) > 12
    assert [job.bundle for job in later] == sorted(job.bundle for job in later)


def lie_from(
    liar: bytes, falsify: Callable[[Answer], Answer | None]
) -> Callable[[Ask, Answer], Answer | None]:
    return lambda ask, answer: falsify(answer) if ask.peer == liar else answer


def flip_tile(answer: Answer) -> Answer | None:
    if not isinstance(answer, Tiles):
        return answer
    return Tiles(answer.number, (answer.tiles[0][:-1] + bytes([answer.tiles[0][-1] ^ 1]), *answer.tiles[1:]))


def flip_entry(answer: Answer) -> Answer | None:
    if not isinstance(answer, Entries):
        return answer
    return Entries(answer.number, answer.count, answer.packed[:-1] + bytes([answer.packed[-1] ^ 1]))


def say_too_much(answer: Answer) -> Answer | None:
    if not isinstance(answer, Entries):
        return answer
    return Entries(answer.number, 256, pack_entries(entries(256)))


LIES: dict[str, tuple[Callable[[Answer], Answer | None], set[str]]] = {
    "a flipped tile": (flip_tile, {"fetch_root_mismatch", "fetch_tile_mismatch"}),
    "a flipped entry": (flip_entry, {"fetch_bundle_mismatch"}),
    "more than asked for": (say_too_much, {"answer_mismatch", "fetch_bundle_mismatch"}),
    "no tiles": (lambda answer: Tiles(0, ()) if isinstance(answer, Tiles) else answer, {"answer_mismatch"}),
    "one byte less": (
        lambda answer: (
            Entries(0, answer.count, answer.packed[:-1]) if isinstance(answer, Entries) else answer
        ),
        {"bundle_length"},
    ),
    "a refusal": (lambda answer: Refused(0, "lane_not_served", ""), {"request_refused"}),
    "another answer": (
        lambda answer: Entries(0, 1, b"\x00\x00"),
        {"answer_mismatch", "fetch_bundle_mismatch"},
    ),
    "silence": (lambda _answer: None, {"request_unanswered"}),
}


@pytest.mark.parametrize(("lie", "order"), list(product(LIES, [(P, Q), (Q, P)])))
def test_a_liar_costs_one_request_and_is_named(lie: str, order: tuple[bytes, bytes]) -> None:
    """The other peer gives what is missing, nothing false is stored, and the liar is asked no more."""
    falsify, codes = LIES[lie]
    exchange = Exchange(
        reader_store(300), full_store(256 * 8), *order, lie=lie_from(P, falsify), bundles_max=2
    )
    exchange.run()
    assert (exchange.ended, exchange.has_everything()) == ("", True)
    assert {peer for peer, _ in exchange.blames} <= {P}
    assert len(exchange.blames) <= 1
    assert {code for _, code in exchange.blames} <= codes
    if order[0] == P or lie in {"a flipped entry", "one byte less"}:
        assert exchange.blames


def test_a_liar_alone_stores_nothing_false_and_ends_the_fetch() -> None:
    """Without another peer the fetch stops where it is, and says why."""
    exchange = Exchange(reader_store(), full_store(900), P, lie=lie_from(P, flip_entry)).run()
    assert (exchange.ended, exchange.blames) == ("fetch_peer_missing", [(P, "fetch_bundle_mismatch")])
    assert exchange.reader.lanes[ORIGIN].entries == []
    assert exchange.reader.lanes[ORIGIN].adopted is None


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 12), st.integers(1, 3))
def test_a_kill_at_any_moment_costs_what_was_under_way(answers: int, bundles_max: int) -> None:
    """What was stored is not fetched again, and the next life brings the lane home."""
    owner = full_store(1300)
    reader = reader_store(100)
    Exchange(reader, owner, P, bundles_max=bundles_max).run(asks_max=answers)
    stored = len(reader.lanes[ORIGIN].entries)
    assert reader.lanes[ORIGIN].adopted != head_of(owner) or stored == 1300
    again = Exchange(reader, owner, Q, bundles_max=bundles_max)
    again.run()
    assert again.ended == ""
    assert again.has_everything()
    assert reader.lanes[ORIGIN].entries == entries(1300)


def test_a_kill_between_the_last_entry_and_the_head_needs_no_entry() -> None:
    """All entries are there; only the hashes are asked for, and the head is adopted."""
    owner = full_store(600)
    reader = reader_store(100, stored=600, remembered=head_of(owner))
    exchange = Exchange(reader, owner, P)
    assert [type(ask.request) for ask in exchange.asks] == [TilesGet]
    assert exchange.run().has_everything()


@pytest.mark.parametrize(
    ("known", "newer"), [(known, newer) for known in SIZES for newer in SIZES if known < newer]
)
def test_a_head_that_contradicts_ours_is_reported_and_nothing_is_stored(known: int, newer: int) -> None:
    """Both signed heads and a proof that anyone can check offline; no entry is asked for."""
    forked = full_store(newer, changed=0)
    reader = reader_store(known)
    exchange = Exchange(reader, forked, P).run()
    assert exchange.ended == "lane_forked"
    report = next(effect for effect in exchange.effects if isinstance(effect, ReportFork))
    assert (report.older, report.newer) == (head_of(full_store(known)), head_of(forked))
    other_root = sign_head(ORIGIN, forked.lanes[ORIGIN].leaves[:known], KEYS[A]).root
    assert other_root != report.older.root
    verify_consistency(
        report.proof,
        first=known,
        first_root=other_root,
        second=report.newer.size,
        second_root=report.newer.root,
    )
    assert reader.steps == []
    assert exchange.blames == []


def test_a_remembered_head_is_evidence_too() -> None:
    """A head whose entries were on their way at a kill contradicts the next one: two signatures, one liar."""
    honest = full_store(1000)
    reader = reader_store(100, stored=512, remembered=head_of(honest))
    exchange = Exchange(reader, full_store(1200, changed=700), P).run()
    report = next(effect for effect in exchange.effects if isinstance(effect, ReportFork))
    assert report.older == head_of(honest)
    assert reader.steps == []


def test_a_damaged_copy_is_told_from_a_fork() -> None:
    """Where the signed heads agree and the stored hashes do not, the fault is our own disk's."""
    reader = reader_store(700)
    reader.lanes[ORIGIN].leaves[3] = b"!" * 32
    exchange = Exchange(reader, full_store(1000), P).run()
    assert (exchange.ended, exchange.blames) == ("fetch_local_damaged", [])


def test_a_peer_that_leaves_is_replaced() -> None:
    """What it owed is asked of the others; with nobody left the fetch ends and keeps what it has."""
    exchange = Exchange(reader_store(), full_store(256 * 6), P, Q, bundles_max=4).run(asks_max=3)
    exchange.tell(PeerLeft(P))
    exchange.asks = [ask for ask in exchange.asks if ask.peer == Q]
    assert exchange.run().has_everything()
    alone = Exchange(reader_store(), full_store(256 * 6), P, bundles_max=2).run(asks_max=3)
    alone.tell(PeerLeft(P))
    assert alone.ended == "fetch_peer_missing"
    assert alone.fetch.held_now() == held_in(alone.reader)
    assert alone.fetch.held_now().size >= 256


def reach(phase: Phase) -> Exchange:
    """A fetch in the given phase, with a request to P under way unless it is over."""
    exchange = Exchange(reader_store(), full_store(900), P)
    if phase is not Phase.TILES:
        exchange.run(asks_max=1 if phase is Phase.ENTRIES else 100)
    assert exchange.fetch.phase is phase
    return exchange


EVENTS: dict[str, Event] = {
    "joined": PeerJoined(Q, 900),
    "joined again": PeerJoined(P, 901),
    "left": PeerLeft(P),
    "left unknown": PeerLeft(R),
    "edge answered": Answered(P, EdgeJob(), Tiles(0, (b"h" * 32,))),
    "tile answered": Answered(P, TileJob(1, 0), Tiles(0, (b"h" * 8192,))),
    "bundle answered": Answered(P, BundleJob(0, 0), Entries(0, 256, pack_entries(entries(256)))),
    "nonsense answered": Answered(P, BundleJob(0, 0), Refused(0, "lane_not_served", "")),
    "stranger answered": Answered(R, BundleJob(0, 0), Entries(0, 256, pack_entries(entries(256)))),
    "edge unanswered": Unanswered(P, EdgeJob()),
    "bundle unanswered": Unanswered(P, BundleJob(1, 0)),
    "stored": Stored(256),
}
NEXT: dict[tuple[Phase, str], Phase] = {
    **{(phase, name): phase for phase, name in product(Phase, EVENTS)},
    (Phase.TILES, "left"): Phase.ENDED,
    (Phase.TILES, "edge answered"): Phase.ENDED,
    (Phase.TILES, "edge unanswered"): Phase.ENDED,
    (Phase.ENTRIES, "left"): Phase.ENDED,
    (Phase.ENTRIES, "nonsense answered"): Phase.ENDED,
    (Phase.ENTRIES, "bundle unanswered"): Phase.ENDED,
}


@pytest.mark.parametrize(("phase", "name"), list(product(Phase, EVENTS)))
def test_every_phase_meets_every_event(phase: Phase, name: str) -> None:
    """Each pair ends where the table says; it ends once; and after the end nothing is done at all."""
    exchange = reach(phase)
    before = len(exchange.effects)
    exchange.tell(EVENTS[name])
    assert exchange.fetch.phase is NEXT[phase, name]
    later = exchange.effects[before:]
    assert [effect for effect in later if isinstance(effect, Ended)] == (
        [Ended("fetch_peer_missing")] if NEXT[phase, name] is not phase else []
    )
    if phase is Phase.ENDED:
        assert later == []


def test_answers_that_come_twice_or_in_another_order_are_harmless() -> None:
    """The same bundle again, or the last bundle first, changes nothing in what is stored."""
    owner = full_store(256 * 5)
    exchange = Exchange(reader_store(), owner, P, Q)
    exchange.run(asks_max=1)
    asks, exchange.asks = exchange.asks[::-1], []
    for ask in asks * 2:
        exchange.tell(Answered(ask.peer, ask.job, owner.answer(B, ask.request)))
    assert exchange.has_everything()
