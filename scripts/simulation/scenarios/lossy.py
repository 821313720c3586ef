"""A bad network: messages are lost, doubled and overtaken all the time."""

from simulation.network import Conditions
from simulation.world import Scenario, World


def arrange(world: World) -> None:
    """Set the conditions once."""
    world.network.conditions = Conditions(loss=0.03, doubles=0.03, disorder=0.15)


SCENARIO = Scenario(
    name="lossy",
    says="messages are lost, doubled and overtaken",
    arrange=arrange,
    needs={
        "messages lost": 100,
        "messages doubled": 100,
        "messages overtaken": 500,
        "said: OrderCompleted": 2,
        "equal cuts compared": 50,
    },
)
