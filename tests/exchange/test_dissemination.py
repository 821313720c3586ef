"""News spreads over a sparse overlay: fast, nearly once to everybody, and around whoever dies or is silent."""

from random import Random

import pytest

from protocol.exchange.frames import Graft, Heads, HeadsSince, News, Prune
from protocol.exchange.heads import state_head
from protocol.exchange.machine import Tell
from protocol.exchange.replication_events import (
    PeerClosed,
    PeerOpened,
    PeerSilent,
    PeerVisited,
    WishesChanged,
)
from protocol.identity.keys import SigningKey
from protocol.limits import GRACE_MS, POLL_MS, POLL_RESTLESS_MS, REQUEST_MS, RESTLESS_MS
from protocol.log.origin import Origin
from tests.exchange.memory_store import MemoryStore
from tests.exchange.sim_node import SimNode
from tests.exchange.simnet import SimNet
from tests.exchange.villages import A, B, C, D, adopted_size, entries, lane_of, make_net

LINKS = 6
NODES = 40


def name(number: int) -> bytes:
    return number.to_bytes(2, "big") * 16


SENDER = name(0)
LANE = Origin(SENDER, "market/food", 0)


def make_overlay(count: int, seed: int, **faults: object) -> SimNet:
    """Everybody follows the sender, and dials three others by chance."""
    net = SimNet(seed, delay_ms=(10, 50), **faults)  # type: ignore[arg-type]  # named once, in SimNet
    keys = {name(number): SigningKey(name(number)) for number in range(count)}
    for community, key in keys.items():
        store = MemoryStore(community, key, {SENDER: keys[SENDER].public})
        net.nodes[community] = SimNode(store)
    choice = Random(seed)
    for number in range(count):
        for other in choice.sample([each for each in range(count) if each != number], LINKS // 2):
            if (name(number), name(other)) not in net.links:
                net.connect(name(number), name(other))
    return net


def followers_with(net: SimNet, size: int) -> list[bytes]:
    return [each for each in net.nodes if adopted_size(net, each, LANE) == size]


def copies(net: SimNet) -> int:
    return sum(isinstance(frame, News) for _, _, frame in net.sent)


@pytest.mark.parametrize("seed", range(2))
def test_news_reaches_everybody_nearly_once(seed: int) -> None:
    """After the first news has shown the fastest paths, a follower gets at most a fifth of a copy too many."""
    net = make_overlay(NODES, seed)
    for index in range(2):  # the first is fetched, because nobody knows the lane; the second makes the tree
        net.run(1_000)
        net.append(SENDER, LANE, entries(1, index))
    net.run(1_000)
    net.sent.clear()
    for index in range(2, 12):
        net.append(SENDER, LANE, entries(1, index))
        net.run(1_000)
        assert len(followers_with(net, index + 1)) == NODES
    assert (NODES - 1) * 10 <= copies(net) <= (NODES - 1) * 10 * 1.2
    assert not any(isinstance(frame, Graft) for _, _, frame in net.sent), (
        "nobody had to ask for what was late"
    )


@pytest.mark.parametrize("seed", range(2))
def test_news_goes_around_those_who_died_and_those_who_are_silent(seed: int) -> None:
    """A link of the tree that carries nothing any more is replaced by one over which the head was announced."""
    net = make_overlay(NODES, seed)
    net.append(SENDER, LANE, entries(2))
    net.run(2_000)
    for number in range(1, NODES, 10):
        net.disconnect(name(number))
        silent = net.nodes[name(number + 1)]
        silent.lie = lambda _frame: []
    reachable = {SENDER}
    mute = {name(number + offset) for number in range(1, NODES, 10) for offset in (0, 1)}
    while grown := {other for one, other in net.links if one in reachable} - reachable - mute:
        reachable |= grown
    net.append(SENDER, LANE, entries(1, 2))
    net.run(GRACE_MS * 10)
    assert len(reachable) >= NODES // 2
    assert reachable <= set(followers_with(net, 3))
    net.append(SENDER, LANE, entries(1, 3))
    net.run(GRACE_MS * 10)
    assert reachable <= set(followers_with(net, 4))


def test_whoever_does_not_follow_is_told_nothing_more_until_it_does() -> None:
    """A peer prunes a community it does not follow, and grafts it when a steward has changed their mind."""
    net = make_net(A, B)
    log_public = net.nodes[B].store.log_publics.copy()
    net.nodes[B].store.log_publics = {B: log_public[B]}
    net.connect(A, B)
    net.append(A, lane_of(A), entries(1))
    net.run(100)
    assert (B, A, Prune(A, False)) in net.sent
    net.sent.clear()
    net.append(A, lane_of(A), entries(1, 1))
    net.run(100)
    assert net.sent == []
    net.nodes[B].store.log_publics = log_public
    net.tell(B, WishesChanged())
    net.run(100)
    assert (B, A, Graft(A)) in net.sent
    assert adopted_size(net, B, lane_of(A)) == 2
    net.sent.clear()
    net.append(A, lane_of(A), entries(1, 2))
    net.run(100)
    assert [type(frame) for one, _, frame in net.sent if one == A] == [News]


def test_a_pruned_link_hears_of_heads_and_a_grafted_one_of_entries() -> None:
    """The second of two paths is pruned; when the first falls silent, what was announced is grafted."""
    net = make_net(A, B, C, D)
    for one, other in ((A, B), (A, C), (B, D), (C, D)):
        net.connect(one, other)
    for index in range(2):
        net.append(A, lane_of(A), entries(1, index))
        net.run(100)
    pruned = [one for one, other, frame in net.sent if other == D and isinstance(frame, News)][1:]
    assert len(pruned) == 1
    first = B if pruned == [C] else C
    net.sent.clear()
    net.append(A, lane_of(A), entries(1, 2))
    net.run(100)
    to_d = [(one, type(frame)) for one, other, frame in net.sent if other == D]
    assert sorted(to_d, key=str) == sorted([(first, News), (pruned[0], Heads)], key=str)
    net.nodes[first].lie = lambda _frame: []
    net.append(A, lane_of(A), entries(1, 3))
    net.run(GRACE_MS + 100)
    assert (D, pruned[0], Graft(A)) in net.sent
    assert adopted_size(net, D, lane_of(A)) == 4


def test_an_announcement_waits_for_its_news_and_not_longer() -> None:
    """Nothing is fetched while the news is on its way; a liar who announces what never comes costs one wait."""
    net = make_net(A, B, C)
    net.connect(A, B)
    net.connect(C, B)
    net.append(A, lane_of(A), entries(1))
    net.run(POLL_MS // 3)
    head = net.nodes[A].store.append(lane_of(A), entries(1, 1)).head
    net._send(C, B, Heads(0, bytes(16), 0, False, (state_head(head.note),)))
    net.sent.clear()
    net.run(GRACE_MS - 5)
    assert net.sent == []
    net.run(20)
    assert (B, C, Graft(A)) in net.sent


def test_a_closed_link_is_forgotten_with_what_it_announced() -> None:
    """A peer that goes takes its announcements along, and begins anew with an eager link."""
    net = make_net(A, B, C)
    net.connect(A, B)
    net.connect(C, B)
    net.append(A, lane_of(A), entries(1))
    net.run(POLL_MS // 3)
    head = net.nodes[A].store.append(lane_of(A), entries(1, 1)).head
    net._send(C, B, Heads(0, bytes(16), 0, False, (state_head(head.note),)))
    net.run(10)
    net.disconnect(C)
    net.sent.clear()
    net.run(GRACE_MS + 100)
    assert not any(isinstance(frame, Graft) for _, _, frame in net.sent)
    net.tell(B, PeerOpened(C, 32))
    assert net.nodes[B].machine.open_peers == (A, C)


def test_a_burst_is_passed_on_with_its_entries() -> None:
    """News that comes before the last one is stored is passed on too, each as it came."""
    net = make_net(A, B, C)
    net.connect(A, B)
    net.connect(B, C)
    for index in range(2):
        net.append(A, lane_of(A), entries(1, index))
        net.run(1_000)
    net.sent.clear()
    for index in range(2, 6):
        net.append(A, lane_of(A), entries(1, index))
    net.run(100)
    assert [type(frame) for one, other, frame in net.sent if (one, other) == (B, C)] == [News] * 4
    assert adopted_size(net, C, lane_of(A)) == 6


def test_news_that_is_not_stored_is_not_passed_on() -> None:
    """A full disk keeps what it could not take to itself; when there is room it comes by a fetch, and is announced."""
    net = make_net(A, B, C)
    net.connect(A, B)
    net.connect(B, C)
    for index in range(2):
        net.append(A, lane_of(A), entries(1, index))
        net.run(1_000)
    net.nodes[B].store.is_full = True
    net.append(A, lane_of(A), entries(1, 2))
    net.run(1_000)
    net.sent.clear()
    net.nodes[B].store.is_full = False
    net.run(POLL_MS * 2)
    to_c = [frame for one, other, frame in net.sent if (one, other) == (B, C)]
    assert not any(isinstance(frame, News) for frame in to_c)
    assert adopted_size(net, C, lane_of(A)) == 3


def asked(net: SimNet, since_ms: int) -> int:
    """How many questions for heads A sends from now on within so long."""
    net.sent.clear()
    net.run(since_ms)
    return sum(one == A and isinstance(frame, HeadsSince) for one, _, frame in net.sent)


def test_a_node_asks_more_often_while_links_die() -> None:
    """One peer in half a minute as a rule; two every ten seconds for a minute after a session ended."""
    net = make_net(A, B, C, D)
    for peer in (B, C, D):
        net.connect(A, peer)
    net.run(1_000)
    assert asked(net, POLL_MS * 4) == 4
    net.disconnect(D)
    assert asked(net, RESTLESS_MS - 1) == 2 * (RESTLESS_MS // POLL_RESTLESS_MS - 1)
    assert asked(net, POLL_MS * 4) == 4


def test_who_does_not_say_what_changed_is_silent() -> None:
    """A question for heads that stays unanswered is told to the other machines, and makes the node restless."""
    net = make_net(A, B, C)
    net.connect(A, B)
    net.connect(A, C)
    net.run(1_000)
    net.nodes[B].lie = lambda _frame: []
    net.run(POLL_MS * 2 + REQUEST_MS + 1_000)
    assert Tell(PeerSilent(B)) in net.nodes[A].reports
    assert Tell(PeerSilent(C)) not in net.nodes[A].reports
    assert asked(net, POLL_RESTLESS_MS * 3) >= 4


def test_a_visit_that_ends_makes_nobody_restless() -> None:
    """Nothing is lost with a session that was meant to end."""
    net = make_net(A, B, C)
    net.connect(A, B)
    net.connect(A, C)
    net.run(1_000)
    net.tell(A, PeerVisited(C))
    net.tell(A, PeerClosed(C, "session_finished"))
    net.links -= {(A, C), (C, A)}
    assert asked(net, POLL_MS * 4) == 4
