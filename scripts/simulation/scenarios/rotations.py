"""Communities change their log keys again and again, by plan or after the loss of a machine, while messages are lost.

Whoever missed a note hears of it later; in the end everybody names the same keys for every epoch of everybody.
"""

from simulation.harms import crash_soon, cut_off, restart_who_waits
from simulation.network import Conditions
from simulation.node import Node
from simulation.oracle import SETTLED_MS
from simulation.recovering import lose_machine
from simulation.rotating import By, rotate
from simulation.world import Scenario, World

ROTATIONS_AN_HOUR = 10.0  # of each community
LOSSES_AN_HOUR = 2.0
WAITED_FOR_MS = 180_000


def arrange(world: World) -> None:
    """Lose messages all the time, cut groups off and the power, and let keys change through all of it."""
    world.network.conditions = Conditions(loss=0.02, doubles=0.02, disorder=0.1)
    restart_who_waits(world, every_ms=WAITED_FOR_MS)

    def some() -> Node:
        return world.random.choice(world.nodes)

    def change() -> None:
        by: By = world.random.choice(("next_key", "quorum"))
        rotate(world, some(), by=by)

    def crash() -> None:
        crash_soon(world, some(), back_after_ms=world.random.randint(200, 60_000))

    def cut() -> None:
        group = world.random.sample(world.nodes, max(1, len(world.nodes) // 3))
        is_one_way = world.random.random() < 0.3
        cut_off(world, group, is_one_way=is_one_way, for_ms=world.random.randint(5_000, 200_000))

    for harm, an_hour in ((change, ROTATIONS_AN_HOUR), (lambda: lose_machine(world, some()), LOSSES_AN_HOUR)):
        for _ in range(int(an_hour * world.hours * len(world.nodes))):
            world.agenda.plan(world.random.randint(SETTLED_MS, world.harm_ms), harm)
    world.at_random(4 * world.hours * len(world.nodes), crash)
    world.at_random(8 * world.hours, cut)
    world.at_the_end(len(world.nodes), change)
    world.at_the_end(2, crash)


SCENARIO = Scenario(
    name="rotations",
    says="log keys are rotated and lost machines recovered while messages are lost and groups cut off",
    arrange=arrange,
    needs={
        "rotations": 20,
        "recoveries": 2,
        "messages lost": 100,
        "power cuts": 5,
        "said: OrderPlaced": 10,
        "equal cuts compared": 50,
    },
    hours=0.5,
    bursts_an_hour=12,
)
