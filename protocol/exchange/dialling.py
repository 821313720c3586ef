"""Whom to dial next, where, and how long to wait after a failure (PROTOCOL.md section 26.3).

A target is a community with the addresses at which it may be, or one address at which nobody is known yet.
The addresses of a target are tried in turn; when all have failed it is left in peace, longer each time. One of
those is tried before its time now and then, and when one comes back, all are: they may have had one cause.

    dialling.aim(community, [address], now_ms)
    for dial in dialling.due(open_peers, now_ms): ...
    dialling.opened(community, now_ms)
    dialling.ended(dial.dial, "session_lost", stood_ms, now_ms)
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass

from protocol.exchange.addresses import Address
from protocol.exchange.chance import Chance
from protocol.exchange.discovery_events import Dial
from protocol.exchange.overlay import Overlay
from protocol.limits import DIAL_HASTE_MS, DIAL_PROBE_MS, DIAL_TARGETS_MAX, DIALS_MAX

BACK_OFF_FIRST_MS = 500
BACK_OFF_MS_MAX = 300_000
HELD_MS = 60_000  # a session that stood so long was no failure

Key = bytes | Address


def back_off_ms(failures: int, chance: Chance) -> int:
    """Return how long to wait after so many failures in a row: twice as long each time, with a third of jitter."""
    longest = min(BACK_OFF_FIRST_MS * 2 ** min(failures, 30), BACK_OFF_MS_MAX)
    return int(longest * (2 + chance.random()) / 3)


@dataclass(slots=True)
class Target:
    """One that is dialled. `tries` is how often it is still tried, None: for ever."""

    addresses: tuple[Address, ...] = ()
    is_wanted: bool = False
    tries: int | None = None
    turn: int = 0
    failures: int = 0
    due_ms: int = 0
    dialled_ms: int = 0
    dial: int | None = None

    @property
    def address(self) -> Address:
        """The one whose turn it is."""
        return self.addresses[self.turn % len(self.addresses)]


class Dialling:
    """The targets of one node."""

    def __init__(self, chance: Chance) -> None:
        """Start without targets."""
        self._chance = chance
        self._overlay = Overlay(chance)
        self._refrained: frozenset[bytes] = frozenset()
        self._silent: set[bytes] = set()
        self._targets: dict[Key, Target] = {}
        self._dials: dict[int, Key] = {}
        self._connecting: set[int] = set()
        self._own: set[Address] = set()
        self._last_dial = 0
        self._probe_ms = 0
        self._returned_ms: int | None = None

    def target(self, key: Key) -> Target | None:
        """Return what is dialled for a community or address, or None."""
        return self._targets.get(key)

    @property
    def keys(self) -> tuple[Key, ...]:
        """All targets."""
        return tuple(self._targets)

    def aim(
        self,
        key: Key,
        addresses: Sequence[Address],
        now_ms: int,
        *,
        is_wanted: bool = False,
        tries: int | None = None,
    ) -> None:
        """Dial from now on, at once where the addresses are news; without addresses, no more."""
        usable = tuple(address for address in dict.fromkeys(addresses) if address not in self._own)
        target = self._targets.get(key)
        if not usable:
            self.drop(key)
            return
        if target is None:
            if len(self._targets) >= DIAL_TARGETS_MAX:
                return
            target = self._targets[key] = Target(due_ms=now_ms)
        elif target.addresses != usable:
            target.turn = target.failures = 0
            target.due_ms = now_ms
        target.addresses, target.tries = usable, tries
        target.is_wanted |= is_wanted

    def drop(self, key: Key) -> None:
        """Dial no more; how a dial that is under way ends does not matter."""
        self._targets.pop(key, None)

    def due(self, open_peers: Collection[bytes], now_ms: int) -> list[Dial]:
        """Return the dials to be made now; who is connected, or left to others, is not dialled."""
        self._choose(open_peers, now_ms)
        self._probe(open_peers, now_ms)
        dials: list[Dial] = []
        for key, target in self._targets.items():
            if len(self._connecting) >= DIALS_MAX:
                break
            if target.due_ms > now_ms or not self._is_waiting(key, open_peers):
                continue
            self._last_dial += 1
            target.dial = self._last_dial
            target.dialled_ms = now_ms
            self._dials[self._last_dial] = key
            self._connecting.add(self._last_dial)
            expected = key if isinstance(key, bytes) else None
            dials.append(Dial(self._last_dial, target.address, expected, target.is_wanted))
        return dials

    def next_ms(self, open_peers: Collection[bytes]) -> int | None:
        """Return when the next target is due, None where nobody is waited for."""
        if len(self._connecting) >= DIALS_MAX:
            return None  # how one of those ends is told
        times = [target.due_ms for key, target in self._targets.items() if self._is_waiting(key, open_peers)]
        if failing := self._failing(open_peers):
            times.append(self._probe_due_ms(failing))
        if self._overlay.deadline_ms is not None:
            times.append(self._overlay.deadline_ms)
        return min(times, default=None)

    def is_visit(self, community: bytes) -> bool:
        """Whether a community was dialled to be looked in on."""
        target = self._targets.get(community)
        return self._overlay.is_visit(community) and target is not None and target.dial is not None

    def end_visits(self, now_ms: int) -> list[bytes]:
        """Return the communities that were looked in on for long enough, of those that we dialled."""
        return [
            name
            for name in self._overlay.end_visits(now_ms)
            if (target := self._targets.get(name)) is not None and target.dial is not None
        ]

    def reached(self, dial: int, community: bytes) -> Key | None:
        """Hear who answered a dial, and return for whom it was; what had no name has that one from now on."""
        self._connecting.discard(dial)
        key = self._dials.get(dial)
        target = self._targets.get(key) if key is not None else None
        if key is None or target is None:
            return None
        target.is_wanted = False  # it is followed by now; should a steward end that, dialling is no new wish
        if key != community:
            known = self._targets.pop(community, None)
            del self._targets[key]
            self._targets[community] = target
            self._dials[dial] = community
            if known is not None:
                target.addresses = tuple(dict.fromkeys((*target.addresses, *known.addresses)))
        return key

    def opened(self, community: bytes, now_ms: int) -> None:
        """Hear that a session stands, whoever dialled it: where dialling had failed, others may be back as well.

        At most once in `DIAL_PROBE_MS`, or one that comes and goes would have us dial without end.
        """
        target = self._targets.get(community)
        if target is None or not target.failures:
            return
        if self._returned_ms is not None and now_ms < self._returned_ms + DIAL_PROBE_MS:
            return
        self._returned_ms = now_ms
        for other in self._targets.values():
            if other.failures and other.dial is None:
                other.due_ms = min(other.due_ms, now_ms + self._haste_ms())

    def ended(self, dial: int, code: str, stood_ms: int, now_ms: int) -> None:
        """Hear how a dial ended, and leave its target in peace for a while."""
        self._connecting.discard(dial)
        key = self._dials.pop(dial, None)
        target = self._targets.get(key) if key is not None else None
        if key is None or target is None or target.dial != dial:
            return
        target.dial = None
        if code == "session_self":
            self._own.add(target.address)
            self.aim(key, target.addresses, now_ms, tries=target.tries)
            return
        if stood_ms >= HELD_MS or code == "session_finished":
            target.failures = target.turn = 0
        else:
            self._failed(key, target)
        wait_ms = back_off_ms(target.failures, self._chance)
        is_older = self._returned_ms is not None and target.dialled_ms <= self._returned_ms
        target.due_ms = now_ms + (min(wait_ms, self._haste_ms()) if is_older else wait_ms)

    def parted(self, community: bytes, code: str, now_ms: int) -> None:
        """Hear that a session is over, and why, whoever dialled it."""
        self._silent.discard(community)
        if code != "session_finished":
            self._overlay.note_parted(now_ms)
        target = self._targets.get(community)
        if target is not None and target.dial is None:
            target.due_ms = max(target.due_ms, now_ms + back_off_ms(0, self._chance))

    def fell_silent(self, community: bytes, now_ms: int) -> None:
        """Hear that a session carries nothing: while it stands it counts as no link."""
        self._silent.add(community)
        self._overlay.note_parted(now_ms)

    def spoke(self, community: bytes) -> None:
        """Hear that a community has answered."""
        self._silent.discard(community)

    def _choose(self, open_peers: Collection[bytes], now_ms: int) -> None:
        """Of many communities a few are chosen; what is tried for a while, or was just named, is not counted."""
        regular = {
            key: target
            for key, target in self._targets.items()
            if isinstance(key, bytes) and target.tries is None and not target.is_wanted
        }
        is_open = [name for name in open_peers if name not in self._silent]

        def is_failing(name: bytes) -> bool:
            return name in self._silent or regular[name].failures > 0

        chosen = self._overlay.choose(regular.keys(), is_open, is_failing, now_ms)
        self._refrained = frozenset(regular).difference(chosen)

    def _probe(self, open_peers: Collection[bytes], now_ms: int) -> None:
        """Let the one that was dialled longest ago, of those that failed, be due now."""
        failing = self._failing(open_peers)
        if not failing or now_ms < self._probe_due_ms(failing):
            return
        self._probe_ms = now_ms + int(DIAL_PROBE_MS * (2 + self._chance.random()) / 3)
        longest_ago = min(failing, key=lambda target: target.dialled_ms)
        longest_ago.due_ms = min(longest_ago.due_ms, now_ms)

    def _probe_due_ms(self, failing: Collection[Target]) -> int:
        return max(self._probe_ms, min(target.dialled_ms for target in failing) + DIAL_PROBE_MS)

    def _haste_ms(self) -> int:
        return int(DIAL_HASTE_MS * self._chance.random())

    def _failing(self, open_peers: Collection[bytes]) -> list[Target]:
        """Those that are left in peace after a failure; what is tried a few times only is not among them."""
        return [
            target
            for key, target in self._targets.items()
            if target.failures and target.tries is None and self._is_waiting(key, open_peers)
        ]

    def _is_waiting(self, key: Key, open_peers: Collection[bytes]) -> bool:
        """Whether a target is to be dialled as soon as it is due."""
        return self._targets[key].dial is None and key not in open_peers and key not in self._refrained

    def _failed(self, key: Key, target: Target) -> None:
        target.turn += 1
        if target.turn % len(target.addresses) == 0:
            target.failures += 1
        if target.tries is not None:
            target.tries -= 1
            if target.tries <= 0:
                del self._targets[key]
