"""A victim, an honest peer that follows it, and an attack: who is harmed, and how much memory and time it costs."""

import asyncio
import os
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from node.config.keys import MEMORY_BYTES_MIN
from tests.exchange.villages import entries
from tests.federation.hostile_peer import LoopProbe, in_a_crowd
from tests.federation.loopback import LoopbackNode, until

ROUNDS_MAX = 20
HELD_MS_MAX = 1_000  # ten times what is promised: other processes have their turn on the same cores


@dataclass
class Siege:
    victim: LoopbackNode
    honest: LoopbackNode
    records: int = 0

    async def replicate(self, count: int = 3) -> None:
        """The honest peer gets what the victim signs, whatever else goes on."""
        self.victim.append(entries(count, self.records))
        self.records += count
        await until(lambda: self.honest.holds(self.victim.lane()) == entries(self.records))

    async def under(self, attack: Callable[[], Awaitable[object]]) -> None:
        """Replicate again and again while the attack goes on, and once more after it."""
        probe, before = LoopProbe(), resident_bytes()
        attacking = asyncio.ensure_future(in_a_crowd(attack))
        for _ in range(ROUNDS_MAX):
            if not attacking.done():
                await self.replicate()
        await attacking
        await self.replicate()
        held_ms, grown = probe.stop(), max(0, resident_bytes() - before)
        print(f"loop held for {held_ms:.0f} ms, {grown >> 10} KiB more resident")
        assert held_ms < HELD_MS_MAX
        assert grown < self.victim.federation.memory_bytes_max
        assert self.honest.community in self.victim.federation.connected()
        assert len(self.honest.store.met_at) == 1, "the honest session is the one it was"
        assert not self.honest.federation.blames, "nobody but the attacker hears of it"


@asynccontextmanager
async def siege(*dialled: str) -> AsyncIterator[Siege]:
    """`dialled` are addresses that the victim was told to dial; it has as little memory as a node can have."""
    small = {"memory_bytes": str(MEMORY_BYTES_MIN)}
    async with LoopbackNode("victim", *dialled, **small) as victim, LoopbackNode("honest", victim) as honest:
        there = Siege(victim, honest)
        await there.replicate()
        yield there


def resident_bytes() -> int:
    """What this process holds; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0
