"""Whole nodes over a hostile network: they converge, or they say why not, and nothing false is ever kept."""

from collections.abc import Callable
from typing import Any

import pytest
from msgspec.structs import replace

from protocol.exchange.following import OwnLaneSeen, State
from protocol.exchange.frames import (
    Blob,
    BlobGet,
    Entries,
    EntriesGet,
    Frame,
    Heads,
    HeadsCompare,
    HeadsSince,
    News,
    Ping,
    Refused,
    SealedAck,
    Tiles,
)
from protocol.exchange.heads import state_head
from protocol.exchange.holding import ReportFork
from protocol.exchange.listing import HeadsSummedUp, Place
from protocol.exchange.replication import Replication
from protocol.exchange.replication_events import (
    Drop,
    FrameReceived,
    LanesLoaded,
    LoadLanes,
    PeerClosed,
    PeerOpened,
    PlacesLoaded,
    Reply,
    RequestAsked,
    Send,
    Serve,
    WishesChanged,
    Woken,
)
from protocol.limits import (
    FETCH_BUNDLES_MAX,
    FETCHES_MAX,
    PLACES_MAX,
    POLL_MS,
    REQUEST_MS,
    REQUESTS_MAX,
    REQUESTS_QUEUED_MAX,
    SUMMARIES_MAX,
)
from tests.exchange.memory_store import MemoryStore, sign_head
from tests.exchange.simnet import SimNet
from tests.exchange.villages import (
    KEYS,
    LOG_PUBLICS,
    A,
    B,
    C,
    D,
    adopted_size,
    blames,
    entries,
    held,
    lane_of,
    make_net,
)

FOOD = lane_of(A)


def frames_sent(net: SimNet, *types: type[Frame]) -> list[Frame]:
    return [frame for _, _, frame in net.sent if isinstance(frame, types)]


def agree(net: SimNet, *names: bytes) -> bool:
    """Whether all nodes show the same heads and hold the same entries of all lanes."""
    origins = {origin for name in names for origin in net.nodes[name].store.lanes}
    lanes = [[held(net, name, origin) for name in names] for origin in origins]
    return all(
        copy.adopted == copies[0].adopted and copy.entries == copies[0].entries
        for copies in lanes
        for copy in copies
    )


@pytest.mark.parametrize("seed", range(12))
def test_three_nodes_converge_over_a_bad_network(seed: int) -> None:
    """Loss, doubles and any order of arrival: in the end all three hold the same, and no lie was told of anyone."""
    net = make_net(A, B, C, seed=seed, loss=0.05, doubles=0.1, delay_ms=(1, 400))
    for name in (A, B, C):
        net.append(name, lane_of(name), entries(net.random.randint(1, 1500)))
        net.append(name, lane_of(name, "charter"), entries(3))
    net.connect(A, B, C)
    for _ in range(20):
        net.run(3_000)
        name = net.random.choice((A, B, C))
        net.append(name, lane_of(name), entries(net.random.randint(1, 5)))
    net.run(900_000, until=lambda: agree(net, A, B, C))
    assert agree(net, A, B, C), f"seed {seed}"
    codes = {code for name in (A, B, C) for _, code in blames(net, name)}
    assert codes <= {"request_unanswered"}, f"seed {seed}"


def test_news_reaches_a_connected_peer_in_one_message() -> None:
    """Once in step, a new record costs one frame to each neighbour, and no question."""
    net = make_net(A, B)
    net.append(A, FOOD, entries(10))
    net.connect(A, B)
    net.run(2_000)
    net.sent.clear()
    net.append(A, FOOD, entries(1, 10))
    net.run(2_000)
    assert held(net, B, FOOD).entries == entries(11)
    assert [type(frame) for _, _, frame in net.sent] == [News]


def test_a_lane_passes_through_a_node_in_the_middle() -> None:
    """B follows A, C is connected to B alone: whoever follows a lane serves it, and at once."""
    net = make_net(A, B, C)
    net.connect(A, B)
    net.connect(B, C)
    net.append(A, FOOD, entries(700))
    net.run(2_000)
    assert held(net, C, FOOD).entries == entries(700)
    net.append(A, FOOD, entries(2, 700))
    net.run(1_000)
    assert held(net, C, FOOD).entries == entries(702)


def test_a_lane_for_peers_is_not_shown_to_others() -> None:
    """Who is not vouched for hears neither the head nor an entry, from the owner or from followers."""
    net = make_net(A, B, C)
    ledger = lane_of(A, "ledger")
    net.append(A, ledger, entries(5))
    for name in (A, B):
        net.nodes[name].store.held(ledger)
        held(net, name, ledger).readers = frozenset([A, B])
    net.connect(A, B, C)
    net.append(A, ledger, entries(2, 5))
    net.run(POLL_MS * 5)
    assert held(net, B, ledger).entries == entries(7)
    assert ledger not in net.nodes[C].store.lanes
    assert not any(peer == C for _, peer, frame in net.sent if isinstance(frame, News))


@pytest.mark.parametrize("kills", range(1, 6))
def test_a_node_that_is_killed_again_and_again_comes_home(kills: int) -> None:
    """Each life goes on where the last one was cut off; no entry that was stored is asked for twice."""
    bundles = 7 * FETCH_BUNDLES_MAX
    net = make_net(A, B, delay_ms=(20, 20))
    net.append(A, FOOD, entries(256 * bundles))
    for _ in range(kills):
        net.connect(A, B)
        net.run(150)
        net.restart(B)
    assert 0 < len(held(net, B, FOOD).entries) < 256 * bundles
    assert adopted_size(net, B, FOOD) == 0
    net.connect(A, B)
    net.run(10_000)
    assert agree(net, A, B)
    wanted = [frame.bundle for frame in frames_sent(net, EntriesGet) if isinstance(frame, EntriesGet)]
    assert len(wanted) <= bundles + kills * (FETCH_BUNDLES_MAX + 1)


def lie_about(frame_type: type[Frame]) -> Callable[[Frame], list[Frame]]:
    def lie(frame: Frame) -> list[Frame]:
        if isinstance(frame, Tiles) and frame_type is Tiles:
            return [Tiles(frame.number, (b"?" * len(frame.tiles[0]), *frame.tiles[1:]))]
        if isinstance(frame, Entries) and frame_type is Entries:
            return [Entries(frame.number, frame.count, frame.packed[:-1] + b"?")]
        return [frame]

    return lie


@pytest.mark.parametrize(
    ("frame_type", "codes"),
    [(Tiles, {"fetch_root_mismatch"}), (Entries, {"fetch_bundle_mismatch"})],
    ids=["tile", "bundle"],
)
def test_a_lying_follower_is_named_and_the_lane_comes_from_the_others(
    frame_type: type[Frame], codes: set[str]
) -> None:
    """C passes on false bytes of A's lane; D, who asks both B and C, ends with A's own."""
    net = make_net(A, B, C, D)
    net.append(A, FOOD, entries(2000))
    net.connect(A, B, C)
    net.run(3_000)
    net.nodes[C].lie = lie_about(frame_type)
    net.connect(C, D)
    net.connect(B, D)
    net.run(POLL_MS * 4)
    assert held(net, D, FOOD).entries == entries(2000)
    assert blames(net, D) <= {(C, code) for code in codes}


def test_a_silent_peer_is_passed_over() -> None:
    """C takes every request and answers none of them: after a while its share is asked of B."""
    net = make_net(A, B, C, D)
    net.append(A, FOOD, entries(3000))
    net.connect(A, B, C)
    net.run(3_000)
    net.nodes[C].lie = lambda frame: [] if isinstance(frame, Entries) else [frame]
    net.connect(B, D)
    net.connect(C, D)
    net.run(REQUEST_MS + 5_000)
    assert held(net, D, FOOD).entries == entries(3000)
    assert blames(net, D) <= {(C, "request_unanswered")}


def test_an_owner_who_tells_two_stories_is_found_out() -> None:
    """B and C were told different things; where they meet, both signed heads are kept as evidence."""
    net = make_net(A, B, C)
    net.append(A, FOOD, entries(300))
    net.connect(A, B)
    net.run(2_000)
    net.disconnect(A)
    net.nodes[A].store = MemoryStore(A, KEYS[A], LOG_PUBLICS)
    net.restart(A)
    net.append(A, FOOD, [b"another story", *entries(400)])
    net.connect(A, C)
    net.run(2_000)
    net.disconnect(A)
    before = [len(net.nodes[name].store.steps) for name in (B, C)]
    net.connect(B, C)
    net.run(POLL_MS * 3)
    reports = [report for report in net.nodes[B].reports if isinstance(report, ReportFork)]
    assert [(report.older.size, report.newer.size) for report in reports] == [(300, 401)]
    assert net.nodes[B].machine.lane_states[FOOD] is State.STOPPED
    assert [len(net.nodes[name].store.steps) for name in (B, C)] == before
    assert held(net, B, FOOD).entries == entries(300)


def test_an_owner_restored_from_an_old_backup_is_told_by_its_peers() -> None:
    """A comes back with fewer records than B holds of A's own lane: an alarm, before A signs anything."""
    net = make_net(A, B)
    net.append(A, FOOD, entries(50))
    net.connect(A, B)
    net.run(2_000)
    net.restart(A)
    net.nodes[A].store = MemoryStore(A, KEYS[A], LOG_PUBLICS)
    net.nodes[A].store.append(FOOD, entries(30))
    net.connect(A, B)
    net.run(2_000)
    seen = [report for report in net.nodes[A].reports if isinstance(report, OwnLaneSeen)]
    assert [(report.peer, report.head.size) for report in seen] == [(B, 50)]


def test_a_missed_push_is_made_up_for_by_the_next_question() -> None:
    """Pushes may be lost; whoever asks every half minute learns of what they said."""
    net = make_net(A, B)
    net.append(A, FOOD, entries(10))
    net.connect(A, B)
    net.run(2_000)
    net.loss = 1.0
    net.append(A, FOOD, entries(5, 10))
    net.loss = 0.0
    net.run(1_000)
    assert adopted_size(net, B, FOOD) == 10
    net.run(POLL_MS)
    assert held(net, B, FOOD).entries == entries(15)


def test_a_reconnected_peer_says_only_what_changed() -> None:
    """The place in a peer's list outlives the session, so that a broken line does not cost the whole list."""
    net = make_net(A, B)
    for number in range(20):
        net.append(A, lane_of(A, f"market/{chr(97 + number)}"), entries(2))
    net.connect(A, B)
    net.run(3_000)
    assert agree(net, A, B)
    net.disconnect(B)
    net.append(A, FOOD, entries(1))
    net.sent.clear()
    net.connect(A, B)
    net.run(1_000)
    assert agree(net, A, B)
    told = [head for frame in frames_sent(net, Heads) if isinstance(frame, Heads) for head in frame.heads]
    assert len(told) < 20 + 2  # A hears B's list for the first time; B hears one change


def test_a_restarted_node_asks_only_for_what_changed() -> None:
    """The place in a peer's list is kept once everything up to it is stored, and not before."""
    net = make_net(A, B)
    for number in range(20):
        net.append(A, lane_of(A, f"market/{chr(97 + number)}"), entries(2))
    net.connect(A, B)
    net.run(3_000)
    assert A not in net.nodes[B].store.places, "an open session does not write to a router's flash at once"
    net.run(POLL_MS)
    assert net.nodes[B].store.places[A] == (net.nodes[A].store.instance, 20)
    net.nodes[B].store.is_full = True
    net.append(A, FOOD, entries(1))
    net.run(POLL_MS)
    net.restart(B)
    assert net.nodes[B].store.places[A].number == 20
    net.nodes[B].store.is_full = False
    net.sent.clear()
    net.connect(A, B)
    net.run(1_000)
    assert agree(net, A, B)
    told = [len(frame.heads) for _, peer, frame in net.sent if isinstance(frame, Heads) and peer == B]
    assert sum(told) == 1


def test_nobody_has_all_heads_walked_through_again_and_again() -> None:
    """A comparison costs us a walk through every head: a few in half a minute are answered."""
    machine = Replication()
    machine.handle(PeerOpened(B, 32), 0)

    def ask(now_ms: int) -> Any:
        return machine.handle(FrameReceived(B, HeadsCompare(5, b"k" * 16, 6)), now_ms)[0]

    answers = [ask(1) for _ in range(2 * SUMMARIES_MAX + 1)]
    assert [type(effect) for effect in answers[:-1]] == [Serve] * (2 * SUMMARIES_MAX)
    assert answers[-1] == Send(B, Refused(5, "requests_too_many", ""))
    assert isinstance(ask(POLL_MS), Serve)


def test_strangers_who_come_and_go_leave_no_more_than_so_many_places() -> None:
    """Communities cost nothing to make up; what we remember of them is bounded."""
    machine = Replication()
    machine.handle(PlacesLoaded({A: Place(b"i" * 16, 7)}), 0)
    for number in range(PLACES_MAX + 50):
        name = number.to_bytes(32, "big")
        machine.handle(PeerOpened(name, 32), 0)
        machine.handle(PeerClosed(name), 0)
    assert len(machine._places._listings) == PLACES_MAX
    assert A in machine._places._listings


def test_a_lane_that_becomes_wanted_is_fetched_then() -> None:
    """C's lanes are nobody's business at B until B follows C."""
    net = make_net(B, C)
    net.nodes[B].store.log_publics = {B: LOG_PUBLICS[B]}
    net.append(C, lane_of(C), entries(5))
    net.connect(B, C)
    net.run(2_000)
    assert net.nodes[B].machine.lane_states == {}
    net.nodes[B].store.log_publics = LOG_PUBLICS
    net.tell(B, WishesChanged())
    net.run(2_000)
    assert held(net, B, lane_of(C)).entries == entries(5)


@pytest.mark.parametrize("asked_again_ms", [5, 30, 55])
def test_a_lane_that_becomes_wanted_while_the_store_is_being_asked_is_fetched_then(
    asked_again_ms: int,
) -> None:
    """The store's answer may be older than the wish, and the peer's list may come again before it."""
    net = make_net(B, C, load_ms=50)
    net.nodes[B].store.log_publics = {B: LOG_PUBLICS[B]}
    net.append(C, lane_of(C), entries(5))
    net.connect(B, C)
    net.run(asked_again_ms)
    net.nodes[B].store.log_publics = LOG_PUBLICS
    net.tell(B, WishesChanged())
    net.run(2_000)
    assert held(net, B, lane_of(C)).entries == entries(5)


def test_a_lane_that_becomes_wanted_while_a_peer_is_being_asked_is_fetched_then() -> None:
    """The open question is for what is new only: the whole list is asked for behind it."""
    net = make_net(B, C, delay_ms=(20, 20))
    net.nodes[B].store.log_publics = {B: LOG_PUBLICS[B]}
    net.append(C, lane_of(C), entries(5))
    net.connect(B, C)
    net.run(POLL_MS - 1)
    net.sent.clear()
    net.run(10)
    assert frames_sent(net, HeadsSince)
    net.nodes[B].store.log_publics = LOG_PUBLICS
    net.tell(B, WishesChanged())
    net.run(2_000)
    assert held(net, B, lane_of(C)).entries == entries(5)


def test_many_lanes_are_fetched_a_few_at_a_time_and_the_short_ones_first() -> None:
    """A router's memory bounds how much is under way; an order does not wait behind a year of listings."""
    net = make_net(A, B)
    names = [f"market/{chr(97 + number)}" for number in range(9)]
    for number, name in enumerate(names):
        net.append(A, lane_of(A, name), entries(3000 if number < 8 else 2))
    net.connect(A, B)
    busiest = 0
    for _ in range(2_000):
        net.run(1)
        states = list(net.nodes[B].machine.lane_states.values())
        busiest = max(busiest, states.count(State.FETCHING))
    assert busiest == FETCHES_MAX
    assert agree(net, A, B)


def test_a_step_that_fails_is_taken_again_later() -> None:
    """A full disk stops one lane for a while and breaks nothing."""
    net = make_net(A, B)
    net.append(A, FOOD, entries(600))
    net.connect(A, B)
    net.nodes[B].store.is_full = True
    net.run(1_000)
    assert net.nodes[B].machine.lane_states[FOOD] is State.LOADING
    net.run(POLL_MS * 2)
    assert held(net, B, FOOD).entries == []
    net.nodes[B].store.is_full = False
    net.run(POLL_MS)
    assert agree(net, A, B)


def test_the_node_asks_a_peer_for_other_things_and_hears_how_it_ended() -> None:
    """An answer, a refusal, silence, a lost session, too many questions: each comes back under its token."""
    machine = Replication()
    question = BlobGet(0, b"h" * 32, 0, 10)
    assert machine.handle(RequestAsked(B, 1, question), 0) == [Reply(1, None, "session_lost")]
    machine.handle(PeerOpened(B, 2), 0)
    machine.handle(HeadsSummedUp(B, b"k" * 16, 1, 0, b""), 0)
    machine.handle(FrameReceived(B, Heads(1, b"i" * 16, 0, False, ())), 0)
    sent = machine.handle(RequestAsked(B, 2, question), 0)
    assert sent == [Send(B, BlobGet(2, b"h" * 32, 0, 10))]
    blob = Blob(2, 3, b"abc")
    assert machine.handle(FrameReceived(B, blob), 0) == [Reply(2, blob)]
    machine.handle(RequestAsked(B, 3, question), 0)
    refused = Refused(3, "blob_not_held", "")
    assert machine.handle(FrameReceived(B, refused), 0) == [Reply(3, refused)]
    machine.handle(RequestAsked(B, 4, question), 0)
    assert Reply(4, None, "request_unanswered") in machine.handle(Woken(), REQUEST_MS)
    machine.handle(RequestAsked(B, 5, question), 0)
    assert Reply(5, None, "session_lost") in machine.handle(PeerClosed(B), 0)
    machine.handle(PeerOpened(B, 2), 0)
    for token in range(REQUESTS_QUEUED_MAX + 2):
        last = machine.handle(RequestAsked(B, token, question), 0)
    assert last == [Reply(token, None, "requests_too_many")]


def test_no_peer_is_asked_more_at_a_time_than_it_allows() -> None:
    """Nine long lanes from one peer, and never more than its limit waits for answers."""
    net = make_net(A, B)
    for number in range(9):
        net.append(A, lane_of(A, f"market/{chr(97 + number)}"), entries(256 * 40))
    net.delay_ms = (50, 50)
    net.connect(A, B)
    open_requests = busiest = 0
    heard = 0
    for _ in range(3_000):
        net.run(1)
        for sender, _, frame in net.sent[heard:]:
            if sender == B and isinstance(frame, EntriesGet | HeadsSince):
                open_requests += 1
            if sender == A and isinstance(frame, Entries | Heads):
                open_requests -= 1
            busiest = max(busiest, open_requests)
        heard = len(net.sent)
    assert agree(net, A, B)
    assert 16 < busiest <= REQUESTS_MAX


@pytest.mark.parametrize(
    "frame", [Entries(1, 1, b"\x00\x00"), SealedAck(1, ())], ids=["another type", "an ack for nothing"]
)
def test_an_answer_of_another_type_ends_the_session(frame: Frame) -> None:
    """A peer that answers a question about heads with entries is not speaking this protocol."""
    machine = Replication()
    machine.handle(PeerOpened(B, 32), 0)
    machine.handle(HeadsSummedUp(B, b"k" * 16, 1, 0, b""), 0)
    assert Drop(B, "answer_mismatch") in machine.handle(FrameReceived(B, frame), 0)


@pytest.mark.parametrize(
    "frame",
    [Entries(77, 1, b"\x00\x00"), Refused(0, "frame_unknown", ""), Refused(9, "x", ""), Ping(1)],
    ids=["late", "about no request", "refused late", "not ours"],
)
def test_late_and_foreign_frames_are_nothing(frame: Frame) -> None:
    """What answers no open request is passed over, and so are the frames of a peer that is not open."""
    machine = Replication()
    machine.handle(PeerOpened(B, 32), 0)
    assert machine.handle(FrameReceived(B, frame), 0) == []
    assert machine.handle(FrameReceived(C, frame), 0) == []


def test_a_head_of_no_lane_is_blamed_and_the_others_are_heard() -> None:
    """One bad head in a list does not hide the rest of it."""
    machine = Replication()
    machine.handle(PeerOpened(B, 32), 0)
    machine.handle(HeadsSummedUp(B, b"k" * 16, 1, 0, b""), 0)
    good = state_head(sign_head(FOOD, [b"h" * 32], KEYS[A]).note)
    heads = Heads(1, b"i" * 16, 2, False, (replace(good, lane=200), good))
    effects = machine.handle(FrameReceived(B, heads), 0)
    assert [effect.code for effect in effects if hasattr(effect, "code")] == ["origin_malformed"]
    assert effects[-1] == LoadLanes((FOOD,))
    assert machine.handle(LanesLoaded((), (FOOD,)), 0) == []
    assert machine.lane_states == {}


def test_a_second_session_with_one_peer_replaces_the_first() -> None:
    """Whatever the first one owed is asked again."""
    net = make_net(A, B)
    net.append(A, FOOD, entries(2000))
    net.connect(A, B)
    net.run(8)
    net.connect(A, B)
    net.run(5_000)
    assert agree(net, A, B)


def test_peers_are_asked_in_turn_every_half_minute() -> None:
    """Without any news each peer is asked now and then, one at a time."""
    net = make_net(A, B, C, D)
    net.connect(A, B, C, D)
    net.run(1_000)
    net.sent.clear()
    net.run(POLL_MS * 3)
    asked = [peer for sender, peer, frame in net.sent if sender == A and isinstance(frame, HeadsSince)]
    assert sorted(asked) == [B, C, D]
