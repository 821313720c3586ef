"""What the machines of one node may hold because of what peers say (PROTOCOL.md section 30.4).

A node on a small machine has less of each than the limits of section 3; nobody else sees it but by slowness.

    Replication(bounds=Bounds(offers_bytes=2_097_152))
"""

from dataclasses import dataclass

from protocol.limits import (
    FETCH_BYTES_MAX,
    FOUND_BYTES_MAX,
    LANES_LOADING_MAX,
    LANES_NOTED_MAX,
    NEWS_PASSED_BYTES_MAX,
    OFFERS_BYTES_MAX,
    PRUNED_MAX,
    STATEMENTS_NOTED_MAX,
)


@dataclass(frozen=True, slots=True)
class Bounds:
    """Each as the limit of the same name; `fetch_bytes` is of one fetch, all others are of all peers together."""

    offers_bytes: int = OFFERS_BYTES_MAX
    fetch_bytes: int = FETCH_BYTES_MAX
    news_bytes: int = NEWS_PASSED_BYTES_MAX
    found_bytes: int = FOUND_BYTES_MAX
    lanes_loading: int = LANES_LOADING_MAX
    lanes_noted: int = LANES_NOTED_MAX
    prunes: int = PRUNED_MAX
    statements_noted: int = STATEMENTS_NOTED_MAX


LIMITS = Bounds()
