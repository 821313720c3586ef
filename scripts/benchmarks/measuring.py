"""A figure: its values over some rounds, what ran beside it, and the line that says so.

bench = Bench(rounds=3, days=30, scratch=folder, shared=None)
yield bench.figure("fold.dict", "records/s", n=100_000, values=[...], beside="nothing")
"""

import json
import os
import resource
import statistics
import sys
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

GoalKind = Literal["at_least", "at_most", "below"]
MIB = 1_048_576


@dataclass(frozen=True, slots=True, kw_only=True)
class Goal:
    """What issue 2 asks of a figure's median."""

    kind: GoalKind
    value: float

    def is_met(self, median: float) -> bool:
        """Whether a median reaches it."""
        if self.kind == "at_least":
            return median >= self.value
        return median <= self.value if self.kind == "at_most" else median < self.value


@dataclass(frozen=True, slots=True, kw_only=True)
class Figure:
    """One measured thing: a value a round, `n` things counted in each of them."""

    name: str
    unit: str
    n: int
    values: tuple[float, ...]
    beside: str
    goal: Goal | None
    load: tuple[float, ...]

    def as_json(self) -> str:
        """One line for machines."""
        shown: dict[str, Any] = {
            "figure": self.name,
            "unit": self.unit,
            "n": self.n,
            "rounds": len(self.values),
            "median": rounded(statistics.median(self.values)),
            "min": rounded(min(self.values)),
            "max": rounded(max(self.values)),
            "beside": self.beside,
            "load": [round(load, 2) for load in self.load],
        }
        if self.goal is not None:
            shown |= {"goal": {self.goal.kind: self.goal.value}, "met": self._is_met()}
        return json.dumps(shown, ensure_ascii=False)

    def as_text(self) -> str:
        """One line for people."""
        median, low, high = statistics.median(self.values), min(self.values), max(self.values)
        spread = f"  ({rounded(low):,} to {rounded(high):,})" if len(self.values) > 1 else ""
        goal = ""
        if self.goal is not None:
            kind = self.goal.kind.replace("_", " ")
            goal = f"  goal {kind} {self.goal.value:,}: {'met' if self._is_met() else 'not met'}"
        return f"{self.name:34} {rounded(median):>12,} {self.unit}{spread}{goal}"

    def _is_met(self) -> bool:
        assert self.goal is not None
        return self.goal.is_met(statistics.median(self.values))


@dataclass(frozen=True, slots=True, kw_only=True)
class Bench:
    """How much to do, and where: `scratch` is a folder on the disk that is measured."""

    rounds: int
    days: int
    records: int
    scratch: Path
    shared: Path | None

    def figure(
        self,
        name: str,
        unit: str,
        *,
        n: int,
        values: Sequence[float],
        beside: str,
        goal: Goal | None = None,
    ) -> Figure:
        """Return a figure with the machine's load as it is now."""
        load = os.getloadavg()
        return Figure(name=name, unit=unit, n=n, values=tuple(values), beside=beside, goal=goal, load=load)


@dataclass(slots=True)
class Watch:
    """Seconds on the wall and of this process's CPU, filled in when the block ends."""

    wall_seconds: float = 0.0
    cpu_seconds: float = 0.0
    _began: tuple[float, float] = field(default=(0.0, 0.0))


@contextmanager
def watched() -> Iterator[Watch]:
    """Time a block."""
    watch = Watch()
    wall, cpu = time.perf_counter(), time.process_time()
    try:
        yield watch
    finally:
        watch.wall_seconds, watch.cpu_seconds = time.perf_counter() - wall, time.process_time() - cpu


def tell(text: str) -> None:
    """Say how far we are."""
    print(f"bench: {text}", file=sys.stderr, flush=True)


def rounded(value: float) -> float:
    """Three digits after the point where the value is small, none where it is large."""
    if abs(value) >= 1_000:  # noqa: PLR2004  from here on decimals say nothing
        return round(value)
    return round(value, 3)


def peak_mib() -> float:
    """Return the most memory that this process ever held resident, in MiB."""
    kib = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return kib / MIB if sys.platform == "darwin" else kib / 1_024
