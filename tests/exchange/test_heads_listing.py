"""Heads in few bytes, the list of changed ones page by page, and the comparison with a stranger's."""

from collections.abc import Callable, Sequence
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from benchmarks.resync import Resync, heads_of_lanes, measure_resyncs, talk_over
from protocol.errors import ProtocolError, SessionError
from protocol.exchange.frames import (
    Answer,
    Heads,
    HeadsBesides,
    HeadsCompare,
    HeadsSince,
    HeadsSummary,
    Refused,
    StatedHead,
    decode_frame,
    encode_frame,
)
from protocol.exchange.heads import HeadChange, make_heads_page, read_offer, state_head
from protocol.exchange.listing import (
    START,
    AskForHeads,
    Closed,
    HeadsItemized,
    HeadsListing,
    HeadsSummedUp,
    Listed,
    Place,
    State,
    SumUpHeads,
    Unlisted,
    Wanted,
    sum_up,
)
from protocol.identity.keys import SigningKey
from protocol.limits import HEADS_PAGE_MAX, HEADS_PAGES_MAX, SUMMARY_HEADS_MIN
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note, parse_checkpoint
from protocol.log.cosignature import make_cosignature
from protocol.log.note import format_note, parse_note
from protocol.log.origin import Origin, witness_name
from tests.exchange.memory_store import MemoryLane, MemoryStore, SignedHead
from tests.exchange.villages import KEYS, LOG_PUBLICS, A, B, C, lane_of

ONE, TWO = b"1" * 16, b"2" * 16
KEY = SigningKey(A)


def note_of(origin: Origin, size: int = 1) -> bytes:
    return make_checkpoint_note(Checkpoint(origin.text, size, size.to_bytes(32, "big")), KEY)


NOTE = note_of(lane_of(A))
STATED = state_head(NOTE)


def changes(*numbers: int) -> list[HeadChange]:
    """Each number is a lane of its own; the note that goes with it does not matter here."""
    return [HeadChange(number, Origin(number.to_bytes(32, "big"), "charter", 0), NOTE) for number in numbers]


def listen(
    listing: HeadsListing, told: Sequence[HeadChange], hidden: set[int], instance: bytes
) -> list[StatedHead]:
    """What a peer hears until nothing more is said; a comparison finds it without any head."""
    heard: list[StatedHead] = []
    newest = max((change.number for change in told), default=0)
    readable = {change.origin for change in told if change.number not in hidden}
    effects = listing.handle(Wanted())
    while effects:
        if isinstance(effects[0], SumUpHeads):
            effects = listing.handle(HeadsSummedUp(A, b"k" * 16, 1, 0, b""))
            continue
        question = effects[0].question
        assert isinstance(question, HeadsSince)
        later = [change for change in told if change.number > question.after]
        looked_at = later[: HEADS_PAGE_MAX + 1]  # a store looks at no more for one page
        page = make_heads_page(
            question,
            looked_at,
            readable=readable,
            instance=instance,
            newest=newest,
            is_whole=len(looked_at) == len(later),
        )
        assert len(page.heads) <= HEADS_PAGE_MAX
        heard += page.heads
        effects = listing.handle(Listed(page))
    return heard


@settings(max_examples=50, deadline=None)
@given(st.sets(st.integers(1, 3000), max_size=900), st.sets(st.integers(1, 3000), max_size=900))
def test_every_visible_change_is_heard_once_and_no_other(numbers: set[int], hidden: set[int]) -> None:
    """Whatever the pages, the asker hears exactly what it may see, and nothing twice."""
    told = changes(*sorted(numbers))
    listing = HeadsListing(A)
    assert len(listen(listing, told, hidden, ONE)) == len(numbers - hidden)
    assert listen(listing, told, hidden, ONE) == []


def test_another_instance_is_listened_to_from_its_beginning() -> None:
    """A store that was restored has another instance id, and its numbers say nothing about ours."""
    told = changes(1, 2, 3)
    listing = HeadsListing(A)
    assert len(listen(listing, told, set(), ONE)) == 3
    assert listing.settled_place == Place(ONE, 3)
    assert len(listen(listing, told, set(), TWO)) == 3
    assert len(listen(listing, told[:2], set(), TWO)) == 2  # a number from the future means: start over


def test_a_place_that_was_kept_goes_on_where_it_was() -> None:
    """After a restart only what changed since is heard."""
    told = changes(*range(1, 600))
    assert len(listen(HeadsListing(A, Place(ONE, 590)), told, set(), ONE)) == 9


def test_a_list_that_was_not_followed_up_is_heard_again() -> None:
    """A fault on one page does not hide the next, and the place is not kept before all was made good."""
    told = changes(*range(1, 400))
    listing = HeadsListing(A, START)
    (asked,) = listing.handle(Wanted())
    listing.doubt()
    page = make_heads_page(asked.question, told, readable=[c.origin for c in told], instance=ONE, newest=399)
    assert listing.handle(Listed(page)) == [AskForHeads(HeadsSince(0, ONE, 256))]
    assert listing.handle(Listed(Heads(2, ONE, 399, False, ()))) == []
    assert listing.settled_place is None
    assert len(listen(listing, told, set(), ONE)) == 399
    assert listing.settled_place == Place(ONE, 399)


def test_a_list_that_does_not_move_on_is_refused() -> None:
    """A peer that says "more" and stands still would hold us forever."""
    listing = HeadsListing(A, Place(ONE, 5))
    listing.handle(Wanted())
    with pytest.raises(SessionError) as refusal:
        listing.handle(Listed(Heads(1, ONE, 5, True, (STATED,))))
    assert refusal.value.code == "heads_page_stuck"


def test_a_peer_that_says_again_and_again_that_it_is_another_store_is_refused() -> None:
    """Starting over costs us a walk through all heads: once a question, not as often as somebody likes."""
    listing = HeadsListing(A, Place(ONE, 5))
    listing.handle(Wanted())
    assert listing.handle(Listed(Heads(1, TWO, 0, True, ()))) == [SumUpHeads(A)]
    listing.handle(HeadsSummedUp(A, b"k" * 16, 1, 0, b""))
    with pytest.raises(SessionError):
        listing.handle(Listed(Heads(2, TWO, 0, True, ())))


def test_an_endless_list_is_heard_a_part_at_a_time() -> None:
    """After so many pages everybody else is asked first."""
    listing = HeadsListing(A, START)
    effects = listing.handle(Wanted())
    pages = 0
    while effects:
        pages += 1
        effects = listing.handle(Listed(Heads(pages, ONE, pages, True, (STATED,))))
    assert pages == HEADS_PAGES_MAX
    assert listing.handle(Wanted()) == [AskForHeads(HeadsSince(0, ONE, pages))]


def test_what_is_wanted_meanwhile_is_asked_for_afterwards() -> None:
    """A wish that comes while a question is open is not lost, unless the session is."""
    listing = HeadsListing(A, Place(ONE, 5))
    listing.handle(Wanted())
    assert listing.handle(Wanted()) == []
    assert listing.handle(Unlisted()) == [AskForHeads(HeadsSince(0, ONE, 5))]
    listing.handle(Wanted())
    assert listing.handle(Closed()) == []
    assert listing.state is State.IDLE


def cosigned(note: bytes, *names: str) -> bytes:
    parsed = parse_note(note)
    lines = [make_cosignature(parsed.text, name=name, key=KEYS[B], time_seconds=7) for name in names]
    return format_note(parsed.with_signatures(*lines))


def test_a_head_comes_back_from_its_few_bytes_as_it_was_signed() -> None:
    """Every lane, every sort of witness: the note that is written again is the one that was stored."""
    odd = "wildgrass/v1/" + "b" * 52 + "/witness"  # looks like a community's, and is no id
    names = (witness_name(B), "sigsum.example/witness", odd, witness_name(C))
    for lane, size in product(("charter", "ledger", "market/food", "tools"), (1, 2**40)):
        for note in (note_of(lane_of(A, lane), size), cosigned(note_of(lane_of(A, lane), size), *names)):
            stated = decode_frame(encode_frame(Heads(0, ONE, 0, False, (state_head(note),)))).heads[0]
            offer = read_offer(stated)
            assert (offer.origin, offer.checkpoint.size) == (lane_of(A, lane), size)
            assert offer.open(KEY.public).note == note


@pytest.mark.parametrize(
    ("changed", "code"),
    [
        ({"lane": 12}, "origin_malformed"),
        ({"root": b"?" * 32}, "note_signature_invalid"),
        ({"size": 2}, "note_signature_invalid"),
        ({"epoch": 1}, "note_signature_invalid"),
        ({"community": B}, "note_signature_invalid"),
    ],
)
def test_a_head_that_was_changed_under_way_is_refused(changed: dict[str, object], code: str) -> None:
    """Every element of it is under the log's signature."""
    with pytest.raises(ProtocolError) as refusal:
        read_offer(replace(STATED, **changed)).open(KEY.public)
    assert refusal.value.code == code


def store_of(count: int, *, changed: Sequence[int] = (), extra: int = 0) -> MemoryStore:
    """A node with so many heads of lanes of others; some of them moved on."""
    store = MemoryStore(B, KEYS[B], LOG_PUBLICS)
    for number, change in enumerate(heads_of_lanes(count + extra).changes):
        note = note_of(change.origin, 20_001) if number in changed else change.note
        head = SignedHead(note, parse_checkpoint(parse_note(note).text))
        store.lanes[change.origin] = MemoryLane(adopted=head, change=number + 1)
    store.changes = 100_000
    return store


@pytest.fixture(scope="module")
def resyncs() -> dict[str, Resync]:
    return {resync.name: resync for resync in measure_resyncs()}


def test_an_idle_known_peer_costs_a_hundred_bytes_and_one_round_trip(resyncs: dict[str, Resync]) -> None:
    """A thousand lanes and nothing new: the place in the list says it all."""
    idle = resyncs["known_idle"]
    assert (idle.round_trips, idle.heads) == (1, [])
    assert idle.bytes <= 100


def test_ten_changed_lanes_of_a_known_peer_cost_a_kilobyte_and_a_half(resyncs: dict[str, Resync]) -> None:
    """Ten heads of ten communities, with nothing left out that proves them."""
    known = resyncs["known_changed"]
    assert known.round_trips == 1
    assert {head.size for head in known.heads} == {20_001}
    assert len({(head.community, head.lane) for head in known.heads}) == 10
    assert known.bytes <= 1_500
    assert known.place is not None
    assert known.place.number == 1_010


def test_ten_changes_of_ten_thousand_heads_of_a_stranger_cost_nine_kilobytes(
    resyncs: dict[str, Resync],
) -> None:
    """Buckets, items, heads: exactly the ten that differ come over."""
    stranger = resyncs["stranger_changed"]
    assert stranger.round_trips == 2
    assert {head.size for head in stranger.heads} == {20_001}
    assert len({(head.community, head.lane) for head in stranger.heads}) == 10
    assert stranger.bytes <= 9_000
    assert stranger.place is not None
    assert stranger.place.number == 10_010


def test_equal_heads_of_a_stranger_cost_one_summary() -> None:
    """Two nodes that hold the same find that out in one round."""
    talk = talk_over(heads_of_lanes(10_000), heads_of_lanes(10_000), None)
    assert (talk.round_trips, talk.heads) == (1, [])
    assert talk.bytes <= 2_200


@pytest.mark.parametrize(
    ("own", "other", "extra"),
    [(0, 500, 0), (10, 12, 0), (600, 600, 700), (600, 1_500, 0), (900, 1_000, 0)],
    ids=["nothing here", "a few", "other lanes", "more there", "some more there"],
)
def test_whatever_two_nodes_hold_the_asker_ends_with_all_of_it(own: int, other: int, extra: int) -> None:
    """By comparison or by the whole list, no head that the asker lacks is missed."""
    asker, stranger = (
        store_of(own),
        store_of(other, changed=range(0, other, 2 if extra else other), extra=extra),
    )
    talk = talk_over(asker, stranger, None)
    held = set(asker.notes_for(B))
    lacking = {state_head(note) for note in stranger.notes_for(B) if note not in held}
    assert lacking <= set(talk.heads)


def test_a_lane_that_the_asker_may_not_read_is_in_no_bucket() -> None:
    """The summary is over what the asker may read: it tells nothing else, not even by its bits."""
    open_store, closed_store = store_of(400), store_of(412)
    for lane in list(closed_store.lanes.values())[400:]:
        lane.readers = frozenset([C])
    question = HeadsCompare(1, b"k" * 16, 6)
    assert open_store.answer(B, question) == closed_store.answer(B, question)
    besides = HeadsBesides(1, b"k" * 16, 6, tuple(range(64)), b"")
    assert len(closed_store.answer(B, besides).heads) == 256  # type: ignore[union-attr]  # what the test has made
    assert closed_store.answer(B, besides).has_more is True  # type: ignore[union-attr]  # what the test has made


Lie = Callable[[Answer], Answer]
LIES: dict[str, Lie] = {
    "short hashes": lambda answer: (
        replace(answer, hashes=b"short") if isinstance(answer, HeadsSummary) else answer
    ),
    "random hashes": lambda answer: (
        replace(answer, hashes=bytes(len(answer.hashes))) if isinstance(answer, HeadsSummary) else answer
    ),
    "a refusal": lambda answer: Refused(answer.number, "store_unavailable", ""),
    "more of nothing": lambda answer: (
        replace(answer, heads=(), has_more=True) if isinstance(answer, Heads) else answer
    ),
}


@pytest.mark.parametrize("lie", LIES.values(), ids=LIES)
def test_a_peer_that_answers_nonsense_costs_a_bounded_amount(lie: Lie) -> None:
    """It is refused, or a few questions later everything was said that it has to say."""
    asker, stranger = store_of(400), store_of(400, changed=[3])
    listing = HeadsListing(A)
    effects = listing.handle(Wanted())
    rounds = 0
    try:
        while effects:
            (effect,) = effects
            if isinstance(effect, SumUpHeads):
                effects = listing.handle(asker.sum_up(effect, b"k" * 16))
            else:
                rounds += 1
                effects = listing.handle(Listed(lie(stranger.answer(B, effect.question))))
    except SessionError as refusal:
        rounds += refusal.code not in ("answer_mismatch", "heads_page_stuck") and 100
    assert rounds <= 6
    assert listing.settled_place is None or rounds > 1


EVENTS = [
    Wanted(),
    HeadsSummedUp(A, b"k" * 16, 6, SUMMARY_HEADS_MIN, bytes(512)),
    HeadsSummedUp(A, b"k" * 16, 6, SUMMARY_HEADS_MIN - 1, b""),
    HeadsItemized(A, b""),
    Listed(Heads(1, ONE, 3, False, ())),
    Listed(HeadsSummary(1, ONE, 3, SUMMARY_HEADS_MIN, b"?" * 8 + bytes(504))),
    Listed(Refused(1, "store_unavailable", "")),
    Unlisted(),
    Closed(),
]


def test_in_every_state_every_event_is_legal_or_late() -> None:
    """Walk the whole product: nothing raises, and nobody is asked twice at a time."""
    seen = set()
    for events in product(EVENTS, repeat=4):
        listing, is_open = HeadsListing(A), False
        for event in events:
            before = listing.state
            effects = listing.handle(event)
            if isinstance(event, Listed) and before in (State.COMPARING, State.FILLING, State.LISTING):
                is_open = False
            is_open &= not isinstance(event, Unlisted | Closed)
            asked = [effect for effect in effects if isinstance(effect, AskForHeads)]
            assert not (asked and is_open)
            is_open |= bool(asked)
            seen.add(listing.state)
    assert seen == set(State)


def test_without_a_key_a_fresh_one_is_taken_and_small_stores_are_not_summed() -> None:
    """Few heads are listed whole: their hashes would be for nothing."""
    few = sum_up(SumUpHeads(A), [NOTE], fresh_key=b"f" * 16)
    assert few == HeadsSummedUp(A, b"f" * 16, 2, 1, b"")
