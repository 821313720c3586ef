"""Nothing is signed after a start before those who may know more have answered, and nothing against them."""

from itertools import product
from typing import Any

import msgspec
import pytest

from protocol.exchange.frames import YourHeads
from protocol.exchange.heads import state_head
from protocol.exchange.holding import Blame, SignedHead
from protocol.exchange.machine import Tell
from protocol.exchange.replication_events import (
    ForkProven,
    FrameReceived,
    HeadsStated,
    LaneAdvanced,
    OwnHeadSeen,
    PeerClosed,
    PeerOpened,
    Send,
    WakeAt,
    Woken,
)
from protocol.exchange.resuming import (
    BEHIND,
    FORKED,
    WAITING,
    AllowSigning,
    AloneAsked,
    HeadsOfLoaded,
    HoldSigning,
    LoadHeadsOf,
    LoadOwnHeads,
    NoteAcknowledged,
    OwnHeadsLoaded,
    Resuming,
    Started,
    StopSigning,
)
from protocol.identity.keys import SigningKey
from protocol.limits import EARLY_STATEMENTS_MAX, HEADS_PAGE_MAX, START_ANSWERS_MS
from protocol.log.merkle import leaf_hashes
from protocol.log.origin import Origin
from tests.exchange.memory_store import sign_head
from tests.exchange.villages import KEYS, A, B, C, D, entries, lane_of

FOOD, TRADE = lane_of(A), lane_of(A, "trade")
OPENED = [PeerOpened(peer, 32) for peer in (B, C, D)]


def head(size: int, *, origin: Origin = FOOD, key: SigningKey = KEYS[A], story: bytes = b"") -> SignedHead:
    told = entries(size)
    told[-1] += story
    return sign_head(origin, leaf_hashes(told), key)


def loaded(*acknowledged: bytes, size: int = 10, **more: Any) -> OwnHeadsLoaded:
    return OwnHeadsLoaded(A, 0, KEYS[A].public, {FOOD: head(size)}, frozenset(acknowledged), **more)


def stated(peer: bytes, *heads: SignedHead, has_more: bool = False) -> FrameReceived:
    return FrameReceived(peer, YourHeads(has_more, tuple(state_head(head.note) for head in heads)))


def started(*events: Any) -> tuple[Resuming, list[Any]]:
    machine = Resuming()
    return machine, [effect for event in (Started(), *events) for effect in machine.handle(event, 0)]


def lane_names(count: int) -> list[str]:
    return [f"market/{chr(97 + number // 26)}{chr(97 + number % 26)}" for number in range(count)]


def verdicts(effects: list[Any]) -> list[str]:
    told = [effect for effect in effects if is_verdict(effect)]
    return [effect.code if isinstance(effect, StopSigning) else "" for effect in told]


def is_verdict(effect: Any) -> bool:
    return isinstance(effect, AllowSigning | StopSigning)


def test_who_was_never_acknowledged_signs_at_once() -> None:
    """A young community, and one that has never met anybody, wait for nobody."""
    machine, effects = started(loaded())
    assert effects == [LoadOwnHeads(), WakeAt(START_ANSWERS_MS), AllowSigning()]
    assert machine.code == ""


@pytest.mark.parametrize(
    ("acknowledged", "answers", "is_enough"),
    [
        ((B,), (B,), True),
        ((B,), (C,), False),
        ((B, C), (B,), False),
        ((B, C), (B, C), True),
        ((B, C, D), (D, B), True),
        ((B, C, D), (D, D), False),
    ],
)
def test_two_of_those_who_acknowledged_a_head_have_to_answer(
    acknowledged: tuple[bytes, ...], answers: tuple[bytes, ...], *, is_enough: bool
) -> None:
    """Or the one that there is; the answer of a stranger, and a second one of the same peer, do not count."""
    machine, effects = started(loaded(*acknowledged), *OPENED, *(stated(peer, head(10)) for peer in answers))
    assert (machine.code == "") is is_enough
    assert verdicts(effects) == ([""] if is_enough else [])


def test_a_peer_that_holds_nothing_of_ours_any_more_answers_too() -> None:
    """It says so with an empty list; a list that is not at its end is no answer yet."""
    machine, _ = started(loaded(B), *OPENED, stated(B, has_more=True))
    assert machine.code == WAITING
    machine.handle(stated(B), 0)
    assert machine.code == ""


def test_people_are_told_when_the_time_is_over_and_it_goes_on_when_somebody_comes() -> None:
    """Nothing is said before; afterwards the first answer suffices as ever."""
    machine, effects = started(loaded(B), *OPENED)
    assert verdicts(effects) == []
    assert machine.handle(Woken(), START_ANSWERS_MS) == [StopSigning(WAITING)]
    assert machine.handle(stated(B, head(10)), START_ANSWERS_MS + 5)[-1] == AllowSigning()


def test_a_steward_may_go_on_without_answers_but_not_against_one() -> None:
    """Alone is for a machine whose neighbours are gone, not for one that they have convicted."""
    machine, _ = started(loaded(B))
    assert machine.handle(AloneAsked(), 0) == [AllowSigning()]
    machine, _ = started(loaded(B), *OPENED, stated(B, head(12)))
    assert machine.handle(AloneAsked(), 0) == []
    assert machine.code == BEHIND


@pytest.mark.parametrize("other", [head(12), head(10, story=b"!"), head(3, origin=TRADE)])
def test_a_head_beyond_ours_stops_at_once(other: SignedHead) -> None:
    """A larger one, one of another root, or one of a lane that is not here: all at any time."""
    machine, effects = started(loaded(B, C), *OPENED, stated(C, other))
    assert verdicts(effects) == [BEHIND]
    later, _ = started(loaded(), *OPENED)
    assert later.handle(stated(B, other), 60_000)[-3] == HoldSigning()
    assert later.handle(loaded(), 60_001) == [StopSigning(BEHIND)]
    assert machine.code == later.code == BEHIND


def test_a_head_of_our_own_that_comes_back_before_we_hear_of_it_stops_nothing() -> None:
    """Peers read it from the store and show it at once: nothing is signed while the store is asked, and then on."""
    machine, _ = started(loaded(size=10), *OPENED)
    asked = [HoldSigning(), LoadOwnHeads(), WakeAt(5 + START_ANSWERS_MS)]
    assert machine.handle(stated(B, head(12)), 5)[-3:] == asked
    assert verdicts(machine.handle(stated(C, head(12)), 6)) == []
    assert machine.handle(AloneAsked(), 6) == [], "what is suspected is no matter of a steward"
    assert machine.handle(loaded(size=12), 7) == [AllowSigning()]
    assert machine.handle(OwnHeadSeen(FOOD, head(12)), 8) == []


def test_an_answer_of_the_store_that_is_older_than_what_was_signed_takes_nothing_back() -> None:
    """The store was read before the head that we have heard of since."""
    machine, _ = started(loaded(size=10), *OPENED, OwnHeadSeen(FOOD, head(12)))
    machine.handle(LaneAdvanced(FOOD, head(12), is_own=True), 1)
    assert machine.handle(loaded(size=10), 2) == [AllowSigning()]


def test_a_store_that_does_not_answer_is_asked_again_and_people_are_told() -> None:
    """What is suspected stays so until it has answered."""
    machine, _ = started(loaded(), *OPENED, OwnHeadSeen(FOOD, head(12)))
    assert machine.handle(Woken(), START_ANSWERS_MS - 1) == []
    told = machine.handle(Woken(), START_ANSWERS_MS)
    assert told == [LoadOwnHeads(), WakeAt(2 * START_ANSWERS_MS), StopSigning(WAITING)]
    assert machine.handle(loaded(size=12), START_ANSWERS_MS + 1) == [AllowSigning()]


def test_what_peers_state_is_handed_on_to_be_fetched() -> None:
    """The heads that our key signed, of this epoch or of one before; a smaller one may convict us."""
    _, effects = started(loaded(B), *OPENED, stated(B, head(12), head(3)))
    assert Tell(HeadsStated(B, (state_head(head(12).note), state_head(head(3).note)))) in effects


def test_the_lanes_are_whole_again_and_then_the_question_is_asked_anew() -> None:
    """After the fetch two of those who have acknowledged by now are needed, the one who showed it among them."""
    machine, _ = started(loaded(B, C), *OPENED, stated(B, head(12)))
    assert machine.handle(LaneAdvanced(FOOD, head(11), is_own=False), 0) == []
    assert machine.handle(LaneAdvanced(FOOD, head(12), is_own=False), 0) == [StopSigning(WAITING)]
    assert machine.handle(stated(C, head(10)), 0)[-1] == AllowSigning()


def test_what_was_confirmed_before_a_restore_was_seen_counts_no_more() -> None:
    """A steward had gone on alone; then a head turns up that this store has forgotten."""
    machine, _ = started(loaded(C, D), AloneAsked())
    assert machine.handle(OwnHeadSeen(FOOD, head(12)), 0)[0] == HoldSigning()
    assert machine.handle(loaded(C, D), 0) == [StopSigning(BEHIND)]
    assert machine.handle(LaneAdvanced(FOOD, head(12), is_own=False), 0) == [StopSigning(WAITING)]


def test_a_fork_of_our_own_ends_signing_for_this_epoch() -> None:
    """No answer and no steward changes that; a fork of an epoch that is closed does not."""
    machine, _ = started(loaded(), *OPENED)
    assert machine.handle(ForkProven(Origin(A, "trade", 1)), 0) == []
    assert machine.handle(ForkProven(lane_of(B)), 0) == []
    assert machine.handle(ForkProven(TRADE), 0) == [StopSigning(FORKED)]
    for event in (AloneAsked(), stated(B, head(10)), LaneAdvanced(FOOD, head(12), is_own=False)):
        machine.handle(event, 0)
    assert machine.code == FORKED
    assert started(loaded(is_forked=True))[0].code == FORKED


def test_a_liar_cannot_stop_us() -> None:
    """Heads that our key did not sign, of other communities, or nonsense: blamed, passed over, and no answer."""
    nonsense = msgspec.structs.replace(state_head(head(12).note), lane=200)
    for false, code in (
        (state_head(head(12, key=KEYS[B]).note), "note_signature_invalid"),
        (state_head(head(12, origin=lane_of(B), key=KEYS[B]).note), None),
        (nonsense, "origin_malformed"),
    ):
        machine, effects = started(
            loaded(B), *OPENED, FrameReceived(B, YourHeads(False, (false, state_head(head(10).note))))
        )
        blamed = [effect.code for effect in effects if isinstance(effect, Blame)]
        assert blamed == ([code] if code else [])
        assert machine.code == WAITING
        assert machine.handle(stated(B), 0) == [], "nor is it one for the rest of the session"
        machine.handle(PeerOpened(B, 32), 0)
        assert machine.handle(stated(B, head(10)), 0)[-1] == AllowSigning()


def test_a_head_of_an_epoch_that_we_have_forgotten_is_no_answer() -> None:
    """The store was restored from before a rotation: the successor note comes first."""
    machine, _ = started(loaded(B), *OPENED, stated(B, head(3, origin=Origin(A, "trade", 1), key=KEYS[C])))
    assert machine.code == WAITING


def test_peers_hear_first_what_we_hold_of_theirs() -> None:
    """All of it in pages, an empty one where there is nothing, and once a session when we adopt the first head."""
    machine, effects = started(loaded(), *OPENED)
    assert [effect.peer for effect in effects if isinstance(effect, LoadHeadsOf)] == [B, C, D]
    notes = tuple(
        head(5, origin=lane_of(B, name), key=KEYS[B]).note for name in lane_names(HEADS_PAGE_MAX + 1)
    )
    heads = tuple(map(state_head, notes))
    assert machine.handle(HeadsOfLoaded(B, notes), 0) == [
        Send(B, YourHeads(True, heads[:-1])),
        Send(B, YourHeads(False, heads[-1:])),
    ]
    assert machine.handle(HeadsOfLoaded(C, ()), 0) == [Send(C, YourHeads(False, ()))]
    adopted = LaneAdvanced(lane_of(C), head(5, origin=lane_of(C), key=KEYS[C]), is_own=False)
    assert machine.handle(adopted, 0) == [Send(C, YourHeads(False, (state_head(adopted.head.note),)))]
    assert machine.handle(adopted, 0) == []
    of_b = LaneAdvanced(lane_of(B), head(5, origin=lane_of(B), key=KEYS[B]), is_own=False)
    assert machine.handle(of_b, 0) == []


def test_who_acknowledges_a_head_is_remembered_once() -> None:
    """At the next start it will be asked; whoever shows nothing of ours will not."""
    _, effects = started(
        loaded(B), *OPENED, stated(B, head(10)), stated(C, head(10)), stated(C, head(9)), stated(D)
    )
    assert [effect for effect in effects if isinstance(effect, NoteAcknowledged)] == [NoteAcknowledged(C)]


def test_what_comes_before_the_store_has_answered_waits_within_a_bound() -> None:
    """Sessions may stand before we know our own heads."""
    machine, effects = started(*OPENED, stated(B, head(12)))
    assert verdicts(effects) == []
    for _ in range(2 * EARLY_STATEMENTS_MAX):
        machine.handle(stated(C, head(10)), 0)
    effects = machine.handle(loaded(B, C), 0)
    assert verdicts(effects) == [BEHIND]
    assert sum(isinstance(effect, Tell) for effect in effects) == EARLY_STATEMENTS_MAX
    assert Resuming().handle(Woken(), 5) == [LoadOwnHeads(), WakeAt(5 + START_ANSWERS_MS)]


def test_whoever_fills_what_waits_early_takes_no_room_from_others() -> None:
    """Of a peer that states heads without end the newest pages go, and it has not answered; others have."""
    machine, _ = started(*OPENED)
    page = stated(C, *[head(10)] * (EARLY_STATEMENTS_MAX // 2))
    for _ in range(3):
        machine.handle(page, 0)
    machine.handle(stated(B, head(10)), 0)
    effects = machine.handle(loaded(B, C), 0)
    assert {effect.event.peer for effect in effects if isinstance(effect, Tell)} == {B, C}
    assert machine.answers == (1, 2), "of B alone everything was heard"


WAYS: dict[str, list[Any]] = {
    "unknown": [],
    "waiting": [loaded(B), *OPENED],
    "signing": [loaded(), *OPENED],
    "holding": [loaded(), *OPENED, stated(B, head(12))],
    "behind": [loaded(B), *OPENED, stated(B, head(12))],
    "forked": [loaded(), *OPENED, ForkProven(FOOD)],
}
EVENTS: dict[str, Any] = {
    "loaded": loaded(B),
    "loaded further": loaded(B, size=12),
    "opened": PeerOpened(B, 32),
    "closed": PeerClosed(B),
    "nothing held": HeadsOfLoaded(B, ()),
    "answered": stated(B, head(10)),
    "more": stated(B, head(12)),
    "own went on": LaneAdvanced(FOOD, head(11), is_own=True),
    "whole": LaneAdvanced(FOOD, head(12), is_own=False),
    "seen": OwnHeadSeen(FOOD, head(12)),
    "fork": ForkProven(FOOD),
    "alone": AloneAsked(),
    "woken": Woken(),
}
ALLOWED = {
    ("waiting", "answered"), ("waiting", "alone"),
    *(("signing", name) for name in EVENTS if name not in ("more", "seen", "fork")),
    ("holding", "loaded further"), ("behind", "whole"),
}  # fmt: skip


@pytest.mark.parametrize(("state", "name"), list(product(WAYS, EVENTS)))
def test_signing_is_allowed_in_no_other_way(state: str, name: str) -> None:
    """Every state under every event: the ways that lead to a signature are these."""
    machine, _ = started(*WAYS[state])
    told = machine.handle(EVENTS[name], 1)
    assert (machine.code == "") is ((state, name) in ALLOWED)
    assert machine.code != "" or state == "signing" or AllowSigning() in told
