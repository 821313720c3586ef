"""The memory that peers can make the federation hold: one sum, and its terms are what is enforced."""

import asyncio

from node.federation.driver import Driver
from node.federation.link import ANSWERS_HELD_MAX, MESSAGE_BYTES_MAX, SOCKET_BYTES_MAX
from node.federation.links import Links
from node.federation.memory import memory_bytes_max, terms
from protocol.exchange.holding import StoreEntries
from protocol.exchange.replication import Replication
from protocol.limits import (
    CONNECTIONS_WAITING_MAX,
    EARLY_STATEMENTS_MAX,
    FETCH_BUNDLES_MAX,
    FETCHES_MAX,
    FOUND_BYTES_MAX,
    FRAME_BYTES_MAX,
    HANDSHAKES_MAX,
    LANES_LOADING_MAX,
    LANES_NOTED_MAX,
    OFFERS_BYTES_MAX,
    OUTBOXES_BYTES_MAX,
    PASSED_ON_MAX,
    PRUNED_MAX,
    REQUESTS_BYTES_MAX,
    STATEMENTS_JUDGED_MAX,
    STATEMENTS_NOTED_MAX,
    STEPS_BYTES_MAX,
)
from protocol.log.origin import Origin
from tests.federation.loopback import LoopbackNode, LoopbackStore, make_vault
from tests.federation.test_sessions_over_tls import own_side


def test_the_terms_of_the_sum_are_the_bounds_that_are_kept() -> None:
    """Each term is a product of bounds; the sum is printed for as many sessions as may stand."""
    for sessions in (1, 16, 64, 256):
        links = sessions + HANDSHAKES_MAX
        assert terms(sessions) == {
            "sockets": (links + CONNECTIONS_WAITING_MAX) * SOCKET_BYTES_MAX,
            "greetings": links * 120_000,
            "messages_coming": links * 2 * MESSAGE_BYTES_MAX,
            "requests_waiting": sessions * (REQUESTS_BYTES_MAX + FRAME_BYTES_MAX),
            "requests_asked": sessions * 131_072,
            "answers_going": sessions * ANSWERS_HELD_MAX * FRAME_BYTES_MAX,
            "outboxes": OUTBOXES_BYTES_MAX + sessions * FRAME_BYTES_MAX,
            "steps": 2 * (STEPS_BYTES_MAX + sessions * FRAME_BYTES_MAX),
            "fetches": FETCHES_MAX * (FETCH_BUNDLES_MAX * 1_048_576 + 256 * 65_537),
            "offers": OFFERS_BYTES_MAX + EARLY_STATEMENTS_MAX * 7_680,
            "lanes_loading": LANES_LOADING_MAX * 2_048,
            "lanes_noted": (LANES_NOTED_MAX + sessions * 256) * 256,
            "prunes": (PRUNED_MAX + sessions * 192) * 160,
            "news_passed_on": PASSED_ON_MAX * 131_072,
            "statements_judged": STATEMENTS_JUDGED_MAX * 32_768,
            "statements_noted": (STATEMENTS_NOTED_MAX + sessions * 128 + 8_192) * 160,
            "communities_found": 2 * FOUND_BYTES_MAX + 1_536 * 4_096,
        }
        assert memory_bytes_max(sessions) == sum(terms(sessions).values())


async def test_the_sum_is_that_of_the_settings() -> None:
    """Who has little memory allows fewer sessions, and the printed bound follows."""
    for sessions in (4, 64):
        async with LoopbackNode("a", sessions_max=str(sessions)) as a:
            assert a.federation.memory_bytes_max == memory_bytes_max(sessions)


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


def test_as_many_lanes_are_fetched_at_a_time_as_the_sum_says() -> None:
    """The machine's own bound is the constant of the sum."""
    assert Replication()._fetches_max == FETCHES_MAX
