"""The scenarios, one short file each: what goes wrong, and how much of it a run needs to count."""

from simulation.scenarios import (
    calm,
    crashes,
    equivocations,
    halves,
    liars,
    line,
    lossy,
    partition,
    quiet,
    restores,
    rotations,
)
from simulation.world import Scenario

SCENARIOS: dict[str, Scenario] = {
    module.SCENARIO.name: module.SCENARIO
    for module in (
        calm,
        lossy,
        partition,
        crashes,
        liars,
        equivocations,
        restores,
        rotations,
        halves,
        line,
        quiet,
    )
}
