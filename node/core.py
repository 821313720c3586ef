"""The node as actions see it: what it is, how to read, how to write (wired once, in `node/app.py`)."""

import asyncio
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field
from typing import TypeVar

from node.auditing.audits import Audits
from node.deliveries import Deliveries
from node.errors import NodeError
from node.federation import Federation
from node.login_limits import LoginLimits
from node.opened_orders import OpenedOrders
from node.passwords import Passwords
from node.quotas import Quotas
from node.relay_shelf import RelayRule
from node.session_memory import SessionMemory
from node.vault import Vault
from node.writer.clock import ClockGuard, system_clock
from node.writer.lane_writer import LaneWriter
from node.writer.transaction import Transaction
from protocol.identity.genesis import Genesis
from storage.engine import Store
from storage.guard import Guard
from storage.sqlite import TakesLong
from storage.views.reading import MomentReader, StateReader

Answer = TypeVar("Answer")

LOOK_SECONDS = 0.01  # so long everything else may wait


@dataclass(slots=True)
class Node:
    """One running node of one community."""

    community: bytes
    genesis: Genesis
    vault: Vault
    store: Store
    guard: Guard
    clock: ClockGuard
    writer: LaneWriter
    readers: ThreadPoolExecutor
    passwords: Passwords
    audits: Audits
    opened_orders: OpenedOrders
    sessions: SessionMemory
    quotas: Quotas
    login_limits: LoginLimits = field(default_factory=LoginLimits)
    deliveries: Deliveries = field(default_factory=Deliveries)
    relay_rule: RelayRule = field(default_factory=RelayRule)
    federation: Federation | None = None
    started_ms: int = field(default_factory=system_clock)

    @property
    def epoch(self) -> int:
        """The epoch in which this node writes."""
        return self.writer.epoch

    @property
    def federation_service(self) -> Federation:
        """What talks to peers; before the node has started it, an action cannot ask for it."""
        if self.federation is None:
            raise NodeError("node_stopping")
        return self.federation

    async def read(self, question: Callable[[StateReader], Answer]) -> Answer:
        """Ask the store on a reader's thread; `question` sees one moment of it."""
        return await asyncio.get_running_loop().run_in_executor(self.readers, self._read, question)

    async def look(self, question: Callable[[StateReader], Answer]) -> Answer:
        """Ask the store what it answers in a moment, as most questions of a page.

        SQLite answers here and now: to hand a question to another thread, and to take turns with it for every
        row, costs more than most answers. One that takes long after all is asked again on a reader's thread.
        """
        if not self.store.is_postgres:
            with suppress(TakesLong), self.store.read_briefly(LOOK_SECONDS) as connection:
                return question(MomentReader(connection))
        return await self.read(question)

    def write(self, job: Callable[[Transaction], Answer]) -> "asyncio.Future[Answer]":
        """Run a job on the writer's thread; to be awaited: done when what it said is synced."""
        return self.writer.run(job)

    def _read(self, question: Callable[[StateReader], Answer]) -> Answer:
        with self.store.read() as connection:
            return question(MomentReader(connection))
