"""A network in memory under a virtual clock: it delays, loses, doubles and falsifies frames by a seed."""

import heapq
from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import count
from random import Random
from typing import Any

from protocol.exchange import replication_events as events
from protocol.exchange.exchange import Exchange
from protocol.exchange.frames import Frame, decode_frame, encode_frame
from protocol.exchange.holding import AdoptHead, CompareHead, RememberHead, ReportFork, StoreEntries
from protocol.exchange.standing import KeepShown
from protocol.exchange.statements import JudgeStatement, LoadStatements, StatementsGrown
from protocol.log.origin import Origin
from tests.exchange.sim_node import SimNode


@dataclass
class SimNet:
    seed: int
    loss: float = 0.0
    doubles: float = 0.0
    delay_ms: tuple[int, int] = (1, 1)
    load_ms: int = 1
    now_ms: int = 0
    nodes: dict[bytes, SimNode] = field(default_factory=dict)
    links: set[tuple[bytes, bytes]] = field(default_factory=set)
    agenda: list[tuple[int, int, bytes, Callable[[], None]]] = field(default_factory=list)
    sent: list[tuple[bytes, bytes, Frame]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random, self.ties = Random(self.seed), count()

    def connect(self, *names: bytes) -> None:
        for one, other in [(one, other) for one in names for other in names if one != other]:
            self.links.add((one, other))
            self.tell(one, events.PeerOpened(other, 32))

    def disconnect(self, name: bytes) -> None:
        for one, other in [link for link in self.links if name in link]:
            self.links.discard((one, other))
            self.tell(one, events.PeerClosed(other))

    def restart(self, name: bytes) -> None:
        """A kill: what the store has taken stays, everything else is gone."""
        self.agenda = sorted(item for item in self.agenda if item[2] != name)
        node = self.nodes[name]
        node.machine = node.make()
        self.tell(name, events.PlacesLoaded(node.store.places))
        self.disconnect(name)

    def append(self, name: bytes, origin: Origin, entries: list[bytes]) -> None:
        self.tell(name, self.nodes[name].store.append(origin, entries))

    def tell(self, name: bytes, event: Any) -> None:
        for effect in self.nodes[name].machine.handle(event, self.now_ms):
            self._perform(name, self.nodes[name], effect)

    def run(self, duration_ms: int = 600_000, until: Callable[[], bool] = lambda: False) -> None:
        end = self.now_ms + duration_ms
        while self.agenda and self.agenda[0][0] <= end and not until():
            self.now_ms, _, _, action = heapq.heappop(self.agenda)
            action()
        self.now_ms = self.now_ms if until() else end

    def _later(self, name: bytes, at_ms: int, action: Callable[[], None]) -> None:
        heapq.heappush(self.agenda, (at_ms, next(self.ties), name, action))

    def _perform(self, name: bytes, node: SimNode, effect: events.Effect) -> None:
        if isinstance(effect, events.Send | events.Serve):
            is_said = isinstance(effect, events.Send)
            frame = effect.frame if is_said else node.store.answer(effect.peer, effect.request)
            for told in node.lie(frame):
                self._send(name, effect.peer, told)
        elif isinstance(effect, events.LoadLanes):
            held = {origin: node.store.held(origin) for origin in effect.origins}
            unwanted = tuple(origin for origin, lane in held.items() if lane is None)
            loaded = events.LanesLoaded(tuple(lane for lane in held.values() if lane), unwanted)
            self._later(name, self.now_ms + self.load_ms, lambda: self.tell(name, loaded))
        elif isinstance(effect, events.SumUpHeads):
            summed = node.store.sum_up(effect, self.random.randbytes(16))
            self._later(name, self.now_ms + self.load_ms, lambda: self.tell(name, summed))
        elif isinstance(effect, events.KeepPlace):
            node.store.places[effect.peer] = effect.place
        elif isinstance(effect, KeepShown):
            node.store.shown[effect.peer] = dict(effect.sizes)
        elif isinstance(effect, RememberHead | StoreEntries | AdoptHead):
            self._later(name, self.now_ms + 5, lambda: self.tell(name, node.store.take(effect)))
        elif isinstance(effect, LoadStatements | JudgeStatement):
            self._later(name, self.now_ms + self.load_ms, lambda: self._mind(name, node, effect))
        elif isinstance(effect, CompareHead):
            self._later(name, self.now_ms + self.load_ms, lambda: self._compare(name, node, effect))
        elif isinstance(effect, events.WakeAt):
            self._later(name, effect.at_ms, lambda: self.tell(name, events.Woken()))
        else:
            self._report(name, node, effect)

    def _report(self, name: bytes, node: SimNode, effect: Any) -> None:
        node.reports.append(effect)
        is_whole = isinstance(node.machine, Exchange)
        if isinstance(effect, ReportFork) and is_whole and node.store.keep_fork(effect):
            self._later(name, self.now_ms + 5, lambda: self.tell(name, StatementsGrown()))

    def _compare(self, name: bytes, node: SimNode, effect: CompareHead) -> None:
        report = node.store.compare(effect)
        if report is not None:
            self._report(name, node, report)
        self.tell(name, events.HeadCompared(effect.origin))

    def _mind(self, name: bytes, node: SimNode, effect: LoadStatements | JudgeStatement) -> None:
        for event in node.store.mind(effect):
            self.tell(name, event)

    def _send(self, name: bytes, peer: bytes, frame: Frame) -> None:
        self.sent.append((name, peer, frame))
        copies = 1 + (self.random.random() < self.doubles) if self.random.random() >= self.loss else 0
        for _ in range(copies):
            at_ms = self.now_ms + self.random.randint(*self.delay_ms)
            self._later(peer, at_ms, lambda: self._arrive(name, peer, encode_frame(frame)))

    def _arrive(self, name: bytes, peer: bytes, raw: bytes) -> None:
        if (peer, name) in self.links:
            self.tell(peer, events.FrameReceived(name, decode_frame(raw)))
