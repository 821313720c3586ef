"""Measure and print: one line a figure on standard output, how far we are on standard error.

scripts/bench                          every figure, 3 rounds each
scripts/bench fold appends --json      some, as JSON lines
scripts/bench year --days 365          the modelled year in full
"""

import os
import sys
import tempfile
from argparse import ArgumentParser, RawDescriptionHelpFormatter
from collections.abc import Callable, Iterator
from pathlib import Path

from benchmarks import appends, audit, backfill, core, idle, kills, pages, recover, resync, steps, year
from benchmarks.measuring import Bench, Figure

ROOT = Path(__file__).resolve().parents[2]
FIGURES: dict[str, Callable[[Bench], Iterator[Figure]]] = {
    "backfill": backfill.figures,
    "backfill-kills": kills.figures,
    "kill-steps": steps.figures,
    "recover": recover.figures,
    "appends": appends.figures,
    "heads": resync.figures,
    "idle": idle.figures,
    "pages": pages.figures,
    "year": year.figures,
    "audit": audit.figures,
    "core": core.figures,
}


def main() -> int:
    """Run the figures that were asked for, and return the exit code."""
    parser = ArgumentParser(
        prog="scripts/bench", description=__doc__, formatter_class=RawDescriptionHelpFormatter
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"any of: {', '.join(FIGURES)}")
    parser.add_argument("--rounds", type=int, default=3, help="how often each is measured (3)")
    parser.add_argument("--records", type=int, default=100_000, help="how many records (100000)")
    parser.add_argument("--days", type=int, default=30, help="how much of the modelled year is lived (30)")
    parser.add_argument("--json", action="store_true", help="JSON lines; without a terminal always")
    asked = parser.parse_args()
    for name in asked.names:
        if name not in FIGURES:
            parser.error(f"no figure {name}; there are: {', '.join(FIGURES)}")
    is_json = asked.json or not sys.stdout.isatty()
    with tempfile.TemporaryDirectory(prefix="wildgrass-bench-") as scratch:
        for name in asked.names or FIGURES:
            folder = Path(scratch) / name
            folder.mkdir()
            bench = Bench(
                rounds=asked.rounds,
                days=asked.days,
                records=asked.records,
                scratch=folder,
                shared=_shared(),
            )
            for figure in FIGURES[name](bench):
                print(figure.as_json() if is_json else figure.as_text(), flush=True)
    return 0


def _shared() -> Path | None:
    """Where the peers to compare with lie: WILDGRASS_SHARED, else the folder beside the project's."""
    folder = Path(os.environ.get("WILDGRASS_SHARED") or ROOT.parent / "shared")
    return folder if folder.is_dir() else None


if __name__ == "__main__":
    sys.exit(main())
