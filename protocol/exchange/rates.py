"""How much of what a link may bring in a second (PROTOCOL.md section 30).

Token buckets that count in thousandths, so that a millisecond's share is exact. Who grants holds a `Meter`, who
sends a `Pace`; what was asked for is bounded by who asked, and is not counted.

    pace = Pace(grant, now_ms)
    wait_ms = pace.wait_ms(len(raw), now_ms)        # then pace.sent(frame, len(raw), then_ms)
    wait_ms = meter.received(frame, len(raw), now_ms)
"""

from collections import OrderedDict
from collections.abc import Callable
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from typing import Generic, TypeGuard, TypeVar

from protocol.errors import SessionError
from protocol.exchange.frames import Answer, Frame, Grant, Heads, Ping, Request
from protocol.limits import (
    BURSTS_EXCEEDED_MAX,
    GRANT_BYTES_BURST,
    GRANT_BYTES_SECOND,
    GRANT_REQUESTS_SECOND,
    HEADS_PAGE_VERIFICATIONS,
    RANGES_MAX,
    REQUESTS_REMEMBERED_MAX,
    VERIFICATIONS_BURST,
    VERIFICATIONS_SECOND,
)

DEFAULT_GRANT = Grant(GRANT_BYTES_SECOND, GRANT_BYTES_BURST, GRANT_REQUESTS_SECOND)

_MILLI = 1_000
_SLACK = 8  # a receiver allows an eighth more than it declared: clocks and networks are not exact
_RANGE_BITS = {4: 24, 6: 48}

Kept = TypeVar("Kept")


class Bucket:
    """So many tokens a second, and at most `burst` of them kept; it may be overdrawn, and is then waited for."""

    def __init__(self, rate_second: int, burst: int, now_ms: int) -> None:
        """Start full."""
        assert rate_second > 0 <= burst, "a bucket that never fills is a refusal, not a rate"
        self._rate_second = rate_second
        self._burst_milli = burst * _MILLI
        self._level_milli = self._burst_milli
        self._filled_ms = now_ms

    def take(self, tokens: int, now_ms: int) -> int:
        """Take tokens, those that are not there too, and return how many milliseconds to wait for the rest."""
        self._fill(now_ms)
        self._level_milli -= tokens * _MILLI
        return self._wait_ms(0)

    def wait_ms(self, tokens: int, now_ms: int) -> int:
        """Return in how many milliseconds so many tokens are there; more than it holds: when it is full."""
        self._fill(now_ms)
        return self._wait_ms(min(tokens * _MILLI, self._burst_milli))

    def is_full(self, now_ms: int) -> bool:
        """Whether nothing was taken that has not come back."""
        self._fill(now_ms)
        return self._level_milli == self._burst_milli

    def owed(self, now_ms: int) -> int:
        """Return how many tokens were taken that were not there, rounded up."""
        self._fill(now_ms)
        return max(0, -(self._level_milli // _MILLI))

    def _fill(self, now_ms: int) -> None:
        passed_ms = max(0, now_ms - self._filled_ms)
        self._filled_ms = max(self._filled_ms, now_ms)
        self._level_milli = min(self._burst_milli, self._level_milli + passed_ms * self._rate_second)

    def _wait_ms(self, wanted_milli: int) -> int:
        missing = max(0, wanted_milli - self._level_milli)
        return -(-missing // self._rate_second)


class Pace:
    """The sending end: how long to wait so that the other side's grant is kept."""

    def __init__(self, grant: Grant, now_ms: int) -> None:
        """Start with everything that may be sent at once."""
        self._bytes = Bucket(grant.bytes_second, grant.bytes_burst, now_ms)
        self._requests = Bucket(grant.requests_second, grant.requests_second, now_ms)

    def wait_ms(self, frame: Frame | None, size: int, now_ms: int) -> int:
        """Return how long to wait before a frame of `size` bytes is sent; 0 for an answer.

        None is a frame of the session's own: a ping, a pong, a word about an unknown type.
        """
        if _is_answer(frame):
            return 0
        return max(self._bytes.wait_ms(size, now_ms), self._requests.wait_ms(_requests_in(frame), now_ms))

    def sent(self, frame: Frame | None, size: int, now_ms: int) -> None:
        """Count a frame that is sent now."""
        if not _is_answer(frame):
            self._bytes.take(size, now_ms)
            self._requests.take(_requests_in(frame), now_ms)


class Meters:
    """What one peer, or one range of addresses, may bring: bytes, requests, signatures to verify."""

    def __init__(self, grant: Grant, now_ms: int, *, share: int = 1) -> None:
        """Take what is granted to one peer; a range has `share` times that."""
        bytes_second, requests_second = grant.bytes_second * share, grant.requests_second * share
        self.bytes = Bucket(bytes_second + bytes_second // _SLACK, grant.bytes_burst * share, now_ms)
        self.requests = Bucket(requests_second + requests_second // _SLACK, requests_second, now_ms)
        self.verifications = Bucket(VERIFICATIONS_SECOND * share, VERIFICATIONS_BURST * share, now_ms)

    def take(self, counted_bytes: int, requests: int, verifications: int, now_ms: int) -> int:
        """Take from all three, and return how long nothing more is read."""
        return max(
            self.bytes.take(counted_bytes, now_ms),
            self.requests.take(requests, now_ms),
            self.verifications.take(verifications, now_ms),
        )


class Meter:
    """The receiving end of one link: what came, how long to read no further, and when it is too much."""

    def __init__(self, grant: Grant, now_ms: int, *, of_range: Meters | None = None) -> None:
        """Take what was granted; `of_range` is shared with others of the range, None for whom we follow."""
        self._grant = grant
        self._own = Meters(grant, now_ms)
        self._of_range = of_range
        self._asked: OrderedDict[int, None] = OrderedDict()
        self._bytes_exceeded = 0
        self._requests_exceeded = 0

    def asked(self, request: Request) -> None:
        """Note a request of ours: its answer is not counted, however late it comes."""
        self._asked[request.number] = None
        if len(self._asked) > REQUESTS_REMEMBERED_MAX:
            self._asked.popitem(last=False)

    def received(self, frame: Frame | None, size: int, now_ms: int) -> int:
        """Return for how many milliseconds to read nothing more; None is a frame that goes no further.

        Raises `SessionError` where the peer goes on and on beyond what it was granted.
        """
        self._forgive(now_ms)
        is_wanted = _is_answer(frame) and self._asked.pop(frame.number, 0) is None
        counted_bytes, requests = (0, 0) if is_wanted else (size, _requests_in(frame))
        verifications = verifications_in(frame)
        wait_ms = self._own.take(counted_bytes, requests, verifications, now_ms)
        self._bytes_exceeded += min(self._own.bytes.owed(now_ms), counted_bytes)
        self._requests_exceeded += min(self._own.requests.owed(now_ms), requests)
        if (
            self._bytes_exceeded > BURSTS_EXCEEDED_MAX * self._grant.bytes_burst
            or self._requests_exceeded > BURSTS_EXCEEDED_MAX * self._grant.requests_second
        ):
            raise SessionError("rate_exceeded")
        if self._of_range is None:
            return wait_ms
        return max(wait_ms, self._of_range.take(counted_bytes, requests, verifications, now_ms))

    def _forgive(self, now_ms: int) -> None:
        """A sender that keeps its pace fills the bucket again and again; what went beyond before is forgotten."""
        if self._own.bytes.is_full(now_ms):
            self._bytes_exceeded = 0
        if self._own.requests.is_full(now_ms):
            self._requests_exceeded = 0


class Ranges(Generic[Kept]):
    """Something for each address range that was heard of lately: what is full again is as good as new."""

    def __init__(self, make: Callable[[int], Kept]) -> None:
        """Take what makes a new one at a time in milliseconds."""
        self._make = make
        self._kept: OrderedDict[str, Kept] = OrderedDict()

    def of(self, address: str, now_ms: int) -> Kept:
        """Return what is kept for the range of an IP address."""
        name = range_of(address)
        if name not in self._kept:
            self._kept[name] = self._make(now_ms)
            if len(self._kept) > RANGES_MAX:
                self._kept.popitem(last=False)
        self._kept.move_to_end(name)
        return self._kept[name]


def range_of(address: str) -> str:
    """Return the /24 of an IPv4 address or the /48 of an IPv6 one; an IPv4 address in IPv6 is the former."""
    found: IPv4Address | IPv6Address = ip_address(address.partition("%")[0])
    if isinstance(found, IPv6Address) and found.ipv4_mapped:
        found = found.ipv4_mapped
    return str(ip_network((found, _RANGE_BITS[found.version]), strict=False))


def verifications_in(frame: Frame | None) -> int:
    """Return how many signatures a frame may make its receiver verify; an empty page is work as well."""
    if isinstance(frame, Heads):
        return max(len(frame.heads), HEADS_PAGE_VERIFICATIONS)
    return int(frame is not None and not isinstance(frame, Request | Answer))


def _is_answer(frame: Frame | None) -> TypeGuard[Answer]:
    """Whether a frame answers a request; heads and refusals with number 0 are said unasked."""
    return isinstance(frame, Answer) and frame.number != 0


def _requests_in(frame: Frame | None) -> int:
    """What makes the receiver say something counts as a request: keep-alive and unknown types too."""
    return int(frame is None or isinstance(frame, Request | Ping))
