"""The network falls into two halves for ten minutes, and is whole again: all heads are equal half a minute later."""

from simulation.harms import cut_off
from simulation.world import Scenario, World

APART_MS = 600_000


def arrange(world: World) -> None:
    """Cut one half off, up to the healing."""

    def cut() -> None:
        half = world.random.sample(world.nodes, len(world.nodes) // 2)
        cut_off(world, half, is_one_way=False, for_ms=2 * APART_MS)

    world.agenda.plan(world.harm_ms - APART_MS, cut)


SCENARIO = Scenario(
    name="halves",
    says="two halves for ten minutes; whole again, they agree within 30 seconds",
    arrange=arrange,
    needs={
        "partitions": 1,
        "messages cut off": 50,
        "said: OrderPlaced": 10,
        "equal cuts compared": 50,
    },
    hours=0.5,
    heal_seconds_max=30,
    bursts_an_hour=12,
)
