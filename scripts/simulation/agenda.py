"""Virtual time: what happens when, in one order for one seed, and what all of it comes to as one digest.

Two lists. What the machines wait for moves along when idle time is skipped; what is planned stands at its
hour. Nothing costs anything while nothing happens: an idle month is as cheap as its first minutes.

    agenda = Agenda()
    agenda.after(20, lambda: arrive(frame))     # of the machines
    agenda.plan(3_600_000, lambda: cut(network))  # of the scenario
    while agenda.step(): check()
"""

import hashlib
import heapq
from collections.abc import Callable

Action = Callable[[], None]
Item = tuple[int, int, Action]

_STEPS_A_MS_MAX = 10_000
START_MS = 1_800_000_000_000  # what every clock of a simulated world says at its beginning


class Agenda:
    """The two lists, the clock, and the digest of what happened."""

    def __init__(self) -> None:
        """Begin at 0, with nothing to do."""
        self.now_ms = 0
        self.skipped_ms = 0
        self.material_ms = 0
        self.steps = 0
        self._steps_now = 0
        self._ties = 0
        self._waiting: list[Item] = []
        self._planned: list[Item] = []
        self._trace = hashlib.sha256()

    @property
    def machine_ms(self) -> int:
        """The clock that only goes forward, as the machines are told it: without what was skipped."""
        return self.now_ms - self.skipped_ms

    @property
    def digest(self) -> str:
        """Everything noted so far, as one number: the same for the same seed."""
        return self._trace.hexdigest()

    def note(self, *words: bytes | str | int) -> None:
        """Add to the digest."""
        for word in words:
            self._trace.update(word if isinstance(word, bytes) else f"{word} ".encode())

    def note_material(self) -> None:
        """Say that something happened that was no idle round: the network does not stand still yet."""
        self.material_ms = self.now_ms

    def after(self, delay_ms: int, action: Action) -> None:
        """Do something so many milliseconds from now, as the machines count them."""
        self._ties += 1
        heapq.heappush(self._waiting, (self.machine_ms + delay_ms, self._ties, action))

    def plan(self, at_ms: int, action: Action) -> None:
        """Do something at an hour of the world."""
        self._ties += 1
        heapq.heappush(self._planned, (max(at_ms, self.now_ms), self._ties, action))

    @property
    def next_planned_ms(self) -> int | None:
        """When the next planned thing happens."""
        return self._planned[0][0] if self._planned else None

    def drop_plans(self) -> None:
        """Let nothing happen any more that is planned."""
        self._planned.clear()

    def skip_to(self, at_ms: int) -> None:
        """Let time pass in which the machines would only go on turning in the same circle.

        They are told times and differences of times, never the date: to move all that they wait for by the
        same amount is to let them sleep.
        """
        self.skipped_ms += at_ms - self.now_ms
        self.note("skip", at_ms - self.now_ms)
        self.now_ms = at_ms

    def step(self, until_ms: int) -> bool:
        """Do the next thing that happens up to `until_ms`; return whether there was one."""
        waiting = self._waiting[0][0] + self.skipped_ms if self._waiting else until_ms + 1
        planned = self._planned[0][0] if self._planned else until_ms + 1
        if min(waiting, planned) > until_ms:
            self.now_ms = max(self.now_ms, until_ms)
            return False
        is_planned = planned <= waiting
        at_ms, _, action = heapq.heappop(self._planned if is_planned else self._waiting)
        now_ms = max(self.now_ms, at_ms if is_planned else at_ms + self.skipped_ms)
        self._steps_now = 0 if now_ms > self.now_ms else self._steps_now + 1
        assert self._steps_now < _STEPS_A_MS_MAX, (
            "time stands still: somebody asks to be woken at once, for ever"
        )
        self.now_ms = now_ms
        self.steps += 1
        action()
        return True
