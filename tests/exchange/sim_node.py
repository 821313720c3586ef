"""One node of the simulated network: a store, the real machine or all of them, and what it reported."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from protocol.exchange.frames import Frame
from protocol.exchange.replication import Replication
from tests.exchange.memory_store import MemoryStore


@dataclass
class SimNode:
    store: MemoryStore
    make: Callable[[], Any] = Replication
    reports: list[Any] = field(default_factory=list)
    lie: Callable[[Frame], Iterable[Frame]] = lambda frame: [frame]

    def __post_init__(self) -> None:
        self.machine = self.make()
