"""How often somebody may fail to log in: pure, with the time passed in, in bounded memory.

An attempt counts as failed from its beginning until it is forgiven: a hundred that begin at once are not a
hundred guesses. Names that nobody has count like those of people, so that a pause tells nothing.

    attempt = limits.begin(name, remote, now_ms)    # or NodeError("login_paused")
    limits.forgive(attempt)                         # it was the right password
"""

from collections import OrderedDict
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import NamedTuple

from node.errors import NodeError

WINDOW_MS = 900_000
NAME_FAILURES_MAX = 5
NETWORK_FAILURES_MAX = 20
KEYS_MAX = 8_192  # each of names and networks; Argon2id leaves no time for so many attempts in one window

_NAME_CHARACTERS_MAX = 100
_NETWORK_BITS = {4: 24, 6: 48}  # what one household or one server gets
_SECOND_MS = 1_000


class Attempt(NamedTuple):
    """One try to log in that counts until it is forgiven."""

    name: str
    network: str
    began_ms: int


class LoginLimits:
    """The failed attempts of the last 15 minutes, by name and by network."""

    def __init__(self) -> None:
        """Begin with none."""
        self._names = _Failures(NAME_FAILURES_MAX)
        self._networks = _Failures(NETWORK_FAILURES_MAX)

    def begin(self, name: str, remote: str, now_ms: int) -> Attempt:
        """Count an attempt and return it, or raise `NodeError` `login_paused` with how long to wait."""
        attempt = Attempt(name[:_NAME_CHARACTERS_MAX], network_of(remote), now_ms)
        pause_ms = max(
            self._names.pause_ms(attempt.name, now_ms), self._networks.pause_ms(attempt.network, now_ms)
        )
        if pause_ms > 0:
            raise NodeError("login_paused", f"{-(-pause_ms // _SECOND_MS)} s")
        self._names.add(attempt.name, now_ms)
        self._networks.add(attempt.network, now_ms)
        return attempt

    def forgive(self, attempt: Attempt) -> None:
        """Forget every failure of the name, and of the network this one: the password was right."""
        self._names.forget(attempt.name)
        self._networks.take_back(attempt.network, attempt.began_ms)

    def take_back(self, attempt: Attempt) -> None:
        """Forget this attempt alone: nothing was tried after all."""
        self._names.take_back(attempt.name, attempt.began_ms)
        self._networks.take_back(attempt.network, attempt.began_ms)


def network_of(remote: str) -> str:
    """Return the network that an address counts for: IPv4 /24, IPv6 /48; what is no address is its own."""
    try:
        address = ip_address(remote)
    except ValueError:
        return remote[:_NAME_CHARACTERS_MAX]
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return _prefix(mapped or address)


def _prefix(address: IPv4Address | IPv6Address) -> str:
    bits = _NETWORK_BITS[address.version]
    rest = address.max_prefixlen - bits
    return f"{type(address)(int(address) >> rest << rest)}/{bits}"


class _Failures:
    """Times of failures by key, the key that failed last at the end; the first ones go when there are many."""

    def __init__(self, failures_max: int) -> None:
        self._failures_max = failures_max
        self._times: OrderedDict[str, list[int]] = OrderedDict()

    def pause_ms(self, key: str, now_ms: int) -> int:
        """How long until one more is allowed; 0 where it is now."""
        times = self._recent(key, now_ms)
        return times[0] + WINDOW_MS - now_ms if len(times) >= self._failures_max else 0

    def add(self, key: str, now_ms: int) -> None:
        self._times[key] = [*self._recent(key, now_ms), now_ms]
        self._times.move_to_end(key)
        if len(self._times) > KEYS_MAX:
            self._times.popitem(last=False)

    def forget(self, key: str) -> None:
        self._times.pop(key, None)

    def take_back(self, key: str, time_ms: int) -> None:
        times = self._times.get(key, [])
        if time_ms in times:
            times.remove(time_ms)
        if not times:
            self.forget(key)

    def _recent(self, key: str, now_ms: int) -> list[int]:
        """Those of the window; after a clock was set back, those from the future are dropped too."""
        return [time for time in self._times.get(key, ()) if now_ms - WINDOW_MS < time <= now_ms]
