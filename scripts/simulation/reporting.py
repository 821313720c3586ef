"""How much of everything stands behind `--report`: the amounts of the figures that the protocol is held to.

for run in report_runs(part=0.01, seed=1, live=lambda scenario, seed: simulate(scenario, seed=seed)): ...
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from simulation.scenarios import SCENARIOS
from simulation.world import Run, Scenario

NODE_HOURS = "node-hours"
_EMPTY_MAX = 10  # runs that failed before anything happened: the report says so, and goes on


@dataclass(frozen=True, slots=True)
class Amount:
    """Seeds of a scenario are run until so much of something has come together."""

    scenario: str
    what: str
    least: int

    def of(self, run: Run) -> float:
        """Return how much of it one run brought."""
        return run.node_hours if self.what == NODE_HOURS else run.counts[self.what]


AMOUNTS = (
    Amount("equivocations", "equivocations proven", 10_000),
    Amount("restores", "restores", 1_000),
    Amount("rotations", "epochs closed", 1_000),
    Amount("quiet", NODE_HOURS, 100_000),
    Amount("calm", NODE_HOURS, 200),
    Amount("lossy", NODE_HOURS, 200),
    Amount("partition", NODE_HOURS, 200),
    Amount("halves", "partitions", 20),
    Amount("crashes", "power cuts", 1_000),
    Amount("liars", "lies", 10_000),
    Amount("line", "power cuts", 500),
)


def report_runs(
    *, part: float, seed: int, live: Callable[[Scenario, int, str], Run], only: str | None = None
) -> Iterator[Run]:
    """Yield the runs that bring a part of every amount together, of one scenario or of all, from a seed on."""
    for amount in AMOUNTS:
        if only in (None, amount.scenario):
            yield from _until(amount, amount.least * part, seed, live)


def _until(
    amount: Amount, least: float, seed: int, live: Callable[[Scenario, int, str], Run]
) -> Iterator[Run]:
    reached, runs, empty = 0.0, 0, 0
    while (reached < least or not runs) and empty < _EMPTY_MAX:
        words = f"{reached:.0f} of {least:.0f} {amount.what}"
        run = live(SCENARIOS[amount.scenario], seed + runs, words)
        runs += 1
        reached += amount.of(run)
        empty += not amount.of(run)
        yield run
