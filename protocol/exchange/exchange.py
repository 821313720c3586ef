"""All machines of one node behind one door (PROTOCOL.md sections 17 and 18).

The driver tells events and performs effects; here is decided which machine hears what. Frames that no other
machine claims are replication's, and so are the requests that all of them share.

    exchange = Exchange(Statements())
    effects = exchange.handle(PeerOpened(peer, requests_max=32), now_ms)
"""

from collections.abc import Hashable
from typing import Any

from protocol.exchange.frames import Frame
from protocol.exchange.machine import AskPeer, Machine, PeerAnswered, Tell
from protocol.exchange.replication import Replication
from protocol.exchange.replication_events import FrameReceived, Reply, RequestAsked, WakeAt, Woken


class Exchange:
    """The machines of a node, told and heard as one."""

    def __init__(self, *machines: Machine, replication: Replication | None = None) -> None:
        """Take the machines that stand beside replication, in the order in which they are told."""
        self.replication = replication or Replication()
        self._machines: tuple[Machine, ...] = (self.replication, *machines)
        self._frames: dict[type[Frame], Machine] = {
            frame: machine for machine in machines for frame in machine.FRAMES
        }
        self._asked: dict[int, tuple[Machine, bytes, Hashable]] = {}
        self._last_token = 0
        self._wakes: dict[int, int] = {}
        self._wake_ms: int | None = None

    def handle(self, event: Any, now_ms: int) -> list[Any]:
        """Take one event and return what the driver is to do, in order, with at most one `WakeAt`."""
        effects = self._woken(now_ms) if isinstance(event, Woken) else self._tell(event, now_ms)
        return [*effects, *self._wake()]

    def _tell(self, event: Any, now_ms: int) -> list[Any]:
        if isinstance(event, FrameReceived):
            listener = self._frames.get(type(event.frame), self.replication)
            return self._tell_one(listener, event, now_ms)
        effects: list[Any] = []
        for machine in self._machines:
            if type(event) in machine.HEARS:
                effects += self._tell_one(machine, event, now_ms)
        return effects

    def _tell_one(self, machine: Machine, event: Any, now_ms: int) -> list[Any]:
        effects: list[Any] = []
        for effect in machine.handle(event, now_ms):
            effects += self._pass_on(machine, effect, now_ms)
        return effects

    def _pass_on(self, machine: Machine, effect: Any, now_ms: int) -> list[Any]:
        """Keep what is between the machines; what is left is the driver's."""
        if isinstance(effect, AskPeer):
            self._last_token -= 1  # what is below zero is a machine's, not another part of the node's
            self._asked[self._last_token] = (machine, effect.peer, effect.about)
            asked = RequestAsked(effect.peer, self._last_token, effect.request)
            return self._tell_one(self.replication, asked, now_ms)
        if isinstance(effect, Reply) and effect.token in self._asked:
            asker, peer, about = self._asked.pop(effect.token)
            return self._tell_one(asker, PeerAnswered(peer, about, effect.answer, effect.code), now_ms)
        if isinstance(effect, Tell):
            return self._tell(effect.event, now_ms)
        if isinstance(effect, WakeAt):
            self._wakes[id(machine)] = effect.at_ms
            return []
        return [effect]

    def _woken(self, now_ms: int) -> list[Any]:
        self._wake_ms = None
        effects: list[Any] = []
        for machine in self._machines:
            if self._wakes.get(id(machine), now_ms + 1) <= now_ms:
                del self._wakes[id(machine)]
                effects += self._tell_one(machine, Woken(), now_ms)
        return effects

    def _wake(self) -> list[WakeAt]:
        earliest = min(self._wakes.values(), default=None)
        if earliest is None or earliest == self._wake_ms:
            return []
        self._wake_ms = earliest
        return [WakeAt(earliest)]
