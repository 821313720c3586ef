"""How much memory peers can make the federation hold, as one sum of the bounds that it keeps (section 30.4).

memory_bytes_max(64)
"""

from node.federation.link import ANSWERS_HELD_MAX, MESSAGE_BYTES_MAX, SOCKET_BYTES_MAX
from protocol.limits import (
    BUNDLE_BYTES_MAX,
    CONNECTIONS_WAITING_MAX,
    ENTRIES_FRAME_BYTES_MAX,
    FETCH_BUNDLES_MAX,
    FETCHES_MAX,
    FRAME_BYTES_MAX,
    HANDSHAKES_MAX,
    NEWS_BYTES_MAX,
    NOTE_BYTES_MAX,
    OUTBOXES_BYTES_MAX,
    PASSED_ON_MAX,
    REQUESTS_BYTES_MAX,
    STATEMENT_BYTES_MAX,
    STATEMENTS_JUDGED_MAX,
    STEPS_BYTES_MAX,
)


def terms(sessions: int) -> dict[str, int]:
    """Return the terms of the sum in bytes, by what holds them."""
    links = sessions + HANDSHAKES_MAX
    return {
        "sockets": (links + CONNECTIONS_WAITING_MAX) * SOCKET_BYTES_MAX,
        "messages_coming": links * 2 * MESSAGE_BYTES_MAX,
        "requests_waiting": sessions * (REQUESTS_BYTES_MAX + FRAME_BYTES_MAX),
        "answers_going": sessions * ANSWERS_HELD_MAX * FRAME_BYTES_MAX,
        "outboxes": OUTBOXES_BYTES_MAX + sessions * FRAME_BYTES_MAX,
        "steps": 2 * (STEPS_BYTES_MAX + sessions * FRAME_BYTES_MAX),
        "fetches": FETCHES_MAX * (FETCH_BUNDLES_MAX * ENTRIES_FRAME_BYTES_MAX + BUNDLE_BYTES_MAX),
        "news_passed_on": PASSED_ON_MAX * (NEWS_BYTES_MAX + NOTE_BYTES_MAX),
        "statements_judged": STATEMENTS_JUDGED_MAX * STATEMENT_BYTES_MAX,
    }


def memory_bytes_max(sessions: int) -> int:
    """Return the sum for so many sessions."""
    return sum(terms(sessions).values())
