"""A long time in which little happens: weeks between market days, now and then a power cut or a short partition.

Idle rounds are skipped, so that what is seldom (timers, places, sessions that stand for weeks) is met as well.
"""

from simulation.harms import crash_soon, cut_off
from simulation.world import Scenario, World


def arrange(world: World) -> None:
    """A few short harms in all that time."""

    def crash() -> None:
        crash_soon(world, world.random.choice(world.nodes), back_after_ms=world.random.randint(1_000, 60_000))

    def cut() -> None:
        group = world.random.sample(world.nodes, max(1, len(world.nodes) // 3))
        cut_off(world, group, is_one_way=world.random.random() < 0.5, for_ms=600_000)

    world.at_random(6, crash)
    world.at_random(3, cut)


SCENARIO = Scenario(
    name="quiet",
    says="weeks between market days, a power cut now and then",
    arrange=arrange,
    needs={"power cuts": 3, "said: OrderPlaced": 10, "equal cuts compared": 300},
    nodes=10,
    hours=2_020.0,
    bursts_an_hour=0.005,
    bulk=0.0,
)
