"""`kill -9` at random moments of a backfill between real processes, with a fixed seed."""

import asyncio
from pathlib import Path

from benchmarks.backfill import source_of
from benchmarks.kills import kill_backfills
from benchmarks.measuring import Bench

KILLS = 1


def test_a_backfill_that_is_killed_goes_on_and_loses_nothing_acknowledged(tmp_path: Path) -> None:
    """Own records stand at their index, heads have their entries, what is stored is not fetched again, and it ends."""
    bench = Bench(rounds=1, days=0, records=6_000, scratch=tmp_path, shared=None)
    source = source_of(bench, "source", is_mix=False)
    tally = asyncio.run(kill_backfills(source, tmp_path, kills=KILLS, seed=7, moment_seconds=0.2))
    assert len(tally.bundles_again) == KILLS
    assert tally.whole >= 1
    assert tally.acknowledged
