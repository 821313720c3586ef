"""A quarter of all nodes lie about what they pass on: false tiles, entries, heads, news, answers, or silence."""

from simulation.harms import make_liar
from simulation.world import Scenario, World


def arrange(world: World) -> None:
    """Make liars of every fourth node; the others are connected without them."""
    liars = world.nodes[::4]
    for node in liars:
        make_liar(world, node)
    honest = world.honest
    for number, node in enumerate(honest):
        other = honest[(number + 1) % len(honest)]
        if other is not node:
            node.links.aim(other.place, other.community.id)


SCENARIO = Scenario(
    name="liars",
    says="every fourth node lies about what it passes on",
    arrange=arrange,
    needs={
        "lies": 100,
        "lies: Tiles": 1,
        "lies: Entries": 1,
        "lies: Heads": 20,
        "lies: News": 5,
        "said: OrderCompleted": 2,
        "equal cuts compared": 50,
    },
)
