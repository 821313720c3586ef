"""How much memory peers can make the federation hold, as one sum of the bounds that it keeps (section 30.4).

memory_bytes_max(64)
"""

from node.federation.link import ANSWERS_HELD_MAX, MESSAGE_BYTES_MAX, SOCKET_BYTES_MAX
from protocol.limits import (
    BUNDLE_BYTES_MAX,
    COMERS_MAX,
    CONNECTIONS_WAITING_MAX,
    EARLY_STATEMENTS_MAX,
    ENTRIES_FRAME_BYTES_MAX,
    FETCH_BUNDLES_MAX,
    FETCHES_MAX,
    FOUND_BYTES_MAX,
    FRAME_BYTES_MAX,
    HANDSHAKES_MAX,
    LANES_LOADING_MAX,
    LANES_NOTED_MAX,
    LANES_SHOWN_MAX,
    NEWS_BYTES_MAX,
    NOTE_BYTES_MAX,
    OFFER_BYTES,
    OFFERED_COSIGNATURE_BYTES,
    OFFERS_BYTES_MAX,
    OUTBOXES_BYTES_MAX,
    PASSED_ON_MAX,
    PRUNED_BY_ONE_MIN,
    PRUNED_MAX,
    RECORD_BYTES_MAX,
    REQUESTS_BYTES_MAX,
    REQUESTS_REMEMBERED_MAX,
    STATEMENT_BYTES_MAX,
    STATEMENTS_JUDGED_MAX,
    STATEMENTS_MAX,
    STATEMENTS_NOTED_MAX,
    STATEMENTS_OF_ONE_MIN,
    STATEMENTS_PASSED_MAX,
    STEPS_BYTES_MAX,
    TOLD_MAX,
    WITNESSES_MAX,
)

# What one of each costs in CPython with its place in a table, rounded up
LANE_BYTES = 2_048  # a lane of which nothing is known yet
NOTED_BYTES = 256  # a lane and a size
DIGEST_BYTES = 160  # 32 bytes in a set
FOUND_BYTES = 4_096  # a community besides its genesis and its record, as read
NUMBER_BYTES = 128
OFFER_BYTES_MAX = OFFER_BYTES + WITNESSES_MAX * OFFERED_COSIGNATURE_BYTES


def terms(sessions: int) -> dict[str, int]:
    """Return the terms of the sum in bytes, by what holds them."""
    links = sessions + HANDSHAKES_MAX
    return {
        "sockets": (links + CONNECTIONS_WAITING_MAX) * SOCKET_BYTES_MAX,
        "greetings": links * 2 * RECORD_BYTES_MAX,
        "messages_coming": links * 2 * MESSAGE_BYTES_MAX,
        "requests_waiting": sessions * (REQUESTS_BYTES_MAX + FRAME_BYTES_MAX),
        "requests_asked": sessions * REQUESTS_REMEMBERED_MAX * NUMBER_BYTES,
        "answers_going": sessions * ANSWERS_HELD_MAX * FRAME_BYTES_MAX,
        "outboxes": OUTBOXES_BYTES_MAX + sessions * FRAME_BYTES_MAX,
        "steps": 2 * (STEPS_BYTES_MAX + sessions * FRAME_BYTES_MAX),
        "fetches": FETCHES_MAX * (FETCH_BUNDLES_MAX * ENTRIES_FRAME_BYTES_MAX + BUNDLE_BYTES_MAX),
        "offers": OFFERS_BYTES_MAX + EARLY_STATEMENTS_MAX * OFFER_BYTES_MAX,
        "lanes_loading": LANES_LOADING_MAX * LANE_BYTES,
        "lanes_noted": (LANES_NOTED_MAX + sessions * LANES_SHOWN_MAX) * NOTED_BYTES,
        "prunes": (PRUNED_MAX + 3 * sessions * PRUNED_BY_ONE_MIN) * DIGEST_BYTES,
        "news_passed_on": PASSED_ON_MAX * (NEWS_BYTES_MAX + NOTE_BYTES_MAX),
        "statements_judged": STATEMENTS_JUDGED_MAX * STATEMENT_BYTES_MAX,
        "statements_noted": (
            STATEMENTS_NOTED_MAX
            + 2 * sessions * STATEMENTS_OF_ONE_MIN
            + STATEMENTS_PASSED_MAX
            + STATEMENTS_MAX
        )
        * DIGEST_BYTES,
        "communities_found": 2 * FOUND_BYTES_MAX + (COMERS_MAX + TOLD_MAX) * FOUND_BYTES,
    }


def memory_bytes_max(sessions: int) -> int:
    """Return the sum for so many sessions."""
    return sum(terms(sessions).values())
