"""SIGKILL at the most delicate step of a restored folder's healing and of a recovery, between real processes.

`scripts/bench kill-steps` goes through all steps, one after the other in one folder.
"""

import asyncio
from pathlib import Path

from benchmarks.measuring import Bench
from benchmarks.steps import HEALING_STEPS, RECOVERY_STEPS, heal_through_kills, recover_through_kills

MARKS_WITHOUT_GUARD = "node.writer.own_lanes:OwnLanes.settle_marks"
KEY_WITHOUT_NOTE = "node.recovery.recovering:learn_successor"


def test_a_restored_folder_heals_though_killed_between_store_and_guard(tmp_path: Path) -> None:
    """Nothing acknowledged is lost, nobody sees a second history, and the next start goes on by itself."""
    assert MARKS_WITHOUT_GUARD in HEALING_STEPS
    assert asyncio.run(heal_through_kills(tmp_path, [MARKS_WITHOUT_GUARD])) == 1


def test_a_recovery_goes_on_though_killed_between_key_and_note(tmp_path: Path) -> None:
    """The lanes are byte for byte those of the peers, one note closes the lost epoch, and the shop sells again."""
    assert KEY_WITHOUT_NOTE in RECOVERY_STEPS
    bench = Bench(rounds=1, days=0, records=100, scratch=tmp_path, shared=None)
    assert recover_through_kills(bench, [KEY_WITHOUT_NOTE]) == 1
