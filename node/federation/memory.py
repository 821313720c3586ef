"""One number of bytes, and what of it each thing may hold that peers can grow (section 30.4).

memory = share_memory(100_663_296, 64)
memory.sessions          # as many as fit, with all that each may hold
memory.bytes_max         # the sum of `memory.terms()`: never more than the number
"""

import os
from dataclasses import dataclass
from pathlib import Path

from node.config.keys import MEMORY_BYTES_MIN
from node.federation.intake import FREE_BYTES_MAX, MESSAGE_BYTES_MAX, READ_BYTES_MAX
from node.federation.link import ANSWERS_HELD_MAX, SMALL_ANSWER_BYTES_MAX
from protocol.exchange.bounds import LIMITS, Bounds
from protocol.limits import (
    CONNECTIONS_WAITING_MAX,
    EARLY_STATEMENTS_MAX,
    FETCH_BYTES_MAX,
    FETCHES_MAX,
    FOUND_BYTES_MAX,
    FRAME_BYTES_MAX,
    HANDSHAKES_MAX,
    LANES_LOADING_MAX,
    LANES_NOTED_MAX,
    LANES_SHOWN_MAX,
    NEWS_PASSED_BYTES_MAX,
    OFFER_BYTES,
    OFFERED_COSIGNATURE_BYTES,
    OFFERS_BYTES_MAX,
    OUTBOXES_BYTES_MAX,
    PRUNED_BY_ONE_MIN,
    PRUNED_MAX,
    RECORD_BYTES_MAX,
    REQUESTS_REMEMBERED_MAX,
    SESSIONS_MAX,
    STATEMENT_BYTES_MAX,
    STATEMENTS_JUDGED_MAX,
    STATEMENTS_MAX,
    STATEMENTS_NOTED_MAX,
    STATEMENTS_OF_ONE_MIN,
    STATEMENTS_PASSED_MAX,
    STEPS_BYTES_MAX,
    WITNESSES_MAX,
)

MEMORY_BYTES_MAX = 536_870_912  # what a node takes by itself, however large the machine
LOOKUPS_MAX = 2  # answers that are looked up at a time
LARGE_MAX = 16  # large messages that come at a time

# What one of each costs in CPython with its place in a table, rounded up
SOCKET_BYTES = (
    6 * READ_BYTES_MAX
)  # TLS reads into one, has two read ahead and one written; WebSocket, HTTP, session
LANE_BYTES = 2_048  # a lane of which nothing is known yet
NOTED_BYTES = 256  # a lane and a size
DIGEST_BYTES = 160  # 32 bytes in a set
NUMBER_BYTES = 128
OFFER_BYTES_MAX = OFFER_BYTES + WITNESSES_MAX * OFFERED_COSIGNATURE_BYTES

_GREETING_BYTES = SOCKET_BYTES + FREE_BYTES_MAX + READ_BYTES_MAX + 2 * RECORD_BYTES_MAX
_SESSION_BYTES = (
    SOCKET_BYTES
    + FREE_BYTES_MAX
    + READ_BYTES_MAX
    + RECORD_BYTES_MAX
    + 2 * ANSWERS_HELD_MAX * SMALL_ANSWER_BYTES_MAX  # each once more, encrypted
    + REQUESTS_REMEMBERED_MAX * NUMBER_BYTES
    + LANES_SHOWN_MAX * NOTED_BYTES
    + (3 * PRUNED_BY_ONE_MIN + 2 * STATEMENTS_OF_ONE_MIN) * DIGEST_BYTES
)
_ALWAYS_BYTES = (
    EARLY_STATEMENTS_MAX * OFFER_BYTES_MAX
    + STATEMENTS_JUDGED_MAX * STATEMENT_BYTES_MAX
    + (STATEMENTS_PASSED_MAX + STATEMENTS_MAX) * DIGEST_BYTES
    + LOOKUPS_MAX * 2 * FRAME_BYTES_MAX
    + 2 * FRAME_BYTES_MAX  # one more for the outboxes before the slowest goes
)
_PARTS = 32


@dataclass(frozen=True, slots=True)
class Memory:
    """How many sessions may stand, and how much all of them may hold of each thing."""

    sessions: int = SESSIONS_MAX
    handshakes: int = HANDSHAKES_MAX
    connections: int = CONNECTIONS_WAITING_MAX
    large_messages: int = LARGE_MAX
    answers_bytes: int = LARGE_MAX * FRAME_BYTES_MAX
    outboxes_bytes: int = OUTBOXES_BYTES_MAX
    steps_bytes: int = STEPS_BYTES_MAX
    bounds: Bounds = LIMITS

    def terms(self) -> dict[str, int]:
        """Return the terms of the sum in bytes, by what holds them."""
        bounds = self.bounds
        return {
            "sessions": self.sessions * _SESSION_BYTES,
            "greetings": self.handshakes * _GREETING_BYTES,
            "connections": self.connections * SOCKET_BYTES,
            "always": _ALWAYS_BYTES,
            "large_messages": self.large_messages * 2 * MESSAGE_BYTES_MAX,
            "large_answers": 3 * self.answers_bytes,
            "outboxes": 2 * self.outboxes_bytes,
            "steps": 2 * (self.steps_bytes + FRAME_BYTES_MAX),
            "fetches": FETCHES_MAX * bounds.fetch_bytes,
            "offers": bounds.offers_bytes,
            "news_passed_on": bounds.news_bytes,
            "communities_found": bounds.found_bytes,
            "lanes_loading": bounds.lanes_loading * LANE_BYTES,
            "lanes_noted": bounds.lanes_noted * NOTED_BYTES,
            "prunes": bounds.prunes * DIGEST_BYTES,
            "statements_noted": bounds.statements_noted * DIGEST_BYTES,
        }

    @property
    def bytes_max(self) -> int:
        """The sum."""
        return sum(self.terms().values())


MEMORY = Memory()


def share_memory(bytes_max: int, sessions_max: int) -> Memory:
    """Share one number out: up to 7/16 of it to sessions, and the rest to what they share."""
    dawdlers = max(8, min(HANDSHAKES_MAX, bytes_max // 8_388_608))
    links_bytes = dawdlers * (_GREETING_BYTES + SOCKET_BYTES)
    sessions = max(1, min(sessions_max, (7 * bytes_max // 16 - links_bytes) // _SESSION_BYTES))
    part = (bytes_max - links_bytes - sessions * _SESSION_BYTES - _ALWAYS_BYTES) // _PARTS
    bounds = Bounds(
        offers_bytes=min(part, OFFERS_BYTES_MAX),
        fetch_bytes=min(3 * part // 2, FETCH_BYTES_MAX),
        news_bytes=min(part // 2, NEWS_PASSED_BYTES_MAX),
        found_bytes=min(part, FOUND_BYTES_MAX),
        lanes_loading=min(part // 2 // LANE_BYTES, LANES_LOADING_MAX),
        lanes_noted=min(part // 2 // NOTED_BYTES, LANES_NOTED_MAX),
        prunes=min(part // 4 // DIGEST_BYTES, PRUNED_MAX),
        statements_noted=min(part // 4 // DIGEST_BYTES, STATEMENTS_NOTED_MAX),
    )
    return Memory(
        sessions=sessions,
        handshakes=dawdlers,
        connections=dawdlers,
        large_messages=max(2, min(LARGE_MAX, 5 * part // (2 * MESSAGE_BYTES_MAX))),
        answers_bytes=max(FRAME_BYTES_MAX, min(LARGE_MAX * FRAME_BYTES_MAX, 5 * part // 3)),
        outboxes_bytes=max(FRAME_BYTES_MAX, min(OUTBOXES_BYTES_MAX, 2 * part)),
        steps_bytes=max(FRAME_BYTES_MAX, min(STEPS_BYTES_MAX, 3 * part - FRAME_BYTES_MAX)),
        bounds=bounds,
    )


def memory_of_machine() -> int:
    """Return what a node takes by itself: three eighths of what this machine, or its container, has."""
    has_bytes = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE")
    allowed = Path("/sys/fs/cgroup/memory.max")
    if allowed.exists() and (said := allowed.read_text().strip()).isdecimal():
        has_bytes = min(has_bytes, int(said))
    return max(MEMORY_BYTES_MIN, min(MEMORY_BYTES_MAX, 3 * has_bytes // 8))
