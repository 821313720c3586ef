"""Seeds are lived through ahead of time, in as many processes as there are cores: a run depends on its seed alone.

with Ahead(jobs=2, nodes=None, hours=None, topology=None) as ahead:
    run = ahead.live("crashes", 7)       # meanwhile 8 is lived through
"""

from concurrent.futures import Future, ProcessPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Self

from simulation.scenarios import SCENARIOS
from simulation.world import Run, simulate


class Ahead:
    """Runs that were asked for, and those that will be asked for next."""

    def __init__(self, *, jobs: int, nodes: int | None, hours: float | None, topology: Path | None) -> None:
        """Take how many processes, and what `simulate` takes."""
        self._jobs = jobs
        self._how = (nodes, hours, topology)
        self._pool = ProcessPoolExecutor(jobs)
        self._runs: dict[tuple[str, int], Future[Run]] = {}

    def __enter__(self) -> Self:
        """Begin."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Drop what nobody has asked for."""
        self._pool.shutdown(cancel_futures=True)

    def live(self, scenario: str, seed: int) -> Run:
        """Return the run of a seed, and let the next seeds of the scenario begin."""
        for known in [known for known in self._runs if known[0] != scenario]:
            self._runs.pop(known).cancel()
        for next_seed in range(seed, seed + self._jobs + 1):
            if (scenario, next_seed) not in self._runs:
                self._runs[scenario, next_seed] = self._pool.submit(_live, scenario, next_seed, *self._how)
        return self._runs.pop((scenario, seed)).result()


def _live(scenario: str, seed: int, nodes: int | None, hours: float | None, topology: Path | None) -> Run:
    return simulate(SCENARIOS[scenario], nodes=nodes, seed=seed, hours=hours, topology=topology)
