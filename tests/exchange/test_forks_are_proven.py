"""Whoever signs two histories is proven to everybody who is connected, and nobody else is ever accused."""

from random import Random
from typing import Any

import pytest

from protocol.exchange.exchange import Exchange
from protocol.exchange.following import State
from protocol.exchange.frames import Entries, Heads, News
from protocol.exchange.heads import state_head
from protocol.exchange.holding import ReportFork
from protocol.exchange.replication import Replication
from protocol.exchange.statements import Statements
from protocol.limits import FORK_BYTES_MAX, POLL_MS
from protocol.log.fork import parse_fork, verify_fork
from protocol.log.origin import Origin
from tests.exchange.memory_store import MemoryStore
from tests.exchange.sim_node import SimNode
from tests.exchange.simnet import SimNet
from tests.exchange.villages import KEYS, LOG_PUBLICS, A, B, C, D, adopted_size, entries, lane_of

FOOD = lane_of(A)
OTHERS = (B, C, D)


def make_net(*names: bytes, seed: int = 1, **faults: Any) -> SimNet:
    net = SimNet(seed, **faults)
    for name in names:
        net.nodes[name] = SimNode(MemoryStore(name, KEYS[name], LOG_PUBLICS), make=all_machines)
    return net


def all_machines() -> Exchange:
    return Exchange(Statements())


def replication(net: SimNet, name: bytes) -> Replication:
    machine: Exchange = net.nodes[name].machine
    return machine.replication


def rewrite(net: SimNet, shared: int, size: int) -> None:
    """A comes back with another history, of which the first `shared` entries are the old ones."""
    net.disconnect(A)
    net.nodes[A].store = MemoryStore(A, KEYS[A], LOG_PUBLICS)
    net.restart(A)
    net.append(
        A, FOOD, [*entries(shared), *(b"another story %d" % number for number in range(size - shared))]
    )


def proven(net: SimNet, name: bytes) -> set[Origin]:
    for text in net.nodes[name].store.statements:
        assert len(text) <= FORK_BYTES_MAX
        verify_fork(parse_fork(text), LOG_PUBLICS[A])
    return net.nodes[name].store.forks


@pytest.mark.parametrize(
    ("first", "shared", "second"),
    [(10, 4, 10), (10, 4, 30), (30, 4, 10), (8, 0, 300), (300, 256, 300), (300, 0, 8), (257, 256, 400)],
)
def test_two_stories_that_meet_are_proven_to_everybody(first: int, shared: int, second: int) -> None:
    """Of one size, the later one larger or smaller: where B meets C, and then at D, which followed neither yet."""
    net = make_net(A, *OTHERS)
    net.append(A, FOOD, entries(first))
    net.connect(A, B)
    net.run(3_000)
    rewrite(net, shared, second)
    net.connect(A, C)
    net.run(3_000)
    net.disconnect(A)
    assert (adopted_size(net, B, FOOD), adopted_size(net, C, FOOD)) == (first, second)
    net.connect(B, C)
    net.connect(C, D)
    net.run(60_000)
    assert [proven(net, name) for name in OTHERS] == [{FOOD}] * 3
    assert replication(net, B).lane_states[FOOD] is State.STOPPED
    assert (adopted_size(net, B, FOOD), adopted_size(net, C, FOOD)) == (first, second), "still readable"


def test_a_forked_lane_is_pulled_by_nobody_any_more() -> None:
    """Neither by who found it nor by who was told, nor after a restart; the other lanes go on."""
    net = make_net(A, *OTHERS)
    net.append(A, FOOD, entries(10))
    net.connect(A, B)
    net.run(3_000)
    rewrite(net, 3, 10)
    net.connect(A, B, C)
    net.run(60_000)
    assert proven(net, B) == proven(net, C) == {FOOD}
    before = {name: adopted_size(net, name, FOOD) for name in (B, C)}
    net.restart(C)
    net.connect(A, B, C)
    net.append(A, FOOD, [b"more"] * 3)
    net.append(A, lane_of(A, "market/pets"), entries(5))
    net.run(60_000)
    assert {name: adopted_size(net, name, FOOD) for name in (B, C)} == before
    assert [adopted_size(net, name, lane_of(A, "market/pets")) for name in (B, C)] == [5, 5]


def test_a_remembered_head_outlives_a_smaller_one_and_convicts_a_larger() -> None:
    """The entries of the first head never come; B then follows another history past it."""
    net = make_net(A, B)
    net.append(A, FOOD, entries(400))
    net.nodes[A].lie = lambda frame: [] if isinstance(frame, Entries | News) else [frame]
    net.connect(A, B)
    net.run(5_000)
    rewrite(net, 3, 300)
    net.nodes[A].lie = lambda frame: [frame]
    net.connect(A, B)
    net.run(60_000)
    assert (adopted_size(net, B, FOOD), proven(net, B)) == (300, set())
    net.append(A, FOOD, [b"one more"] * 150)
    net.run(60_000)
    assert proven(net, B) == {FOOD}
    assert adopted_size(net, B, FOOD) == 300


@pytest.mark.parametrize("seed", range(40))
def test_no_honest_community_is_ever_accused(seed: int) -> None:
    """Growth, old heads repeated, loss, doubles, kills: one history, whoever shows which part of it when."""
    net = make_net(A, *OTHERS, seed=seed, loss=0.1, doubles=0.3, delay_ms=(1, 300))
    random = Random(seed)
    kept: list[Heads] = []

    def repeat(frame: Any) -> list[Any]:
        if isinstance(frame, Heads) and frame.heads:
            kept.append(Heads(0, bytes(16), 0, False, frame.heads))
        return [frame, random.choice(kept)] if kept and random.random() < 0.3 else [frame]

    net.nodes[B].lie = repeat
    net.connect(A, *OTHERS)
    for _ in range(12):
        net.append(A, FOOD, entries(random.randint(1, 90), random.randint(0, 10_000)))
        net.run(random.randint(10, 20_000))
        if random.random() < 0.3:
            net.restart(name := random.choice(OTHERS))
            for other in (A, *OTHERS):
                if other != name:
                    net.connect(name, other)
    net.run(3 * POLL_MS)
    for node in net.nodes.values():
        assert node.store.forks == set()
        assert not [report for report in node.reports if isinstance(report, ReportFork)]
    assert adopted_size(net, D, FOOD) > 0


def test_a_head_that_is_not_signed_accuses_nobody() -> None:
    """B states a smaller head with another root that A never signed: B is blamed, A is not accused."""
    net = make_net(A, B, C)
    net.append(A, FOOD, entries(10))
    net.connect(A, B, C)
    net.run(3_000)
    forged = MemoryStore(A, KEYS[B], LOG_PUBLICS)
    stated = state_head(forged.append(FOOD, [b"never said"] * 5).head.note)
    net.nodes[B].lie = lambda frame: [frame, Heads(0, bytes(16), 0, False, (stated,))]
    net.append(B, lane_of(B), entries(1))
    net.run(60_000)
    assert proven(net, C) == set()
    assert {report.code for report in net.nodes[C].reports if hasattr(report, "code")} == {
        "note_signature_invalid"
    }
