"""How often somebody may fail to log in, against a second implementation that remembers everything."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.errors import NodeError
from node.login_limits import (
    KEYS_MAX,
    NAME_FAILURES_MAX,
    NETWORK_FAILURES_MAX,
    WINDOW_MS,
    Attempt,
    LoginLimits,
    network_of,
)

NOW_MS = 1_790_000_000_000
MINUTE_MS = 60_000


class NaiveLimits:
    """Every attempt in one list, counted anew each time."""

    def __init__(self) -> None:
        self.failed: list[Attempt] = []

    def begin(self, name: str, network: str, now_ms: int) -> Attempt | int:
        """The attempt, or the first time at which it is allowed."""
        allowed_ms = now_ms
        while not self._is_allowed(name, network, allowed_ms):
            allowed_ms = min(
                one.began_ms + WINDOW_MS for one in self.failed if one.began_ms + WINDOW_MS > allowed_ms
            )
        if allowed_ms > now_ms:
            return allowed_ms
        self.failed.append(Attempt(name, network, now_ms))
        return self.failed[-1]

    def forgive(self, attempt: Attempt) -> None:
        self.take_back(attempt)
        self.failed = [one._replace(name="") if one.name == attempt.name else one for one in self.failed]

    def take_back(self, attempt: Attempt) -> None:
        if attempt in self.failed:
            self.failed.remove(attempt)

    def _is_allowed(self, name: str, network: str, now_ms: int) -> bool:
        recent = [one for one in self.failed if now_ms - WINDOW_MS < one.began_ms]
        by_name = sum(one.name == name for one in recent)
        by_network = sum(one.network == network for one in recent)
        return by_name < NAME_FAILURES_MAX and by_network < NETWORK_FAILURES_MAX


def pause_seconds(limits: LoginLimits, name: str, remote: str, now_ms: int) -> int:
    """How long to wait, as the refusal says it."""
    with pytest.raises(NodeError) as refused:
        limits.begin(name, remote, now_ms)
    assert refused.value.code == "login_paused"
    seconds, unit = refused.value.detail.split()
    assert unit == "s"
    return int(seconds)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(["lin", "bo", "zoe"] + [f"guess {number}" for number in range(9)]),
        st.sampled_from(["192.0.2.1", "192.0.2.200", "198.51.100.1", "2001:db8::1"]),
        st.integers(0, 2 * MINUTE_MS),
        st.sampled_from(["wrong"] * 8 + ["right", "taken back"]),
    ),
    max_size=120,
)


@settings(max_examples=150, deadline=None)
@given(STEPS)
def test_an_attempt_is_allowed_exactly_when_the_naive_count_allows_it(
    steps: list[tuple[str, str, int, str]],
) -> None:
    """Allowed, paused and for how long: both implementations say the same after every step."""
    limits, naive = LoginLimits(), NaiveLimits()
    now_ms = NOW_MS
    for name, remote, step_ms, outcome in steps:
        now_ms += step_ms
        expected = naive.begin(name, network_of(remote), now_ms)
        if isinstance(expected, int):
            assert pause_seconds(limits, name, remote, now_ms) == -(-(expected - now_ms) // 1000)
            continue
        attempt = limits.begin(name, remote, now_ms)
        assert attempt == expected
        if outcome == "right":
            limits.forgive(attempt)
            naive.forgive(expected)
        elif outcome == "taken back":
            limits.take_back(attempt)
            naive.take_back(expected)


def test_a_name_is_paused_after_five_failures_until_the_first_is_old() -> None:
    """From whatever address; the wait gets shorter, and to the millisecond it ends."""
    limits = LoginLimits()
    for number in range(NAME_FAILURES_MAX):
        limits.begin("lin", f"10.0.{number}.1", NOW_MS + number)
    waits = [pause_seconds(limits, "lin", "10.9.9.9", NOW_MS + minute * MINUTE_MS) for minute in range(1, 15)]
    assert all(first - second == 60 for first, second in pairwise(waits))
    assert pause_seconds(limits, "lin", "10.9.9.9", NOW_MS + WINDOW_MS - 1) == 1
    assert limits.begin("lin", "10.9.9.9", NOW_MS + WINDOW_MS)
    assert pause_seconds(limits, "lin", "10.9.9.9", NOW_MS + WINDOW_MS) == 1


def test_a_success_clears_the_name_and_not_the_network() -> None:
    """Otherwise one account of one's own would buy any number of guesses at others."""
    limits = LoginLimits()
    for number in range(NETWORK_FAILURES_MAX - 1):
        limits.begin(f"guess {number}", "192.0.2.1", NOW_MS)
    for _ in range(3):
        limits.forgive(limits.begin("lin", "192.0.2.9", NOW_MS))
    limits.begin("last", "192.0.2.77", NOW_MS)
    assert pause_seconds(limits, "lin", "192.0.2.9", NOW_MS) == WINDOW_MS // 1000
    assert limits.begin("lin", "192.0.3.9", NOW_MS)


@pytest.mark.parametrize(
    ("remote", "network"),
    [
        ("192.0.2.255", "192.0.2.0/24"),
        ("::ffff:192.0.2.1", "192.0.2.0/24"),
        ("2001:db8:1:2:3::4", "2001:db8:1::/48"),
        ("fe80::1%eth0", "fe80::/48"),
        ("::1", "::/48"),
        ("", ""),
        ("a socket's path", "a socket's path"),
        ("x" * 5_000, "x" * 100),
    ],
)
def test_an_address_counts_for_its_network(remote: str, network: str) -> None:
    """A household has a whole IPv6 /48 to send from, and a neighbour in the same /24 pays with it."""
    assert network_of(remote) == network


def test_a_stranger_cannot_fill_the_memory() -> None:
    """The keys that failed longest ago go first; long names are cut."""
    limits = LoginLimits()
    for _ in range(NAME_FAILURES_MAX):
        limits.begin("lin", "192.0.2.1", NOW_MS)
    for number in range(KEYS_MAX - 1):
        limits.begin(f"{number} " + "x" * 10_000, f"2001:db8:{number:x}::1", NOW_MS)
    assert pause_seconds(limits, "lin", "203.0.113.1", NOW_MS)
    limits.begin("one more", "203.0.113.1", NOW_MS)
    assert limits.begin("lin", "203.0.113.1", NOW_MS).name == "lin"
    assert len(limits.begin("y" * 10_000, "203.0.113.1", NOW_MS).name) == 100


def test_a_clock_that_was_set_back_pauses_nobody_for_ever() -> None:
    """What failed in the future is dropped: no stranger sets our clock."""
    limits = LoginLimits()
    for _ in range(NAME_FAILURES_MAX):
        limits.begin("lin", "192.0.2.1", NOW_MS + 10 * WINDOW_MS)
    assert limits.begin("lin", "192.0.2.1", NOW_MS).began_ms == NOW_MS
