"""Everybody has one neighbour to hear from and one to tell: what one of them misses, nobody else makes up for.

Messages are lost, the power fails, the line breaks for seconds; in other worlds a second peer hides such a loss.
"""

from simulation.harms import crash_soon, cut_off
from simulation.network import Conditions
from simulation.world import Scenario, World


def arrange(world: World) -> None:
    """Break the line here and there, now and again and while the last words are said."""
    world.network.conditions = Conditions(loss=0.01, doubles=0.01, disorder=0.1)

    def crash() -> None:
        crash_soon(world, world.random.choice(world.nodes), back_after_ms=world.random.randint(200, 60_000))

    def cut() -> None:
        place = world.random.randrange(1, len(world.nodes))
        is_one_way = world.random.random() < 0.5
        cut_off(
            world, world.nodes[:place], is_one_way=is_one_way, for_ms=world.random.randint(5_000, 200_000)
        )

    world.at_random(4 * world.hours * len(world.nodes), crash)
    world.at_random(12 * world.hours, cut)
    world.at_the_end(4, crash)
    world.at_the_end(2, cut)


SCENARIO = Scenario(
    name="line",
    says="nodes in a line, each with one neighbour on either side; breaks, losses and power cuts",
    arrange=arrange,
    needs={
        "power cuts": 10,
        "messages lost": 50,
        "said: OrderPlaced": 10,
        "equal cuts compared": 50,
    },
    hours=1.0,
    bursts_an_hour=12,
    is_line=True,
    heal_seconds_max=1_200,
)
