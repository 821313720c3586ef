"""Power cuts at any effect and any step of the writer; some nodes stay away for long."""

from simulation.harms import crash_soon, fill_disk
from simulation.world import Scenario, World


def arrange(world: World) -> None:
    """Crash random nodes while people are busy there."""

    def crash() -> None:
        back_after_ms = int(10 ** world.random.uniform(2, 5.8))
        crash_soon(world, world.random.choice(world.nodes), back_after_ms=back_after_ms)

    def fill() -> None:
        fill_disk(world, world.random.choice(world.nodes), for_ms=int(10 ** world.random.uniform(3, 5)))

    def crash_briefly() -> None:
        crash_soon(world, world.random.choice(world.nodes), back_after_ms=world.random.randint(200, 5_000))

    world.at_random(2 * world.hours * len(world.nodes), fill)
    world.at_the_end(len(world.nodes), fill)
    world.at_the_end(2 * len(world.nodes), crash_briefly)
    world.at_random(4 * world.hours * len(world.nodes), crash)


SCENARIO = Scenario(
    name="crashes",
    says="power cuts between any two steps, and full disks; what is not synced may be gone",
    arrange=arrange,
    needs={
        "power cuts": 30,
        "transactions lost with the power": 3,
        "half-open links": 30,
        "steps refused": 10,
        "said: OrderCompleted": 2,
        "equal cuts compared": 50,
    },
)
