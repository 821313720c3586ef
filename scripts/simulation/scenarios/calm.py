"""Nothing goes wrong: what a run looks like when people simply trade."""

from simulation.world import Scenario, World


def arrange(_world: World) -> None:
    """Leave everything as it is."""


SCENARIO = Scenario(
    name="calm",
    says="people trade, nothing goes wrong",
    arrange=arrange,
    delivery_ms_max=4_000,
    needs={
        "said: OrderPlaced": 10,
        "said: OrderCompleted": 3,
        "said: PostingMade": 5,
        "equal cuts compared": 50,
        "mirrored postings checked": 10,
    },
)
