"""The memory that peers can make the federation hold: one sum, and its terms are what is enforced."""

import asyncio

import pytest

from node.config.keys import MEMORY_BYTES_MIN
from node.federation.driver import Driver
from node.federation.links import Links
from node.federation.memory import MEMORY_BYTES_MAX, memory_of_machine, share_memory
from protocol.exchange.bounds import Bounds
from protocol.exchange.holding import StoreEntries
from protocol.limits import (
    FRAME_BYTES_MAX,
    HANDSHAKES_MAX,
    OUTBOXES_BYTES_MAX,
    SESSIONS_MAX,
    STEPS_BYTES_MAX,
)
from protocol.log.origin import Origin
from tests.federation.loopback import LoopbackNode, LoopbackStore, make_vault
from tests.federation.test_sessions_over_tls import own_side


@pytest.mark.parametrize("mebibytes", [64, 72, 96, 128, 192, 256, 512, 4_096])
@pytest.mark.parametrize("sessions", [1, 16, 64, 256])
def test_what_is_shared_out_is_never_more_than_there_is(mebibytes: int, sessions: int) -> None:
    """Every number down to the smallest that is taken has room for sessions, and for the largest of everything."""
    memory = share_memory(mebibytes << 20, sessions)
    assert sum(memory.terms().values()) == memory.bytes_max <= mebibytes << 20
    assert min(sessions, 16) <= memory.sessions <= sessions
    assert min(memory.answers_bytes, memory.outboxes_bytes, memory.steps_bytes) >= FRAME_BYTES_MAX
    assert memory.bounds.fetch_bytes > FRAME_BYTES_MAX
    assert memory.large_messages >= 2
    assert min(memory.handshakes, memory.connections) >= 8


def test_a_large_machine_is_bounded_by_the_limits() -> None:
    """Nothing is ever more than the limit that the protocol prints."""
    memory = share_memory(2**40, SESSIONS_MAX)
    assert memory.sessions == SESSIONS_MAX
    assert memory.bounds == Bounds()
    assert (memory.steps_bytes, memory.outboxes_bytes) == (STEPS_BYTES_MAX, OUTBOXES_BYTES_MAX)
    assert memory.handshakes == HANDSHAKES_MAX


def test_a_router_with_256_mb_gives_no_more_than_96() -> None:
    """Three eighths of what the machine has, and room for thirty neighbours in them."""
    memory = share_memory(3 * (256 << 20) // 8, 64)
    assert memory.bytes_max <= 96 << 20
    assert memory.sessions >= 30
    assert MEMORY_BYTES_MIN <= memory_of_machine() <= MEMORY_BYTES_MAX


async def test_the_sum_is_that_of_the_settings() -> None:
    """Who has little memory says so or allows fewer sessions, and the printed bound follows."""
    for mebibytes, sessions in ((64, 4), (96, 64)):
        settings = {"memory_bytes": str(mebibytes << 20), "sessions_max": str(sessions)}
        async with LoopbackNode("a", **settings) as a:
            assert a.federation.memory == share_memory(mebibytes << 20, sessions)
            assert a.federation.memory_bytes_max == a.federation.memory.bytes_max


async def test_nothing_is_read_while_too_much_waits_to_be_stored() -> None:
    """The pile of steps has room until it weighs too much, and again once the store has taken it."""
    links = Links(own_side("a"), LoopbackStore(make_vault("a")))
    driver: Driver = links.driver
    origin = Origin(bytes(32), "market/food", 0)
    step = StoreEntries(origin, 0, 1, bytes(STEPS_BYTES_MAX // 2), (bytes(32),), None)
    driver._steps.put(step)
    await asyncio.wait_for(links.until_room(), 1)
    driver._steps.put(step)
    waiting = asyncio.ensure_future(links.until_room())
    await asyncio.sleep(0)
    assert not waiting.done()
    assert len(await driver._steps.take_all()) == 2
    await waiting
