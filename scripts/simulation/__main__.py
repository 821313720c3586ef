"""Live through simulated worlds, judge them, and print the seed of each that failed.

scripts/simulate --scenario crashes --nodes 8 --seed 7
scripts/simulate --seeds 20                     every scenario, 20 seeds each
scripts/simulate --report --part 0.01           the figures, from a hundredth of what they ask for, as JSON
scripts/simulate --planted                      whether planted mistakes are found
scripts/simulate --crowd                        how news reaches a thousand nodes, as JSON
"""

import os
import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator

from simulation.ahead import Ahead
from simulation.crowd_figures import NODES, measure_crowd, missed_goals
from simulation.figures import as_json, as_line, report
from simulation.hunting import Hunt, hunts
from simulation.latencies import topology_folder
from simulation.progress import Progress
from simulation.reporting import report_runs
from simulation.scenarios import SCENARIOS
from simulation.world import Run, Scenario, simulate

HUNT_SEEDS = 3


def main() -> int:
    """Run what was asked for, and return the exit code: 1 where something did not hold."""
    asked = _parse()
    if asked.planted:
        return _hunt(asked)
    if asked.crowd:
        return _measure(asked)
    runs: list[Run] = []
    for run in _runs(asked):
        runs.append(run)
        if not asked.report:
            print(as_line(run, is_long=asked.counts), flush=True)
    if asked.report:
        print(as_json(report(runs)))
    failed = [run for run in runs if run.violations]
    for run in failed:
        print(f"failed: {run.command}", file=sys.stderr)
    return 1 if failed else 0


def _hunt(asked: Namespace) -> int:
    """Plant every mistake in turn; fails where more than two in thirty are missed."""
    found: list[Hunt] = []
    for hunted in hunts(seeds=max(asked.seeds, HUNT_SEEDS)):
        found.append(hunted)
        print(hunted.as_line(), file=sys.stderr if asked.report else sys.stdout, flush=True)
    missed = sum(hunted.run is None for hunted in found)
    if asked.report:
        figures = [hunted.as_figures() for hunted in found]
        print(as_json({"planted": len(found), "found": len(found) - missed, "mistakes": figures}))
    else:
        print(f"{len(found) - missed} of {len(found)} planted mistakes found")
    return 1 if missed * 15 > len(found) else 0


def _parse() -> Namespace:
    parser = ArgumentParser(
        prog="scripts/simulate", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    names = "; ".join(f"{scenario.name}: {scenario.says}" for scenario in SCENARIOS.values())
    parser.add_argument("--scenario", choices=SCENARIOS, metavar="NAME", help=f"one of these (all): {names}")
    parser.add_argument("--nodes", type=int, help="how many nodes (the scenario's own number)")
    parser.add_argument("--seed", type=int, default=1, help="where all chance comes from (1)")
    parser.add_argument("--seeds", type=int, default=1, help="how many seeds, from --seed on (1)")
    parser.add_argument("--hours", type=float, help="virtual hours of harm (the scenario's own number)")
    parser.add_argument("--counts", action="store_true", help="say how often everything happened")
    parser.add_argument("--report", action="store_true", help="print figures as JSON")
    parser.add_argument(
        "--part", type=float, default=1.0, help="of the amounts of a report, which part is lived through (1)"
    )
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="processes of a report (cores)")
    parser.add_argument("--planted", action="store_true", help="plant mistakes and say which are found")
    parser.add_argument(
        "--crowd", action="store_true", help="measure how news reaches many cheap nodes, as JSON"
    )
    parser.add_argument("--default-latencies", action="store_true", help="do not use measured latencies")
    asked = parser.parse_args()
    if asked.nodes is not None and asked.nodes < 2:
        parser.error("a network has at least 2 nodes")
    return asked


def _measure(asked: Namespace) -> int:
    with Progress("a crowd") as progress:
        figures = measure_crowd(asked.nodes or NODES, asked.seed, on_progress=progress.show)
    missed = missed_goals(figures)
    print(as_json({**figures, "missed_goals": missed}))
    return 1 if missed else 0


def _runs(asked: Namespace) -> Iterator[Run]:
    topology = None if asked.default_latencies else topology_folder()

    def live(scenario: Scenario, seed: int) -> Run:
        with Progress(f"{scenario.name}, seed {seed}") as progress:
            return simulate(
                scenario,
                nodes=asked.nodes,
                seed=seed,
                hours=asked.hours,
                topology=topology,
                on_progress=progress.show,
            )

    if asked.report:
        with Ahead(jobs=asked.jobs, nodes=asked.nodes, hours=asked.hours, topology=topology) as ahead:

            def next_run(scenario: Scenario, seed: int, words: str) -> Run:
                with Progress(f"{scenario.name}, seed {seed} {words}"):
                    return ahead.live(scenario.name, seed)

            yield from report_runs(part=asked.part, seed=asked.seed, live=next_run, only=asked.scenario)
        return
    for scenario in [SCENARIOS[asked.scenario]] if asked.scenario else SCENARIOS.values():
        for seed in range(asked.seed, asked.seed + asked.seeds):
            yield live(scenario, seed)


if __name__ == "__main__":
    sys.exit(main())
