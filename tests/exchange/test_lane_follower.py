"""One followed lane: offers weighed, news taken, own lanes guarded, and every state under every event."""

from dataclasses import replace
from itertools import permutations, product

import pytest

from protocol.exchange.fetch import Answered, Ask, EdgeJob, PeerLeft, Stored, Unanswered
from protocol.exchange.following import (
    Adopted,
    Compared,
    Effect,
    Event,
    Forked,
    LaneFollower,
    Load,
    Loaded,
    NewsOffered,
    Offered,
    OwnAdvanced,
    OwnLaneSeen,
    Permitted,
    QuotaReached,
    ReportDamage,
    Retried,
    State,
    StoreFailed,
)
from protocol.exchange.frames import News, Refused
from protocol.exchange.heads import read_offer, state_head
from protocol.exchange.holding import (
    AdoptHead,
    Blame,
    CompareHead,
    HeldLane,
    RememberHead,
    ReportFork,
    SignedHead,
    StoreEntries,
)
from protocol.exchange.news import make_news
from protocol.identity.keys import SigningKey
from protocol.limits import INTEGER_MAX, NEWS_BYTES_MAX
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.merkle import leaf_hashes
from protocol.log.tiles import pack_entries
from tests.exchange.memory_store import MemoryStore, sign_head
from tests.exchange.villages import KEYS, LOG_PUBLICS, A, B, entries, lane_of

ORIGIN = lane_of(A)
P, Q = b"P" * 32, b"Q" * 32


def head(size: int, *, key: SigningKey = KEYS[A], changed: int | None = None) -> SignedHead:
    told = entries(size)
    if changed is not None:
        told[changed] = b"another story"
    return sign_head(ORIGIN, leaf_hashes(told), key)


def offered(peer: bytes, size: int, *, key: SigningKey = KEYS[A], changed: int | None = None) -> Offered:
    return Offered(peer, read_offer(state_head(head(size, key=key, changed=changed).note)))


def news(peer: bytes, size: int, start: int, *, told: list[bytes] | None = None) -> NewsOffered:
    stated = state_head(head(size).note)
    packed = pack_entries(told or entries(size - start, start))
    return NewsOffered(peer, read_offer(stated), News(stated, start, packed))


def held(size: int, *, is_own: bool = False, broken: bool = False, room: int = INTEGER_MAX) -> HeldLane:
    store = MemoryStore(A if is_own else B, KEYS[A], LOG_PUBLICS)
    if is_own:
        store.append(ORIGIN, entries(size))
    else:
        store.held(ORIGIN)
        lane = store.lanes[ORIGIN]
        lane.entries, lane.leaves = entries(size), leaf_hashes(entries(size))
        lane.adopted = head(size) if size else None
        if broken:
            lane.leaves[0] = b"!" * 32
    lane_held = store.held(ORIGIN)
    assert lane_held is not None
    return replace(lane_held, room_bytes=room)


def follow(*events: Event) -> tuple[LaneFollower, list[Effect]]:
    follower = LaneFollower(ORIGIN)
    return follower, [effect for event in events for effect in follower.handle(event)]


def test_a_larger_head_waits_for_its_turn_and_is_then_fetched() -> None:
    """Nothing is asked of anybody before there is room for the fetch."""
    follower, effects = follow(Loaded(held(10)), offered(P, 20))
    assert (follower.state, effects) == (State.WANTING, [])
    assert follower.missing == 10
    asks = follower.handle(Permitted())
    assert [type(effect) for effect in asks] == [Ask]
    assert follower.state is State.FETCHING


def test_a_peer_with_a_smaller_head_does_not_end_the_fetch_of_a_larger_one() -> None:
    """In whatever order the offers came, the one who has it all is asked first."""
    follower, _ = follow(Loaded(held(10)), offered(P, 15), offered(Q, 20))
    asks = [effect for effect in follower.handle(Permitted()) if isinstance(effect, Ask)]
    assert [ask.peer for ask in asks] == [Q]
    assert follower.state is State.FETCHING


def test_offers_that_came_before_the_store_answered_are_weighed_then() -> None:
    """An early offer is kept; one that is behind us is held against the store, and forgotten."""
    assert follow(offered(P, 20), Loaded(held(10)))[0].state is State.WANTING
    follower, effects = follow(offered(P, 10), offered(Q, 7), Loaded(held(10)))
    assert (follower.state, effects) == (State.CURRENT, [CompareHead(ORIGIN, head(7))])
    assert P not in follower.offering
    assert Q not in follower.offering


def test_a_head_that_the_lane_did_not_sign_is_blamed_and_the_next_one_taken() -> None:
    """Whoever offers a larger number under a wrong key gains nothing by it."""
    follower, effects = follow(Loaded(held(10)), offered(P, 99, key=KEYS[B]), offered(Q, 20))
    assert effects == [Blame(P, "note_signature_invalid", ORIGIN.text)]
    assert follower.state is State.WANTING
    assert [effect.peer for effect in follower.handle(Permitted()) if isinstance(effect, Ask)] == [Q]


@pytest.mark.parametrize(("start", "size"), [(10, 11), (10, 13), (3, 11), (0, 256), (250, 500), (255, 257)])
def test_small_news_is_taken_at_once(start: int, size: int) -> None:
    """Entries that we have already are skipped, and the head is adopted behind those that are new."""
    follower, effects = follow(Loaded(held(max(start, 10))), news(P, size, start))
    store = MemoryStore(B, KEYS[B], LOG_PUBLICS)
    store.held(ORIGIN)
    lane = store.lanes[ORIGIN]
    lane.entries, lane.leaves = entries(max(start, 10)), leaf_hashes(entries(max(start, 10)))
    for effect in effects:
        assert isinstance(effect, StoreEntries | AdoptHead)
        store.take(effect)
    assert lane.entries == entries(size)
    assert lane.adopted == head(size)
    assert follower.state is State.CURRENT


@pytest.mark.parametrize(
    "event",
    [
        news(P, 20, 15),
        news(P, 20, 10, told=entries(10, 11)),
        news(P, 20, 10, told=entries(9, 10)),
        NewsOffered(
            P, offered(P, 600).offer, News(state_head(head(600).note), 10, pack_entries(entries(200, 10)))
        ),
    ],
    ids=["a gap", "other entries", "too few entries", "too many entries"],
)
def test_news_that_does_not_fit_is_an_offer_like_any_other(event: NewsOffered) -> None:
    """Nothing of it is stored, nobody is blamed, and the fetch finds out what is true."""
    follower, effects = follow(Loaded(held(10)), event)
    assert (follower.state, effects) == (State.WANTING, [])


def test_news_under_a_wrong_signature_is_blamed() -> None:
    """Entries are not even looked at."""
    stated = state_head(head(11, key=KEYS[B]).note)
    event = NewsOffered(P, read_offer(stated), News(stated, 10, pack_entries(entries(1, 10))))
    follower, effects = follow(Loaded(held(10)), event)
    assert [effect.code for effect in effects if isinstance(effect, Blame)] == ["note_signature_invalid"]
    assert follower.state is State.CURRENT


def test_news_that_is_too_large_is_not_made() -> None:
    """Past 64 KiB or 256 entries the head alone is pushed."""
    note = head(1).note
    assert make_news(note, 0, bytes(NEWS_BYTES_MAX), 1) is not None
    assert make_news(note, 0, bytes(NEWS_BYTES_MAX + 1), 1) is None
    assert make_news(note, 0, bytes(600), 257) is None
    assert make_news(note, 0, b"", 0) is None


def test_two_heads_of_one_size_are_a_fork() -> None:
    """Both signed, different roots: reported with both notes, and the lane is followed no further."""
    follower, _ = follow(Loaded(held(10)), offered(P, 10, changed=3))
    effects = follower.handle(Permitted())
    assert effects == [ReportFork(ORIGIN, head(10), head(10, changed=3))]
    assert follower.state is State.STOPPED
    assert follower.handle(offered(Q, 30)) == []


def test_a_peer_with_another_root_of_the_same_size_is_not_asked_but_weighed_afterwards() -> None:
    """It is no liar for following the other branch; once the lane is home, the two heads are evidence."""
    follower, _ = follow(Loaded(held(0)), offered(P, 20), offered(Q, 20, changed=3))
    asks = [effect for effect in follower.handle(Permitted()) if isinstance(effect, Ask)]
    owner = MemoryStore(A, KEYS[A], LOG_PUBLICS)
    owner.append(
        ORIGIN, entries(20) if asks[0].peer == P else [*entries(3), b"another story", *entries(16, 4)]
    )
    while asks:
        ask = asks.pop(0)
        effects = follower.handle(Answered(ask.peer, ask.job, owner.answer(B, ask.request)))
        assert not any(isinstance(effect, Blame) for effect in effects)
        asks += [effect for effect in effects if isinstance(effect, Ask)]
    assert follower.state is State.WANTING
    assert [type(effect) for effect in follower.handle(Permitted())] == [ReportFork]


@pytest.mark.parametrize("changed", [None, 1])
def test_a_larger_head_of_an_own_lane_is_an_alarm_and_then_fetched(changed: int | None) -> None:
    """A peer that holds more of our own lane has seen us sign what we have forgotten, or somebody with our key."""
    store_says = Loaded(held(10, is_own=True))
    follower, effects = follow(store_says, offered(P, 9), offered(P, 10))
    assert effects == [CompareHead(ORIGIN, head(9))]
    assert follower.handle(offered(P, 12, key=KEYS[B])) == []
    assert follower.state is State.OWN
    size = 12 if changed is None else 10
    assert follower.handle(offered(P, size, changed=changed)) == [Load(ORIGIN)]
    assert follower.handle(store_says) == [Load(ORIGIN)]  # that answer may be older than the offer
    assert follower.handle(store_says) == [OwnLaneSeen(P, ORIGIN, head(size, changed=changed))]
    assert follower.state is State.WANTING
    (first,) = follower.handle(Permitted())
    if changed is not None:
        assert first == ReportFork(ORIGIN, head(10), head(10, changed=1))
        return
    owner, steps = MemoryStore(A, KEYS[A], LOG_PUBLICS), []
    owner.append(ORIGIN, entries(12))
    asks = [first]
    while asks:
        ask = asks.pop()
        assert isinstance(ask, Ask)
        for effect in follower.handle(Answered(P, ask.job, owner.answer(A, ask.request))):
            (asks if isinstance(effect, Ask) else steps).append(effect)
    assert [type(step) for step in steps] == [RememberHead, StoreEntries, AdoptHead]
    assert follower.state is State.OWN


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_an_echo_of_our_own_news_is_no_alarm(order: tuple[int, ...]) -> None:
    """Peers read a new head from our store, and may send it back before we are told of it here."""
    events: list[Event] = [Loaded(held(10, is_own=True)), OwnAdvanced(head(12)), offered(P, 12)]
    follower, effects = follow(*(events[place] for place in order))
    while effects:
        assert effects == [Load(ORIGIN)]
        effects = follower.handle(Loaded(held(12, is_own=True)))
    assert follower.state is State.OWN


def test_what_we_signed_while_the_store_was_asked_is_not_forgotten() -> None:
    """Of the store's answer and the news of the writer the larger one holds."""
    follower, _ = follow(OwnAdvanced(head(11)), Loaded(held(12, is_own=True)))
    assert follower.handle(offered(P, 12)) == []
    assert follower.handle(offered(P, 13)) == [Load(ORIGIN)]


def test_an_offer_that_comes_while_the_store_is_asked_has_it_asked_once_more() -> None:
    """Only an answer to a question from behind the offer says that we have forgotten something."""
    store_says = Loaded(held(10, is_own=True))
    follower, effects = follow(offered(P, 12), store_says)
    assert effects == [Load(ORIGIN)]
    assert follower.handle(offered(Q, 13)) == []
    assert follower.handle(store_says) == [OwnLaneSeen(P, ORIGIN, head(12))]


def test_a_store_that_failed_is_asked_again_after_a_while() -> None:
    """What was believed stored is forgotten; a full disk is not asked in a circle."""
    follower, _ = follow(Loaded(held(10)), offered(P, 20), Permitted())
    assert follower.handle(StoreFailed()) == []
    assert follower.state is State.LOADING
    assert follower.handle(Retried()) == [Load(ORIGIN)]
    follower.handle(Loaded(held(10)))
    assert follower.state is State.WANTING


def test_a_damaged_copy_is_reported_and_followed_no_further() -> None:
    """The steward has to look; nothing is fetched over it."""
    owner = MemoryStore(A, KEYS[A], LOG_PUBLICS)
    owner.append(ORIGIN, entries(700))
    follower, effects = follow(Loaded(held(10, broken=True)), offered(P, 700), Permitted())
    ask = next(effect for effect in effects if isinstance(effect, Ask))
    assert follower.handle(Answered(P, ask.job, owner.answer(B, ask.request))) == [ReportDamage(ORIGIN)]
    assert follower.state is State.STOPPED


def test_smaller_heads_are_compared_one_at_a_time_and_once_each() -> None:
    """A peer that states the same head again costs nothing, and a flood of them one that waits a peer."""
    follower, effects = follow(Loaded(held(10)), offered(P, 5), offered(P, 6), offered(Q, 5, changed=2))
    assert effects == [CompareHead(ORIGIN, head(5))]
    told = [follower.handle(Compared()), follower.handle(Compared()), follower.handle(Compared())]
    assert told == [[CompareHead(ORIGIN, head(6))], [CompareHead(ORIGIN, head(5, changed=2))], []]
    assert follower.handle(offered(P, 5)) == []
    (blame,) = follower.handle(offered(Q, 4, key=KEYS[B]))
    assert isinstance(blame, Blame)
    assert (blame.peer, blame.code) == (Q, "note_signature_invalid")


def test_a_head_is_compared_once_the_store_has_come_so_far() -> None:
    """Heads are handed on before they are on disk: until then the store could say nothing of this size."""
    follower, effects = follow(Loaded(held(10)), news(P, 12, 10), offered(Q, 11))
    assert not any(isinstance(effect, CompareHead) for effect in effects)
    assert follower.handle(Adopted(12)) == [CompareHead(ORIGIN, head(11))]


def reach(state: State) -> LaneFollower:
    """A follower in the given state; in FETCHING, P owes the edge."""
    ways: dict[State, tuple[Event, ...]] = {
        State.LOADING: (),
        State.CURRENT: (Loaded(held(10)),),
        State.WANTING: (Loaded(held(10)), offered(P, 20)),
        State.FETCHING: (Loaded(held(10)), offered(P, 20), Permitted()),
        State.PAUSED: (Loaded(held(10, room=100)), offered(P, 20)),
        State.OWN: (Loaded(held(10, is_own=True)),),
        State.STOPPED: (Loaded(held(10)), offered(P, 10, changed=3), Permitted()),
    }
    follower, _ = follow(*ways[state])
    assert follower.state is state
    return follower


EVENTS: dict[str, Event] = {
    "offered more": offered(Q, 30),
    "offered less": offered(Q, 5),
    "news": news(Q, 12, 10),
    "loaded": Loaded(held(10)),
    "loaded own": Loaded(held(10, is_own=True)),
    "permitted": Permitted(),
    "own advanced": OwnAdvanced(head(11)),
    "store failed": StoreFailed(),
    "adopted": Adopted(10),
    "compared": Compared(),
    "forked": Forked(),
    "quota reached": QuotaReached(),
    "quota raised": Loaded(held(10, room=10**9)),
    "no room": Loaded(held(10, room=0)),
    "retried": Retried(),
    "answered": Answered(P, EdgeJob(), Refused(0, "lane_not_served", "")),
    "unanswered": Unanswered(P, EdgeJob()),
    "stored": Stored(10),
    "peer left": PeerLeft(P),
}
NEXT: dict[tuple[State, str], State] = {
    **{(state, name): state for state, name in product(State, EVENTS)},
    (State.LOADING, "loaded"): State.CURRENT,
    (State.LOADING, "quota raised"): State.CURRENT,
    (State.LOADING, "no room"): State.CURRENT,
    (State.LOADING, "loaded own"): State.OWN,
    (State.CURRENT, "offered more"): State.WANTING,
    (State.CURRENT, "store failed"): State.LOADING,
    (State.CURRENT, "quota reached"): State.PAUSED,
    (State.WANTING, "permitted"): State.FETCHING,
    (State.WANTING, "store failed"): State.LOADING,
    (State.WANTING, "quota reached"): State.PAUSED,
    (State.FETCHING, "answered"): State.CURRENT,
    (State.FETCHING, "unanswered"): State.CURRENT,
    (State.FETCHING, "peer left"): State.CURRENT,
    (State.FETCHING, "store failed"): State.LOADING,
    (State.FETCHING, "quota reached"): State.PAUSED,
    (State.PAUSED, "loaded"): State.WANTING,
    (State.PAUSED, "loaded own"): State.LOADING,
    (State.PAUSED, "quota raised"): State.WANTING,
    (State.OWN, "offered more"): State.LOADING,
    (State.OWN, "news"): State.LOADING,
    (State.OWN, "store failed"): State.LOADING,
    **{(state, "forked"): State.STOPPED for state in State},
}


@pytest.mark.parametrize(("state", "name"), list(product(State, EVENTS)))
def test_every_lane_state_meets_every_event(state: State, name: str) -> None:
    """Each pair ends where the table says, and only a lane that is being fetched asks anything of peers."""
    follower = reach(state)
    effects = follower.handle(EVENTS[name])
    assert follower.state is NEXT[state, name]
    if any(isinstance(effect, Ask) for effect in effects):
        assert follower.state is State.FETCHING
    if any(isinstance(effect, StoreEntries | AdoptHead) for effect in effects):
        assert (state, name) == (State.CURRENT, "news")
    if state is State.STOPPED:
        assert effects == []


def test_a_lane_at_its_quota_is_asked_for_no_more_and_goes_on_when_it_is_raised() -> None:
    """What is held stays, what is offered is remembered, and a larger quota is all it takes."""
    follower, _ = follow(Loaded(held(10)), offered(P, 700), Permitted())
    assert follower.handle(QuotaReached()) == []
    assert follower.handle(offered(Q, 900)) == follower.handle(news(P, 701, 700)) == []
    assert (follower.state, follower.offered_size) == (State.PAUSED, 900)
    assert follower.handle(Loaded(held(10, room=0))) == []
    assert follower.state is State.PAUSED
    follower.handle(Loaded(held(10, room=10**6)))
    assert follower.state is State.WANTING
    asks = follower.handle(Permitted())
    assert [effect.peer for effect in asks if isinstance(effect, Ask)] == [Q]


def test_news_that_the_quota_refused_is_offered_still() -> None:
    """It was believed stored; when there is room it is fetched, from whoever told it and is still there."""
    follower, _ = follow(Loaded(held(10)), news(P, 12, 10), QuotaReached())
    assert (follower.state, follower.offered_size) == (State.PAUSED, 12)
    follower.handle(Loaded(held(10)))
    assert follower.state is State.WANTING
    follower, _ = follow(Loaded(held(10)), news(P, 12, 10), PeerLeft(P), QuotaReached())
    assert (follower.state, follower.offered_size) == (State.PAUSED, 0)


def test_a_head_far_beyond_every_quota_is_not_even_begun() -> None:
    """2^48 entries do not fit however small they are; one more that fits is wanted."""
    for size, room, state in (
        (2**48, 10**12, State.PAUSED),
        (11, 65, State.PAUSED),
        (11, 66, State.WANTING),
    ):
        note = make_checkpoint_note(Checkpoint(ORIGIN.text, size, bytes(32)), KEYS[A])
        follower, _ = follow(Loaded(held(10, room=room)), Offered(P, read_offer(state_head(note))))
        assert follower.state is state


def test_an_answer_of_a_fetch_that_was_paused_stores_nothing() -> None:
    """It comes too late, and its lane is asked for nothing."""
    owner = MemoryStore(A, KEYS[A], LOG_PUBLICS)
    owner.append(ORIGIN, entries(700))
    follower, effects = follow(Loaded(held(10)), offered(P, 700), Permitted())
    ask = next(effect for effect in effects if isinstance(effect, Ask))
    follower.handle(QuotaReached())
    assert follower.handle(Answered(P, ask.job, owner.answer(B, ask.request))) == []
    assert follower.state is State.PAUSED
