"""The report lives through seeds until the amounts of its figures have come together."""

from collections import Counter

from simulation.figures import report
from simulation.reporting import AMOUNTS, report_runs
from simulation.scenarios import SCENARIOS
from simulation.world import Run, Scenario


def lived(scenario: Scenario, seed: int, *, restores: int) -> Run:
    return Run(
        scenario=scenario.name,
        nodes=8,
        seed=seed,
        hours=1.0,
        digest="",
        violations=[],
        counts=Counter({"restores": restores}),
        steps=1,
        node_hours=8.0,
        stepped_node_hours=8.0,
        healed_seconds=float(seed),
        bytes_sent=1,
        delivery_ms=(seed, 10 * seed),
        spread_ms=(seed,),
        proof_bytes_max=seed,
    )


def test_every_scenario_has_its_amount() -> None:
    """Nobody adds a scenario that no report knows."""
    assert sorted(amount.scenario for amount in AMOUNTS) == sorted(SCENARIOS)


def test_seeds_are_run_until_the_amount_is_reached_and_not_for_ever() -> None:
    """A hundredth of a thousand restores, four a run: three seeds. Where nothing comes of any, it gives up."""
    runs = list(report_runs(part=0.01, seed=5, live=lambda s, n, _: lived(s, n, restores=4), only="restores"))
    assert [run.seed for run in runs] == [5, 6, 7]
    assert (
        len(list(report_runs(part=1, seed=1, live=lambda s, n, _: lived(s, n, restores=0), only="restores")))
        < 20
    )


def test_the_figures_of_the_issue_are_in_it() -> None:
    """Waits by rank, the largest proof, the longest healing, over all runs of a scenario."""
    figures = report([lived(SCENARIOS["calm"], seed, restores=0) for seed in (1, 2, 3)])["scenarios"]["calm"]
    assert figures["delivery_ms"] == {"50th": 10, "99th": 30, "longest": 30}
    assert figures["spread_ms"] == {"50th": 2, "99th": 3, "longest": 3}
    assert (figures["proof_bytes_max"], figures["healed_seconds_longest"]) == (3, 3.0)
