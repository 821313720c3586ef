"""The links of a community's tree, move by move: what makes one eager, announcing or silent, and what is sent."""

from protocol.exchange.dissemination import EVERY_COMMUNITY, Dissemination, Waiting
from protocol.exchange.frames import Frame, Graft, Heads, News, Prune
from protocol.exchange.heads import read_offer, state_head
from protocol.exchange.replication_events import LaneAdvanced, Send
from protocol.exchange.shares import Shares
from protocol.limits import (
    GRACE_MS,
    HELD_BACK_MAX,
    LANES_NOTED_MAX,
    OFFERS_BYTES_MAX,
    PRUNED_BY_ONE_MAX,
    PRUNED_BY_ONE_MIN,
    PRUNED_MAX,
)
from protocol.log.merkle import leaf_hash
from protocol.log.origin import Origin
from tests.exchange.memory_store import sign_head
from tests.exchange.villages import KEYS, A, B, C, D, lane_of

LANE = lane_of(A)


def advanced(size: int, lane: Origin = LANE, readers: frozenset[bytes] | None = None) -> LaneAdvanced:
    head = sign_head(lane, [leaf_hash(bytes([index])) for index in range(size)], KEYS[lane.community])
    return LaneAdvanced(lane, head, False, readers=readers)


def news_of(event: LaneAdvanced) -> News:
    return News(state_head(event.head.note), 0, b"\0\0")


def linked(*peers: bytes) -> Dissemination:
    dissemination = Dissemination()
    for peer in peers:
        dissemination.open(peer)
    return dissemination


def told(
    dissemination: Dissemination, size: int, readers: frozenset[bytes] | None = None
) -> dict[bytes, type[Frame]]:
    event = advanced(size, readers=readers)
    return {send.peer: type(send.frame) for send in dissemination.advance(event, news_of(event))}


def test_an_eager_link_carries_news_once() -> None:
    """Whoever has not shown a head is told it with its entries, and is not told twice."""
    dissemination = linked(B, C)
    dissemination.note_shown(C, LANE, 1)
    assert told(dissemination, 1) == {B: News}
    assert told(dissemination, 1) == {}
    assert told(dissemination, 2) == {B: News, C: News}


def test_only_readers_are_told() -> None:
    """A lane for peers is announced to nobody else."""
    assert told(linked(B, C), 1, readers=frozenset({C})) == {C: News}


def test_entries_that_are_not_at_hand_are_announced() -> None:
    """What is too large to be pushed goes by its head alone, over every link."""
    sends = linked(B).advance(advanced(1), None)
    assert [type(send.frame) for send in sends] == [Heads]


def test_what_makes_a_link_announcing_silent_and_eager_again() -> None:
    """Each way into and out of a state of the table, for one community and no other."""
    ways_out = (
        lambda each: each.grafted_by(B, Graft(A)),
        lambda each: each.take_news(B, LANE),
        lambda each: each.graft(B, A),
    )
    for way_out in ways_out:
        dissemination = linked(B, C)
        dissemination.pruned_by(B, Prune(A, True))
        assert told(dissemination, 1) == {B: Heads, C: News}
        way_out(dissemination)
        assert told(dissemination, 2) == {B: News, C: News}
    dissemination = linked(B)
    dissemination.pruned_by(B, Prune(A, False))
    assert told(dissemination, 1) == {}
    dissemination.grafted_by(B, Graft(A))
    assert told(dissemination, 1) == {B: News}
    dissemination.pruned_by(B, Prune(D, True))
    assert told(dissemination, 2) == {B: News}


def test_news_that_is_held_already_prunes_both_ends() -> None:
    """The sender is asked to announce, and is only announced to."""
    dissemination = linked(B)
    assert dissemination.refuse_news(B, LANE, is_followed=True) == [Send(B, Prune(A, True))]
    assert told(dissemination, 1) == {B: Heads}


def test_what_was_refused_as_unwanted_is_taken_back_once() -> None:
    """When wishes change every prune of what was not followed is taken back, and then forgotten."""
    dissemination = linked(B, C)
    dissemination.refuse_news(B, LANE, is_followed=False)
    dissemination.refuse_news(C, LANE, is_followed=True)
    assert dissemination.take_back() == [Send(B, Graft(A))]
    assert dissemination.take_back() == []


def test_a_peer_cannot_fill_the_memory_with_prunes() -> None:
    """Past so many communities further prunes change nothing: their news goes on coming."""
    others = [bytes([number]) * 32 for number in range(100, 100 + PRUNED_MAX // PRUNED_BY_ONE_MAX)]
    dissemination = linked(B, C, *others)
    for peer in (B, *others):
        for number in range(1, PRUNED_BY_ONE_MAX + 1):
            dissemination.pruned_by(peer, Prune(number.to_bytes(32, "big"), bool(number % 2)))
    for number in range(1, PRUNED_BY_ONE_MIN):
        dissemination.pruned_by(C, Prune(number.to_bytes(32, "big"), True))
    dissemination.pruned_by(B, Prune(A, True))
    dissemination.pruned_by(C, Prune(A, True))
    expected = dict.fromkeys((B, *others), News) | {C: Heads}
    assert told(dissemination, 1) == expected, "a little is remembered of everybody"


def test_how_far_peers_have_lanes_is_remembered_within_a_bound() -> None:
    """What finds no room costs one announcement too many, and a link that closes gives its room back."""
    dissemination = linked(B, C)
    for number in range(LANES_NOTED_MAX):
        dissemination.note_shown(B, Origin(A, "market/food", number + 1), 1)
    dissemination.note_shown(C, LANE, 1)
    assert told(dissemination, 1) == {B: News, C: News}
    dissemination.close(B)
    dissemination.note_shown(C, LANE, 1)
    assert told(dissemination, 1) == {}


def test_an_announcement_is_released_when_its_time_has_come() -> None:
    """Not before, once, with everybody who announced it; the lane that has caught up is forgotten."""
    dissemination = linked(B, C)
    offer = read_offer(state_head(advanced(2).head.note))
    assert dissemination.deadline_ms is None
    assert dissemination.hold_back(B, offer, 1_000)
    assert dissemination.hold_back(C, offer, 1_100)
    assert dissemination.deadline_ms == 1_000 + GRACE_MS
    assert dissemination.release(999 + GRACE_MS) == []
    assert dissemination.release(1_000 + GRACE_MS) == [(B, offer), (C, offer)]
    assert dissemination.release(1_000 + GRACE_MS) == []
    dissemination.hold_back(B, offer, 2_000)
    dissemination.settle(LANE, 1)
    assert dissemination.deadline_ms == 2_000 + GRACE_MS
    dissemination.settle(LANE, 2)
    assert dissemination.deadline_ms is None


def test_what_a_community_says_of_itself_does_not_wait() -> None:
    """Nobody else has its news earlier than itself."""
    assert not linked(A).hold_back(A, read_offer(state_head(advanced(1).head.note)), 0)


def test_announcements_that_wait_are_bounded() -> None:
    """Past so many lanes an announcement is an offer at once; how many bytes they hold is counted exactly."""
    shares: Shares[Waiting] = Shares(OFFERS_BYTES_MAX)
    dissemination = Dissemination(shares)
    dissemination.open(B)
    for number in range(HELD_BACK_MAX):
        name = "market/" + "".join(chr(97 + (number // 26**place) % 26) for place in range(3))
        assert dissemination.hold_back(
            B, read_offer(state_head(advanced(1, Origin(A, name, 0)).head.note)), 0
        )
    offer = read_offer(state_head(advanced(1).head.note))
    assert not dissemination.hold_back(B, offer, 0)
    assert shares.held_bytes == HELD_BACK_MAX * offer.memory_bytes
    dissemination.close(B)
    assert shares.held_bytes == 0
    assert dissemination.deadline_ms is None


def test_a_visit_is_no_part_of_any_tree() -> None:
    """Over a link that will not stand for long heads are announced, at both ends, whatever is grafted."""
    visitor, visited = linked(B), linked(A)
    assert visitor.visit(B) == [Send(B, Prune(EVERY_COMMUNITY, True))]
    visited.pruned_by(A, Prune(EVERY_COMMUNITY, True))
    assert told(visitor, 1) == {B: Heads}
    assert told(visited, 1) == {A: Heads}
    visitor.grafted_by(B, Graft(A))
    assert told(visitor, 2) == {B: Heads}
