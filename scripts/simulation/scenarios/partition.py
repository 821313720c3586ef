"""The network falls apart, in one direction or in both, for seconds or for an hour."""

from simulation.harms import cut_off
from simulation.world import Scenario, World


def arrange(world: World) -> None:
    """Cut random groups off at random moments, and shortly while the last words are said."""

    def cut(for_ms: int) -> None:
        count = world.random.randint(1, max(1, len(world.nodes) // 2))
        is_one_way = world.random.random() < 0.5
        group = world.random.sample(world.nodes, count)
        cut_off(world, group, is_one_way=is_one_way, for_ms=for_ms)

    world.at_random(6 * world.hours, lambda: cut(int(10 ** world.random.uniform(3.5, 6.3))))
    world.at_the_end(6, lambda: cut(world.random.randint(1_000, 8_000)))


SCENARIO = Scenario(
    name="partition",
    says="groups are cut off, one way or both ways, for seconds to half an hour",
    arrange=arrange,
    needs={
        "partitions": 2,
        "one-way partitions": 2,
        "messages cut off": 50,
        "said: OrderCompleted": 2,
        "equal cuts compared": 50,
    },
)
