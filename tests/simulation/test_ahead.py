"""Runs that are lived through ahead, in other processes, are the runs that this process would have lived through."""

from simulation.ahead import Ahead
from simulation.scenarios import SCENARIOS
from simulation.world import simulate


def test_a_run_of_another_process_is_the_same_run() -> None:
    """Seeds are asked for in order, a scenario after the other, and what was not asked for is dropped."""
    with Ahead(jobs=1, nodes=2, hours=0.05, topology=None) as ahead:
        runs = [ahead.live("calm", 1), ahead.live("calm", 2), ahead.live("lossy", 1)]
    here = [
        simulate(SCENARIOS[name], nodes=2, seed=seed, hours=0.05)
        for name, seed in (("calm", 1), ("calm", 2), ("lossy", 1))
    ]
    assert [run.digest for run in runs] == [run.digest for run in here]
