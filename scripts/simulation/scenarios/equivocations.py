"""Communities that sign two histories, by every way that was thought of; everybody who can hear of it has the proof.

A second node goes on from a copy of the first one's disk: of the same size, from an old backup, late, behind a
filter that shows each branch to some peers only, or with another clock.
"""

from simulation.harms import hide_from, make_twin
from simulation.node import Node
from simulation.store import StoreImage
from simulation.world import Scenario, World

EQUIVOCATORS = 3  # one node in so many
WAYS = ("same size", "old backup", "late", "filter", "clock")
_COPY_MS, _LATE_MS = 240_000, 600_000


def arrange(world: World) -> None:
    """Let every third community equivocate, each in a way of its own."""
    cheats = world.nodes[::EQUIVOCATORS]
    for number, node in enumerate(cheats):
        way = WAYS[(world.seed + number) % len(WAYS)]
        _plan(world, node, [other for other in world.nodes if other not in cheats], way)


def _plan(world: World, node: Node, others: list[Node], way: str) -> None:
    copies: list[StoreImage] = []
    world.counts[f"equivocations: {way}"] += 1
    copied_ms = int(world.harm_ms * world.random.uniform(0.3, 0.5))
    begun_ms = copied_ms + {"old backup": _COPY_MS, "late": _LATE_MS}.get(way, 0)

    def copy() -> None:
        copies.append(node.disk.backup())

    def begin() -> None:
        neighbours = world.random.sample(others, max(1, len(others) // 2))
        twin = make_twin(world, node, copies[0], neighbours)
        if way == "clock":
            twin.skew_ms = world.random.choice((-1, 1)) * world.random.randint(1_000, 500_000)
        if way == "filter":
            shown = {other.community.id for other in neighbours}
            hide_from(twin, {other.community.id for other in others} - shown)
            hide_from(node, shown)
        for delay_ms in (100, 900, 2_000):
            world.agenda.plan(world.agenda.now_ms + delay_ms, lambda: world.act(node))
            world.agenda.plan(world.agenda.now_ms + delay_ms, lambda: world.act(twin))

    world.agenda.plan(copied_ms, copy)
    world.agenda.plan(begun_ms, begin)


SCENARIO = Scenario(
    name="equivocations",
    says="every third community signs two histories, each in another way",
    arrange=arrange,
    needs={"equivocators": 3, "equivocations proven": 3, "proofs kept": 15, "said: OrderPlaced": 10},
    nodes=9,
    hours=0.5,
    bursts_an_hour=12,
    proof_seconds_max=60,
)
