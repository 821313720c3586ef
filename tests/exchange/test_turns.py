"""Fetches take turns: neither endless lanes nor endless names of lanes keep a community waiting (section 18.3)."""

from itertools import product

from protocol.exchange.following import State
from protocol.exchange.frames import Entries, Heads, StatedHead
from protocol.exchange.heads import state_head
from protocol.exchange.holding import HeldLane
from protocol.exchange.replication import Replication
from protocol.exchange.replication_events import (
    FrameReceived,
    LanesLoaded,
    PeerOpened,
    WakeAt,
    Woken,
    lanes_loaded,
)
from protocol.exchange.turns import Turns
from protocol.limits import (
    FETCH_TURN_MS,
    FETCHES_MAX,
    HEADS_PAGE_MAX,
    LANES_OF_COMMUNITY_MAX,
    LANES_TOLD_MAX,
)
from protocol.log.origin import Origin
from tests.exchange.memory_store import sign_head
from tests.exchange.villages import KEYS, LOG_PUBLICS, A, B, C, D, adopted_size, entries, lane_of, make_net

NAMES = ["market/" + "".join(letters) for letters in product("abcdefghijklmnopqrstuvwxyz", repeat=3)]


def lanes(community: bytes, count: int) -> list[Origin]:
    return [Origin(community, name, 0) for name in NAMES[:count]]


def wanting(turns: Turns, *origins: Origin, now_ms: int = 0) -> None:
    for origin in origins:
        turns.note(origin, State.WANTING, now_ms)


def given(turns: Turns, now_ms: int = 0) -> list[Origin]:
    """Hand out all places there are."""
    taken = []
    while (origin := turns.next(lambda origin: NAMES.index(origin.lane))) is not None:
        turns.note(origin, State.FETCHING, now_ms)
        taken.append(origin)
    return taken


def test_the_community_with_the_fewest_fetches_is_next() -> None:
    """Of equal ones the one that had no turn for longest, and of its lanes the shortest."""
    turns = Turns(3)
    of_a, of_b, of_c = lanes(A, 3), lanes(B, 2), lanes(C, 1)
    wanting(turns, *reversed(of_a), *of_b)
    assert given(turns) == [of_a[0], of_b[0], of_a[1]]
    turns.note(of_a[0], State.CURRENT, 5)
    turns.note(of_b[0], State.CURRENT, 6)
    wanting(turns, *of_c)
    assert given(turns, 6) == [of_c[0], of_b[1]]


def test_two_communities_without_end_give_way_to_a_third() -> None:
    """The oldest of whoever has most, after its turn and not before; alone they keep their places."""
    turns = Turns(4)
    endless = [*lanes(A, 2), *lanes(B, 2)]
    wanting(turns, *endless)
    assert len(given(turns)) == 4
    wanting(turns, *lanes(A, 9)[2:])
    assert turns.deadline_ms is None
    assert turns.overdue(FETCH_TURN_MS) is None, (
        "to a lane of A's own, and of B, which has as many, none gives way"
    )
    wanting(turns, *lanes(C, 1))
    assert turns.deadline_ms == FETCH_TURN_MS
    assert turns.overdue(FETCH_TURN_MS - 1) is None
    late = turns.overdue(FETCH_TURN_MS)
    assert late == endless[0]
    turns.note(late, State.WANTING, FETCH_TURN_MS)
    assert given(turns, FETCH_TURN_MS) == lanes(C, 1)
    assert turns.overdue(2 * FETCH_TURN_MS) == endless[2], "A has fewer than B now, and lanes that wait"
    for origin in (*endless, *lanes(A, 9), *lanes(C, 1)):
        turns.note(origin, None, FETCH_TURN_MS)
    assert turns.deadline_ms is None


def test_a_third_community_is_brought_on_while_two_never_end() -> None:
    """Two followed communities answer nothing to the point; the third one's lane is there after two turns at most."""
    net = make_net(A, B, C, D)
    for hostile in (A, B):
        for origin in lanes(hostile, FETCHES_MAX):
            net.append(hostile, origin, entries(256 * 40, size=2))
        net.nodes[hostile].lie = lambda frame: [] if isinstance(frame, Entries) else [frame]
    net.connect(A, D)
    net.connect(B, D)
    net.run(1_000)
    assert list(net.nodes[D].machine.lane_states.values()).count(State.FETCHING) == FETCHES_MAX
    net.append(C, lane_of(C), entries(600))
    net.connect(C, D)
    net.run(2 * FETCH_TURN_MS)
    assert adopted_size(net, D, lane_of(C)) == 600


def test_a_fetch_that_gave_way_goes_on_from_what_it_has_stored() -> None:
    """Nothing that is on disk is asked for again when its turn comes back."""
    machine = Replication(fetches_max=1)
    machine.handle(PeerOpened(A, 32), 0)
    machine.handle(PeerOpened(C, 32), 0)
    for origin in (lane_of(A), lane_of(C)):
        head = sign_head(origin, [bytes(32)] * 3, KEYS[origin.community])
        stated = Heads(0, bytes(16), 0, False, (state_head(head.note),))
        machine.handle(FrameReceived(origin.community, stated), 0)
        effects = machine.handle(LanesLoaded((HeldLane(origin, LOG_PUBLICS[origin.community]),), ()), 0)
    assert WakeAt(FETCH_TURN_MS) in effects
    machine.handle(Woken(), FETCH_TURN_MS)
    assert machine.lane_states == {lane_of(A): State.WANTING, lane_of(C): State.FETCHING}
    machine.handle(Woken(), 2 * FETCH_TURN_MS)
    assert machine.lane_states == {lane_of(A): State.FETCHING, lane_of(C): State.WANTING}


def test_names_of_lanes_that_nobody_signed_leave_nothing_behind() -> None:
    """A stranger offers lane after lane of a community that is followed; its own lanes find their place."""
    machine = Replication()
    machine.handle(PeerOpened(B, 32), 0)
    for start in range(0, 2 * LANES_OF_COMMUNITY_MAX, HEADS_PAGE_MAX):
        names = NAMES[start : start + HEADS_PAGE_MAX]
        forged = tuple(StatedHead(A, name, 0, 9, bytes(32), bytes(64), ()) for name in names)
        machine.handle(FrameReceived(B, Heads(0, bytes(16), 0, False, forged)), 0)
        asked = [HeldLane(origin, LOG_PUBLICS[A]) for origin in machine.lane_states]
        machine.handle(LanesLoaded(tuple(asked), ()), 0)
        assert machine.lane_states == {}
    head = sign_head(lane_of(A), [bytes(32)], KEYS[A])
    machine.handle(FrameReceived(B, Heads(0, bytes(16), 0, False, (state_head(head.note),))), 0)
    machine.handle(LanesLoaded((HeldLane(lane_of(A), LOG_PUBLICS[A]),), ()), 0)
    assert machine.lane_states == {lane_of(A): State.FETCHING}


def test_lanes_without_end_of_one_community_are_bounded() -> None:
    """Whoever signs head after head of new lanes is followed in so many of them, and others as before."""
    machine = Replication()
    machine.handle(PeerOpened(A, 32), 0)
    for origin in [*lanes(A, LANES_OF_COMMUNITY_MAX + 20), lane_of(C)]:
        head = sign_head(origin, [bytes(32)], KEYS[origin.community])
        machine.handle(FrameReceived(A, Heads(0, bytes(16), 0, False, (state_head(head.note),))), 0)
        machine.handle(LanesLoaded((HeldLane(origin, LOG_PUBLICS[origin.community]),), ()), 0)
    assert len(machine.lane_states) == LANES_OF_COMMUNITY_MAX + 1
    machine.handle(Woken(), FETCH_TURN_MS)
    assert machine.lane_states[lane_of(C)] is State.FETCHING


def test_an_answer_about_many_lanes_is_told_in_parts() -> None:
    """Each lane once, in order, and few at a time."""
    held = [HeldLane(origin, LOG_PUBLICS[A]) for origin in lanes(A, 3 * LANES_TOLD_MAX + 1)]
    unwanted = lanes(B, LANES_TOLD_MAX // 2)
    parts = list(lanes_loaded(held, unwanted))
    assert [lane for part in parts for lane in part.held] == held
    assert [origin for part in parts for origin in part.unwanted] == unwanted
    assert max(len(part.held) + len(part.unwanted) for part in parts) <= 2 * LANES_TOLD_MAX
    assert len(parts) == 4
    assert list(lanes_loaded((), ())) == []
