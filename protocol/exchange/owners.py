"""On whose behalf an open peer is asked, and what it owes us (PROTOCOL.md section 17.5).

peer = OpenPeer(Requests(requests_max, deadlines), now_ms)
peer.requests.ask(ForNode(token), request, now_ms)
"""

from dataclasses import dataclass

from protocol.exchange.fetch import Job
from protocol.exchange.requests import Requests
from protocol.limits import POLL_MS, SUMMARIES_MAX
from protocol.log.origin import Origin


@dataclass(frozen=True, slots=True)
class ForHeads:
    """The request asks for heads."""


@dataclass(frozen=True, slots=True)
class ForFetch:
    """The request is a job of a lane's fetch."""

    origin: Origin
    job: Job


@dataclass(frozen=True, slots=True)
class ForNode:
    """The request comes from elsewhere in the node."""

    token: int


Owner = ForHeads | ForFetch | ForNode


@dataclass(slots=True)
class OpenPeer:
    """An open peer and what it owes us.

    `summaries` counts its questions that cost us a walk through all heads, since `summaries_ms`.
    """

    requests: Requests[Owner]
    asked_ms: int
    summaries: int = 0
    summaries_ms: int = 0

    def may_compare(self, now_ms: int) -> bool:
        """Count such a question, and tell whether it is answered: two for each comparison, in `POLL_MS`."""
        if now_ms >= self.summaries_ms + POLL_MS:
            self.summaries, self.summaries_ms = 0, now_ms
        self.summaries += 1
        return self.summaries <= 2 * SUMMARIES_MAX
