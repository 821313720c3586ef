"""Live through simulated worlds, judge them, and print the seed of each that failed.

scripts/simulate --scenario crashes --nodes 8 --seed 7
scripts/simulate --seeds 20                     every scenario, 20 seeds each
scripts/simulate --report                       figures of a standard set, as JSON
"""

import sys
from argparse import ArgumentParser, Namespace, RawDescriptionHelpFormatter
from collections.abc import Iterator

from simulation.figures import as_json, as_line, report
from simulation.latencies import topology_folder
from simulation.progress import Progress
from simulation.scenarios import SCENARIOS
from simulation.world import Run, simulate


def main() -> int:
    """Run what was asked for, and return the exit code: 1 where something did not hold."""
    asked = _parse()
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
    parser.add_argument("--default-latencies", action="store_true", help="do not use measured latencies")
    asked = parser.parse_args()
    if asked.nodes is not None and asked.nodes < 2:
        parser.error("a network has at least 2 nodes")
    return asked


def _runs(asked: Namespace) -> Iterator[Run]:
    scenarios = [SCENARIOS[asked.scenario]] if asked.scenario else list(SCENARIOS.values())
    topology = None if asked.default_latencies else topology_folder()
    for scenario in scenarios:
        for seed in range(asked.seed, asked.seed + asked.seeds):
            with Progress(f"{scenario.name}, seed {seed}") as progress:
                yield simulate(
                    scenario,
                    nodes=asked.nodes,
                    seed=seed,
                    hours=asked.hours,
                    topology=topology,
                    on_progress=progress.show,
                )


if __name__ == "__main__":
    sys.exit(main())
