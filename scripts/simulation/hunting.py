"""Whether the simulator finds what is planted: each mistake alone, in the scenarios that should meet it.

for hunt in hunts(seeds=3): print(hunt.as_line())
"""

from collections.abc import Iterator
from dataclasses import dataclass

from simulation.planted import MISTAKES
from simulation.planting import Mistake, planted
from simulation.scenarios import SCENARIOS
from simulation.world import Run, simulate

SMALL_NODES = 2  # there nobody else makes up for what one misses, and a run takes a tenth of a second
SMALL_HOURS = 0.3
SMALL_SEEDS = 24
NODES = 10
HOURS = 0.5


@dataclass(frozen=True, slots=True)
class Hunt:
    """One planted mistake, and the run that found it."""

    mistake: Mistake
    run: Run | None
    runs: int

    def as_line(self) -> str:
        """Return how it went in one line."""
        if self.run is None:
            return f"missed in {self.runs} runs: {self.mistake.says}"
        return f"found in run {self.runs} ({self.run.scenario}, seed {self.run.seed}): {self.mistake.says}"

    def as_figures(self) -> dict[str, object]:
        """Return how it went for the report."""
        return {
            "mistake": self.mistake.says,
            "where": self.mistake.where,
            "found": self.run is not None,
            "runs": self.runs,
            "command": self.run.command if self.run else None,
            "shows_as": self.run.violations[0] if self.run else None,
        }


def hunts(*, seeds: int) -> Iterator[Hunt]:
    """Hunt every mistake with so many seeds a scenario."""
    for mistake in MISTAKES:
        yield hunt(mistake, seeds=seeds)


def hunt(mistake: Mistake, *, seeds: int) -> Hunt:
    """Plant a mistake and run its scenarios until one of them fails."""
    runs = 0
    with planted(mistake):
        for name in mistake.scenarios:
            for nodes, hours, seed in (
                *((SMALL_NODES, SMALL_HOURS, seed) for seed in range(1, SMALL_SEEDS + 1)),
                *((NODES, HOURS, seed) for seed in range(1, seeds + 1)),
            ):
                run = simulate(SCENARIOS[name], nodes=nodes, seed=seed, hours=hours)
                runs += 1
                if run.has_broken:
                    return Hunt(mistake, run, runs)
    return Hunt(mistake, None, runs)
