"""Whom a node dials again and when, after it failed to reach many for long."""

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from itertools import pairwise
from random import Random

from protocol.exchange.addresses import Address
from protocol.exchange.dialling import Dialling
from protocol.limits import DIAL_HASTE_MS, DIAL_PROBE_MS, HANDSHAKE_MS

HOUR_MS = 3_600_000
AWAY = [bytes([number]) * 32 for number in range(1, 13)]


@dataclass
class Caller:
    """One node that dials, and a network in which a dial fails after a while."""

    peers: Collection[bytes]
    fails_after_ms: int = HANDSHAKE_MS
    now_ms: int = 0
    open: set[bytes] = field(default_factory=set)
    under_way: list[tuple[int, int]] = field(default_factory=list)
    dialled: list[tuple[int, bytes]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.dialling = Dialling(Random(1))
        for peer in self.peers:
            self.dialling.aim(peer, [Address("direct", "192.0.2.1", peer[0])], 0)

    def live(self, duration_ms: int, until: Callable[[], bool] = lambda: False) -> None:
        end_ms = self.now_ms + duration_ms
        while not until():
            self.seek()
            times = [at_ms for at_ms, _ in self.under_way]
            next_ms = self.dialling.next_ms(self.open)
            self.now_ms = min([*times, *([] if next_ms is None else [next_ms]), end_ms])
            if self.now_ms >= end_ms:
                return
            for ended in [each for each in self.under_way if each[0] <= self.now_ms]:
                self.under_way.remove(ended)
                self.dialling.ended(ended[1], "session_lost", 0, self.now_ms)

    def seek(self) -> None:
        for dial in self.dialling.due(self.open, self.now_ms):
            assert isinstance(dial.expected, bytes)
            self.dialled.append((self.now_ms, dial.expected))
            self.under_way.append((self.now_ms + self.fails_after_ms, dial.dial))

    def comes(self, peer: bytes) -> None:
        self.open.add(peer)
        self.dialling.opened(peer, self.now_ms)

    def goes(self, peer: bytes) -> None:
        self.open.remove(peer)
        self.dialling.parted(peer, "session_lost", self.now_ms)


def test_of_those_that_are_away_for_long_one_is_tried_every_few_seconds_and_no_more() -> None:
    """Neither does a wait of minutes hide that the network is whole again, nor do many away cost many dials."""
    for count in (1, len(AWAY)):
        caller = Caller(AWAY[:count])
        caller.live(HOUR_MS)
        caller.dialled.clear()
        caller.live(HOUR_MS)
        times = [at_ms for at_ms, _ in caller.dialled]
        longest_ms = max(later - earlier for earlier, later in pairwise(times))
        assert longest_ms <= DIAL_PROBE_MS
        assert len(times) <= HOUR_MS / (DIAL_PROBE_MS * 2 / 3) + count * HOUR_MS / 200_000
        assert {peer for _, peer in caller.dialled} == set(AWAY[:count]), "each has its turn"


def test_a_first_failure_is_not_followed_by_a_dial_at_once() -> None:
    """Whoever refuses is left in peace as long as its failures say: trying before the time has a measure."""
    caller = Caller(AWAY[:1], fails_after_ms=1)
    caller.live(100_000)
    waits = [later - earlier for (earlier, _), (later, _) in pairwise(caller.dialled)]
    assert waits[:4] == sorted(waits[:4])
    assert waits[0] > 500
    assert max(waits) == DIAL_PROBE_MS


def test_when_one_comes_back_all_the_others_are_dialled_within_seconds() -> None:
    """Also those whose dial was under way and fails: it was made before."""
    caller = Caller(AWAY)
    caller.live(HOUR_MS)
    caller.live(HOUR_MS, until=lambda: bool(caller.under_way))
    (dialled_at, _), (_, waiting) = caller.under_way[0], caller.dialled[-1]
    back = next(peer for peer in AWAY if peer != waiting)
    caller.dialled.clear()
    start_ms = caller.now_ms
    caller.comes(back)
    caller.live(max(DIAL_HASTE_MS, dialled_at - start_ms + DIAL_HASTE_MS))
    soon = {peer for at_ms, peer in caller.dialled if at_ms - start_ms <= DIAL_HASTE_MS}
    assert soon >= set(AWAY) - {waiting, back}
    assert {peer for _, peer in caller.dialled} == set(AWAY) - {back}


def test_one_that_comes_and_goes_does_not_have_the_others_dialled_without_end() -> None:
    """A peer cannot spend our dials: others are hurried once in a while, however often it returns."""
    caller = Caller(AWAY, fails_after_ms=1)
    caller.live(HOUR_MS)
    caller.dialled.clear()
    for _ in range(600):
        caller.comes(AWAY[0])
        caller.live(50)
        caller.goes(AWAY[0])
        caller.live(50)
    others = [peer for _, peer in caller.dialled if peer != AWAY[0]]
    rounds = 600 * 100 / DIAL_PROBE_MS + 1
    assert len(others) <= (len(AWAY) + 2) * rounds
