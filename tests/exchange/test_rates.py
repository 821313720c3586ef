"""Token buckets of a link: exact, at the sender's end and at the receiver's, a peer's own and its range's."""

from random import Random

import pytest

from protocol.errors import SessionError
from protocol.exchange.frames import (
    BlobGet,
    Frame,
    Grant,
    Heads,
    HeadsSince,
    News,
    Ping,
    Refused,
    StatedHead,
    Tiles,
    encode_frame,
)
from protocol.exchange.rates import (
    DEFAULT_GRANT,
    Bucket,
    Meter,
    Meters,
    Pace,
    Ranges,
    range_of,
    verifications_in,
)
from protocol.limits import (
    BURSTS_EXCEEDED_MAX,
    FRAME_BYTES_MAX,
    GRANT_BYTES_SECOND_MIN,
    HEADS_PAGE_VERIFICATIONS,
    RANGES_MAX,
    REQUESTS_MAX,
    REQUESTS_REMEMBERED_MAX,
    VERIFICATIONS_BURST,
    VERIFICATIONS_SECOND,
)

SMALLEST = Grant(GRANT_BYTES_SECOND_MIN, FRAME_BYTES_MAX, REQUESTS_MAX)
HEAD = StatedHead(b"c" * 32, 1, 0, 7, b"r" * 32, b"s" * 64, ())
PUSH = News(HEAD, 0, b"\x00\x00")


def test_a_bucket_gives_its_rate_to_the_thousandth() -> None:
    """However often it is looked at, what it has given in a second is its rate and its depth."""
    for rate in (1, 3, 7, 999, 1_001):
        chance, now_ms, taken = Random(rate), 5, 0
        bucket = Bucket(rate, rate, now_ms)
        while now_ms < 60_005:
            now_ms += chance.randint(0, 40)
            while now_ms <= 60_005 and bucket.wait_ms(1, now_ms) == 0:
                bucket.take(1, now_ms)
                taken += 1
        assert 0 <= rate * 61 - taken <= 1 + rate * 40 // 1_000


def test_a_wait_is_exactly_long_enough() -> None:
    """A millisecond less is too early, and a bucket that is overdrawn is waited for."""
    bucket = Bucket(3, 2, 0)
    assert bucket.take(2, 0) == 0
    wait_ms = bucket.wait_ms(1, 0)
    assert wait_ms == 334
    assert bucket.wait_ms(1, wait_ms - 1) == 1
    assert bucket.wait_ms(1, wait_ms) == 0
    assert bucket.take(5, wait_ms) == bucket.wait_ms(0, wait_ms) == 1_333
    assert bucket.owed(wait_ms) == 4
    assert not bucket.is_full(wait_ms + 1_999)
    assert bucket.is_full(wait_ms + 2_000)


def test_more_than_a_bucket_holds_is_waited_for_until_it_is_full() -> None:
    """Nobody waits for ever for what can never be there."""
    bucket = Bucket(10, 5, 0)
    bucket.take(5, 0)
    assert bucket.wait_ms(500, 0) == 500


def test_a_clock_that_stands_still_gives_nothing() -> None:
    """The same moment twice, or an earlier one, adds no token."""
    bucket = Bucket(1_000, 10, 1_000)
    bucket.take(10, 1_000)
    assert [bucket.wait_ms(1, now_ms) for now_ms in (1_000, 0, 1_000)] == [1, 1, 1]


def send_at_pace(frames: list[Frame], grant: Grant, start_ms: int = 0) -> list[tuple[int, Frame]]:
    """Send as an honest sender does, as early as it may."""
    pace, now_ms, sent = Pace(grant, start_ms), start_ms, []
    for frame in frames:
        size = len(encode_frame(frame))
        now_ms += pace.wait_ms(frame, size, now_ms)
        assert pace.wait_ms(frame, size, now_ms) == 0
        pace.sent(frame, size, now_ms)
        sent.append((now_ms, frame))
    return sent


@pytest.mark.parametrize("grant", [SMALLEST, DEFAULT_GRANT])
def test_who_keeps_the_pace_is_never_ended_and_hardly_held_up(grant: Grant) -> None:
    """Hours of as much as may be, over a network that bunches frames together."""
    large: Frame = News(HEAD, 0, bytes(60_000))
    frames = [large if number % 3 else HeadsSince(number, bytes(16), 0) for number in range(20_000)]
    meter, chance, held_up_ms = Meter(grant, 0), Random(7), 0
    late_ms = 0
    for sent_ms, frame in send_at_pace(frames, grant):
        late_ms = max(late_ms, sent_ms + chance.randint(0, 200))
        held_up_ms += meter.received(frame, len(encode_frame(frame)), late_ms)
    assert held_up_ms <= late_ms // 100


def test_who_does_not_is_held_up_and_in_the_end_let_go() -> None:
    """Frames as fast as they are read: each is paid for, and the sum of what went beyond ends the session."""
    for frame, most in (
        (News(HEAD, 0, bytes(60_000)), BURSTS_EXCEEDED_MAX * FRAME_BYTES_MAX // 60_000),
        (BlobGet(1, bytes(32), 0, 1), BURSTS_EXCEEDED_MAX * REQUESTS_MAX),
    ):
        meter, now_ms, came, size = Meter(SMALLEST, 0), 0, 0, len(encode_frame(frame))
        code = ""
        while not code and came < 100_000:
            came += 1
            try:
                now_ms += meter.received(frame, size, now_ms)
            except SessionError as error:
                code = error.code
        assert code == "rate_exceeded"
        assert most < came < most * 2
        assert now_ms > 10_000


def test_what_was_asked_for_is_not_counted_and_what_was_not_is() -> None:
    """An answer counts once asked; a second one, or one of a number never given out, is a frame like any other."""
    meter = Meter(SMALLEST, 0)
    tiles = Tiles(1, (bytes(8_192),) * 32)
    size = len(encode_frame(tiles))
    for number in range(1, 50):
        meter.asked(BlobGet(number, bytes(32), 0, 1))
        assert meter.received(Tiles(number, tiles.tiles), size, 0) == 0
    waits = [meter.received(tiles, size, 0) for _ in range(8)]
    assert waits[0] == 0 < waits[-1]


def test_only_so_many_own_requests_are_remembered() -> None:
    """A peer that never answers does not fill our memory; its oldest answers count as unasked in the end."""
    meter = Meter(SMALLEST, 0)
    for number in range(1, REQUESTS_REMEMBERED_MAX + 2):
        meter.asked(BlobGet(number, bytes(32), 0, 1))
    assert meter.received(Refused(2, "range_not_held", ""), 2 * FRAME_BYTES_MAX, 0) == 0
    assert meter.received(Refused(1, "range_not_held", ""), 2 * FRAME_BYTES_MAX, 0) > 0


def test_signatures_to_verify_are_counted_in_answers_too() -> None:
    """A list of heads that never ends is read as fast as its signatures may be verified, were it of empty pages."""
    meter, now_ms, pages = Meter(DEFAULT_GRANT, 0), 0, 0
    while now_ms < 60_000:
        pages += 1
        meter.asked(HeadsSince(pages, bytes(16), 0))
        now_ms += meter.received(Heads(pages, bytes(16), pages, True, ()), 30, now_ms)
    assert pages * HEADS_PAGE_VERIFICATIONS <= VERIFICATIONS_BURST + 61 * VERIFICATIONS_SECOND
    assert verifications_in(Heads(0, bytes(16), 0, False, (HEAD,) * 100)) == 100
    assert [verifications_in(frame) for frame in (PUSH, Ping(1), BlobGet(1, bytes(32), 0, 1), None)] == [
        1,
        1,
        0,
        0,
    ]


def test_a_range_holds_up_its_members_and_ends_none() -> None:
    """Many peers from one range have four times what one has; nobody is let go for what neighbours do."""
    of_range = Meters(SMALLEST, 0, share=4)
    meters = [Meter(SMALLEST, 0, of_range=of_range) for _ in range(20)]
    followed = Meter(SMALLEST, 0)
    now_ms, came = 0, 0
    while now_ms < 60_000:
        for meter in meters:
            now_ms += meter.received(PUSH, 50_000, now_ms)
            came += 50_000
    assert came <= 4 * FRAME_BYTES_MAX + 61 * 4 * (GRANT_BYTES_SECOND_MIN * 9 // 8)
    assert followed.received(PUSH, 50_000, now_ms) == 0


@pytest.mark.parametrize(
    ("address", "name"),
    [
        ("192.0.2.7", "192.0.2.0/24"),
        ("192.0.2.255", "192.0.2.0/24"),
        ("192.0.3.0", "192.0.3.0/24"),
        ("::ffff:192.0.2.9", "192.0.2.0/24"),
        ("2001:db8:1:2::3", "2001:db8:1::/48"),
        ("2001:db8:1:ffff::", "2001:db8:1::/48"),
        ("2001:db8:2::", "2001:db8:2::/48"),
        ("fe80::1%eth0", "fe80::/48"),
    ],
)
def test_addresses_fall_into_their_range(address: str, name: str) -> None:
    """A /24 of IPv4, a /48 of IPv6, and an IPv4 address is one in whatever form it is written."""
    assert range_of(address) == name


def test_only_so_many_ranges_are_remembered() -> None:
    """The range that was heard of longest ago is forgotten first."""
    ranges = Ranges(lambda now_ms: Bucket(1, 1, now_ms))
    first = ranges.of("10.0.0.1", 0)
    second = ranges.of("10.0.1.1", 0)
    for number in range(RANGES_MAX - 1):
        ranges.of("10.0.0.9", 0)
        ranges.of(f"11.{number // 256}.{number % 256}.1", 0)
    assert ranges.of("10.0.0.77", 0) is first
    assert ranges.of("10.0.1.1", 0) is not second
