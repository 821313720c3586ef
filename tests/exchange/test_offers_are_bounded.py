"""Offers of heads hold no more memory than may be, however many lanes and peers there are (section 30.4)."""

from collections.abc import Iterator
from itertools import product

from protocol.exchange.following import State
from protocol.exchange.frames import Frame, Heads, StatedHead
from protocol.exchange.frames.lanes import COSIGNATURE_BYTES, StatedCosignature
from protocol.exchange.heads import read_offer, state_head
from protocol.exchange.holding import HeldLane
from protocol.exchange.replication import Replication
from protocol.exchange.replication_events import (
    FrameReceived,
    LanesLoaded,
    LoadLanes,
    PeerClosed,
    PeerOpened,
)
from protocol.identity.keys import SIGNATURE_BYTES
from protocol.limits import HEADS_PAGE_MAX, OFFERS_BYTES_MAX, WITNESSES_MAX
from protocol.log.origin import Origin
from tests.exchange.memory_store import sign_head
from tests.exchange.villages import KEYS, LOG_PUBLICS, A, B, C, D, lane_of

HOSTILE = [bytes([number]) * 32 for number in range(1, 9)]
COSIGNED = (StatedCosignature(b"w" * 255, bytes(COSIGNATURE_BYTES)),) * WITNESSES_MAX
OWN_LANES = [Origin(D, "market/" + name, 0) for name in ("food", "pets", "family")]


def lanes() -> Iterator[str]:
    letters = "abcdefghijklmnopqrstuvwxyz"
    return ("".join(name) for name in product(letters, repeat=3))


def pages(community: bytes, count: int) -> Iterator[Frame]:
    """Heads that nobody has signed, with as many cosignatures as fit, each of another lane."""
    names = lanes()
    for _ in range(count):
        yield Heads(
            0,
            bytes(16),
            0,
            False,
            tuple(
                StatedHead(community, next(names), 0, 2**40, bytes(32), bytes(SIGNATURE_BYTES), COSIGNED)
                for _ in range(HEADS_PAGE_MAX)
            ),
        )


def flood(machine: Replication, count: int) -> None:
    for peer in HOSTILE:
        machine.handle(PeerOpened(peer, 32), 0)
        for page in pages(peer, count):
            machine.handle(FrameReceived(peer, page), 0)
            assert machine.offers_bytes <= OFFERS_BYTES_MAX


def test_lanes_that_are_being_looked_up_hold_no_more_than_may_be() -> None:
    """The store is slow, eight peers offer thousands of lanes each, and what an honest one offered stays."""
    machine = Replication()
    machine.handle(PeerOpened(D, 32), 0)
    heads = tuple(state_head(sign_head(origin, [bytes(32)], KEYS[D]).note) for origin in OWN_LANES)
    machine.handle(FrameReceived(D, Heads(0, bytes(16), 0, False, heads)), 0)
    flood(machine, 4)
    assert machine.offers_bytes > OFFERS_BYTES_MAX * 9 // 10
    held = tuple(HeldLane(origin, LOG_PUBLICS[D]) for origin in OWN_LANES)
    machine.handle(LanesLoaded(held, ()), 0)
    assert [machine.lane_states[origin] for origin in OWN_LANES] == [State.FETCHING] * len(OWN_LANES)


def test_announcements_that_wait_hold_no_more_than_may_be() -> None:
    """Many peers announce what is followed and never send it; each of them loses what is beyond its share."""
    machine = Replication()
    followed = [Origin(A, name, 0) for name, _ in zip(lanes(), range(4 * HEADS_PAGE_MAX), strict=False)]
    machine.handle(PeerOpened(B, 32), 0)
    for page in pages(A, 4):
        machine.handle(FrameReceived(B, page), 0)
    machine.handle(LanesLoaded(tuple(HeldLane(origin, LOG_PUBLICS[A]) for origin in followed), ()), 0)
    machine.handle(PeerClosed(B), 0)
    assert machine.offers_bytes == 0
    for peer in HOSTILE:
        machine.handle(PeerOpened(peer, 32), 0)
        for page in pages(A, 4):
            machine.handle(FrameReceived(peer, page), 0)
            assert machine.offers_bytes <= OFFERS_BYTES_MAX
    assert machine.offers_bytes > OFFERS_BYTES_MAX * 9 // 10
    for peer in HOSTILE:
        machine.handle(PeerClosed(peer), 0)
    assert machine.offers_bytes == 0


def test_a_lane_that_is_not_wanted_holds_nothing() -> None:
    """What the store does not want is let go of with all its offers."""
    machine = Replication()
    flood(machine, 1)
    asked = tuple(machine.lane_states)
    machine.handle(LanesLoaded((), asked), 0)
    assert (machine.offers_bytes, dict(machine.lane_states)) == (0, {})


def test_heads_that_wait_to_be_compared_are_counted() -> None:
    """Of an own lane smaller heads wait, one a peer, until the store has compared the one before."""
    machine = Replication()
    origin = lane_of(A)
    head, *smaller = [
        sign_head(origin, [bytes([number]) * 32 for number in range(count)], KEYS[A]) for count in (9, 3, 5)
    ]
    for peer, each in zip((B, C), smaller, strict=True):
        machine.handle(PeerOpened(peer, 32), 0)
        effects = machine.handle(
            FrameReceived(peer, Heads(0, bytes(16), 0, False, (state_head(each.note),))), 0
        )
        if LoadLanes((origin,)) in effects:
            held = HeldLane(origin, LOG_PUBLICS[A], 9, (), adopted=head, is_own=True)
            machine.handle(LanesLoaded((held,), ()), 0)
    assert machine.offers_bytes == read_offer(state_head(smaller[1].note)).memory_bytes
