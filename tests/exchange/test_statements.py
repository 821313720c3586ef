"""Statements reach everybody who is connected, once each, whatever the network and the peers do."""

from itertools import pairwise, product
from typing import Any

import pytest

from protocol.exchange.exchange import Exchange
from protocol.exchange.frames import Statement, StatementDigests, StatementGet, StatementNews, StatementsSince
from protocol.exchange.holding import Blame
from protocol.exchange.machine import AskPeer, PeerAnswered
from protocol.exchange.replication_events import (
    FrameReceived,
    PeerClosed,
    PeerOpened,
    Send,
    WakeAt,
    WishesChanged,
    Woken,
)
from protocol.exchange.statements import (
    BEFORE_ALL,
    JudgeStatement,
    LoadStatements,
    State,
    StatementJudged,
    Statements,
    StatementsGrown,
    StatementsLoaded,
    StatementUnjudged,
    digest_of,
    make_digests_page,
    summary_of,
)
from protocol.limits import (
    POLL_MS,
    STATEMENTS_ASKED_MAX,
    STATEMENTS_JUDGED_MAX,
    STATEMENTS_LISTED_MAX,
    STATEMENTS_NOTED_MAX,
    STATEMENTS_OF_ONE_MAX,
    STATEMENTS_OF_ONE_MIN,
    STATEMENTS_PAGE_MAX,
    STATEMENTS_PASSED_MAX,
)
from tests.exchange.memory_store import MemoryStore
from tests.exchange.sim_node import SimNode
from tests.exchange.simnet import SimNet
from tests.exchange.villages import KEYS, LOG_PUBLICS, NAMES, A, B, C, D, blames

GOOD, BAD = b"good news", b"bad news"


def make_net(*names: bytes, seed: int = 1, **faults: Any) -> SimNet:
    net = SimNet(seed, **faults)
    for name in names:
        store = MemoryStore(name, KEYS[name], LOG_PUBLICS)
        net.nodes[name] = SimNode(store, make=lambda: Exchange(Statements()))
    return net


def publish(net: SimNet, name: bytes, text: bytes) -> None:
    net.nodes[name].store.statements.append(text)
    net.tell(name, StatementsGrown())


def connect_in_a_row(net: SimNet, names: tuple[bytes, ...]) -> None:
    for one, other in pairwise(names):
        net.connect(one, other)


def holders(net: SimNet, text: bytes) -> set[bytes]:
    return {name for name, node in net.nodes.items() if text in node.store.statements}


def sent(net: SimNet, kind: type) -> list[tuple[bytes, bytes]]:
    return [(name, peer) for name, peer, frame in net.sent if isinstance(frame, kind)]


def ready(*peers: bytes) -> Statements:
    machine = Statements()
    for peer in peers:
        machine.handle(PeerOpened(peer, 32), 0)
    machine.handle(StatementsLoaded(0, ()), 0)
    return machine


def effects_of(machine: Statements, *events: Any, kind: type = object) -> list[Any]:
    told = [effect for event in events for effect in machine.handle(event, 0)]
    return [effect for effect in told if isinstance(effect, kind)]


def test_what_is_new_reaches_everybody_along_a_row() -> None:
    """One after the other, without anybody waiting for a list, and nobody is told what it has said itself."""
    net = make_net(*NAMES)
    connect_in_a_row(net, NAMES)
    net.run(1_000)
    publish(net, A, GOOD)
    net.run(1_000)
    assert holders(net, GOOD) == set(NAMES)
    assert sent(net, StatementNews) == list(pairwise(NAMES))


def test_two_that_meet_bring_each_other_what_the_other_lacks() -> None:
    """Both sides ask; a summary that is equal costs one empty answer."""
    net = make_net(A, B)
    net.nodes[A].store.statements += [b"good of A", b"good of both"]
    net.nodes[B].store.statements += [b"good of B", b"good of both"]
    net.connect(A, B)
    net.run(1_000)
    assert set(net.nodes[A].store.statements) == set(net.nodes[B].store.statements)
    net.sent.clear()
    net.run(3 * POLL_MS)
    pages = [frame for _, _, frame in net.sent if isinstance(frame, StatementDigests)]
    assert pages
    assert not any(page.digests for page in pages)


def test_pages_bring_a_long_list() -> None:
    """More than a page on both sides, of which some are common."""
    texts = [b"good %d" % number for number in range(2 * STATEMENTS_PAGE_MAX + 40)]
    net = make_net(A, B)
    net.nodes[A].store.statements += texts[:-20]
    net.nodes[B].store.statements += texts[20:]
    net.connect(A, B)
    net.run(20_000)
    assert {frozenset(node.store.statements) for node in net.nodes.values()} == {frozenset(texts)}


@pytest.mark.parametrize("seed", range(12))
def test_loss_doubles_and_kills_do_not_matter(seed: int) -> None:
    """Whatever is lost is found again in a list."""
    net = make_net(*NAMES, seed=seed, loss=0.3, doubles=0.3, delay_ms=(1, 400))
    connect_in_a_row(net, NAMES)
    for number, name in enumerate(NAMES):
        publish(net, name, b"good of %d" % number)
        net.run(500)
    net.restart(D)
    connect_in_a_row(net, (C, D, NAMES[4]))
    texts = [b"good of %d" % number for number in range(len(NAMES))]
    net.run(3_600_000)
    assert all(holders(net, text) == set(NAMES) for text in texts)


def test_a_bad_statement_blames_its_sender_and_goes_no_further() -> None:
    """B is blamed with the code of what is wrong, is not asked for it again, and C never hears of it."""
    net = make_net(A, B, C)
    net.connect(A, B, C)
    net.run(1_000)
    net.nodes[B].machine.handle(StatementsLoaded(1, (), (BAD,)), 0)
    net.nodes[B].store.statements.append(BAD)
    net.tell(A, FrameReceived(B, StatementNews(BAD)))
    net.run(10 * POLL_MS)
    assert holders(net, BAD) == {B}
    assert blames(net, A) == {(B, "note_not_signed")}
    assert not [pair for pair in sent(net, StatementNews) if pair[0] == A]
    asked = [name for name, _, frame in net.sent if isinstance(frame, StatementGet)]
    assert asked == [C], "A has it judged already"


def test_what_cannot_be_judged_yet_is_met_again_without_blame() -> None:
    """The genesis of that community comes with another session, and then the statement is taken."""
    net = make_net(A, B, C)
    net.nodes[A].store.unknown.add(GOOD)
    net.nodes[B].store.statements.append(GOOD)
    net.connect(A, B)
    net.run(5 * POLL_MS)
    assert (holders(net, GOOD), blames(net, A)) == ({B}, set())
    assert len([name for name, _, frame in net.sent if isinstance(frame, StatementGet)]) == 1
    net.nodes[A].store.unknown.clear()
    net.connect(A, C)
    net.run(5 * POLL_MS)
    assert holders(net, GOOD) == {A, B, C}


def test_the_store_is_asked_once_and_told_from_there() -> None:
    """At the first peer for all digests, then for what came after; growth during an answer asks once more."""
    machine = Statements()
    assert effects_of(machine, PeerOpened(A, 32), kind=LoadStatements) == [LoadStatements(None)]
    assert effects_of(machine, PeerOpened(B, 32), StatementsGrown(), StatementsGrown()) == []
    assert machine.state is State.BEHIND
    told = effects_of(machine, StatementsLoaded(3, (b"d" * 32,)))
    assert told[0] == LoadStatements(3)
    assert [effect.peer for effect in told[1:]] == [A, B]
    pushed = effects_of(machine, StatementsLoaded(4, (), (GOOD,)), kind=Send)
    assert pushed == [Send(A, StatementNews(GOOD)), Send(B, StatementNews(GOOD))]
    assert machine.state is State.READY
    assert machine.held == {b"d" * 32, digest_of(GOOD)}


def test_a_store_that_does_not_answer_is_asked_again() -> None:
    """The question is repeated when the machine is woken."""
    machine = Statements()
    machine.handle(PeerOpened(A, 32), 0)
    assert effects_of(machine, Woken()) == [LoadStatements(None), WakeAt(POLL_MS)]


def test_an_answer_that_is_another_statement_is_no_answer() -> None:
    """The peer is blamed, and what it listed is asked of somebody else."""
    machine = ready(A, B)
    page = StatementDigests(1, False, (digest_of(GOOD),))
    first = Statements()
    asked = [e for event in (PeerOpened(A, 32), StatementsLoaded(0, ())) for e in first.handle(event, 0)]
    listing = next(effect.about for effect in asked if isinstance(effect, AskPeer))
    (ask,) = effects_of(machine, PeerAnswered(A, listing, page), kind=AskPeer)
    assert ask.request == StatementGet(0, digest_of(GOOD))
    assert effects_of(machine, PeerAnswered(A, ask.about, Statement(2, BAD))) == [
        Blame(A, "statement_other_digest")
    ]
    (again,) = effects_of(machine, PeerAnswered(B, listing, page), kind=AskPeer)
    assert again.peer == B
    assert effects_of(machine, PeerAnswered(B, again.about, Statement(2, GOOD))) == [JudgeStatement(B, GOOD)]


@pytest.mark.parametrize("digests", [(b"b" * 32, b"a" * 32), (b"a" * 32, b"a" * 32), ()])
def test_a_list_out_of_order_is_blamed(digests: tuple[bytes, ...]) -> None:
    """A list that falls, repeats itself, or promises more and gives nothing could be asked for without end."""
    machine = ready(A)
    listing = Statements()
    listing.handle(PeerOpened(A, 32), 0)
    ask = next(e for e in listing.handle(StatementsLoaded(0, ()), 0) if isinstance(e, AskPeer))
    page = StatementDigests(1, True, digests)
    assert effects_of(machine, PeerAnswered(A, ask.about, page)) == [Blame(A, "statements_unsorted")]


def test_a_page_tells_what_lies_above_and_nothing_to_an_equal() -> None:
    """Pages cover the list in order; equal summaries are told nothing."""
    held = {bytes([number, 7]) * 16 for number in range(100)} | {
        bytes([9]) * 31 + bytes([n]) for n in range(200)
    }
    seen: list[bytes] = []
    after, has_more = BEFORE_ALL, True
    while has_more:
        page = make_digests_page(StatementsSince(1, bytes(32), after), held)
        seen += page.digests
        after, has_more = page.digests[-1], page.has_more
    assert seen == sorted(held)
    equal = make_digests_page(StatementsSince(1, summary_of(held), BEFORE_ALL), held)
    assert (equal.digests, equal.has_more) == ((), False)


def test_a_flood_stays_within_its_bounds() -> None:
    """Endless lists, endless statements, endless refusals: memory does not grow with them."""
    machine = ready(A)
    for number in range(STATEMENTS_JUDGED_MAX + 50):
        machine.handle(FrameReceived(A, StatementNews(b"bad %d" % number)), 0)
    assert machine.remembered == STATEMENTS_JUDGED_MAX + STATEMENTS_JUDGED_MAX + 50
    for number in range(STATEMENTS_PASSED_MAX + STATEMENTS_LISTED_MAX):
        text = b"bad %d" % number
        machine.handle(FrameReceived(A, StatementNews(text)), 0)
        machine.handle(StatementJudged(A, digest_of(text), "note_not_signed", is_blamed=True), 0)
    assert machine.remembered <= STATEMENTS_PASSED_MAX + STATEMENTS_JUDGED_MAX + STATEMENTS_OF_ONE_MAX
    digests = sorted(digest_of(b"%d" % number) for number in range(2 * STATEMENTS_LISTED_MAX))
    asks = [e for e in machine.handle(Woken(), 0) if isinstance(e, AskPeer)]
    pages = 0
    while lists := [ask for ask in asks if isinstance(ask.request, StatementsSince)]:
        page = tuple(digests[pages * STATEMENTS_PAGE_MAX :][:STATEMENTS_PAGE_MAX])
        pages += 1
        told = machine.handle(PeerAnswered(A, lists[0].about, StatementDigests(1, True, page)), 0)
        asks = [effect for effect in told if isinstance(effect, AskPeer)]
        assert len(asks) <= STATEMENTS_ASKED_MAX + 1
    assert pages <= STATEMENTS_LISTED_MAX // STATEMENTS_PAGE_MAX
    assert machine.remembered <= STATEMENTS_PASSED_MAX + STATEMENTS_JUDGED_MAX + 2 * STATEMENTS_OF_ONE_MAX


def test_many_peers_are_remembered_within_one_bound() -> None:
    """Each keeps a little of its own, however much the others list."""
    peers = [bytes([number]) * 32 for number in range(16)]
    machine = ready(*peers)
    (listing,) = {ask.about for ask in effects_of(machine, Woken(), kind=AskPeer)}
    for peer in peers:
        for number in range(2 * STATEMENTS_NOTED_MAX // len(peers) // STATEMENTS_PAGE_MAX):
            texts = [b"%d %d %d" % (peer[0], number, each) for each in range(STATEMENTS_PAGE_MAX)]
            page = StatementDigests(1, False, tuple(sorted(map(digest_of, texts))))
            machine.handle(PeerAnswered(peer, listing, page), 0)
    least = 2 * STATEMENTS_OF_ONE_MIN * len(peers)
    assert STATEMENTS_NOTED_MAX <= machine.remembered <= STATEMENTS_NOTED_MAX + least


def test_a_list_longer_than_what_is_remembered_is_read_to_its_end() -> None:
    """Little is remembered of one peer, and yet what stands last in its list is asked for."""
    machine = ready(A)
    held = sorted(digest_of(b"%d" % number) for number in range(STATEMENTS_OF_ONE_MAX + STATEMENTS_PAGE_MAX))
    for event in (StatementsGrown(), StatementsLoaded(1, tuple(held))):
        machine.handle(event, 0)
    assert machine.held == set(held)
    last = bytes([255]) * 32
    asks = effects_of(machine, Woken(), kind=AskPeer)
    for start in range(0, len(held), STATEMENTS_PAGE_MAX):
        page = tuple(held[start : start + STATEMENTS_PAGE_MAX])
        told = machine.handle(PeerAnswered(asks[0].peer, asks[0].about, StatementDigests(1, True, page)), 0)
        assert [each.request.after for each in told if isinstance(each, AskPeer)] == [page[-1]]
    told = machine.handle(PeerAnswered(asks[0].peer, asks[0].about, StatementDigests(1, False, (last,))), 0)
    assert [each.request for each in told if isinstance(each, AskPeer)] == [StatementGet(0, last)]


EVENTS: list[Any] = [
    PeerOpened(A, 32),
    PeerClosed(A),
    PeerClosed(B),
    WishesChanged(),
    StatementsGrown(),
    StatementsLoaded(1, (), (GOOD,)),
    StatementJudged(A, digest_of(GOOD)),
    StatementJudged(A, digest_of(BAD), "note_not_signed", is_blamed=True),
    StatementUnjudged(digest_of(GOOD)),
    FrameReceived(A, StatementNews(GOOD)),
    FrameReceived(B, StatementNews(GOOD)),
    PeerAnswered(A, digest_of(GOOD), None, "request_unanswered"),
    PeerAnswered(B, digest_of(GOOD), Statement(1, GOOD)),
    Woken(),
]
WAYS: dict[State, list[Any]] = {
    State.UNASKED: [],
    State.LOADING: [PeerOpened(A, 32)],
    State.READY: [PeerOpened(A, 32), StatementsLoaded(0, ())],
    State.BEHIND: [PeerOpened(A, 32), StatementsGrown()],
}


@pytest.mark.parametrize(("state", "event"), list(product(WAYS, EVENTS)), ids=str)
def test_every_event_in_every_state_leads_to_a_state(state: State, event: Any) -> None:
    """Nothing raises, nothing is told to who is not there, and the machine goes on."""
    machine = Statements()
    for step in WAYS[state]:
        machine.handle(step, 0)
    assert machine.state is state
    told = machine.handle(event, 1)
    there = {A} if state is not State.UNASKED or isinstance(event, PeerOpened) else set()
    assert {effect.peer for effect in told if isinstance(effect, Send | AskPeer)} <= there
    assert machine.state in State
