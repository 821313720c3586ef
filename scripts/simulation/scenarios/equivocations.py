"""Communities that sign two histories, by every way that was thought of; everybody who can hear of it has the proof.

A second node goes on from a copy of the first one's disk: of the same size, from an old backup, late, behind a
filter that shows each branch to some peers only, with another clock, or with a log key that has been replaced since.
"""

from simulation.harms import hide_from, make_twin
from simulation.node import Node
from simulation.people import speak_everywhere
from simulation.rotating import rotate
from simulation.store import StoreImage
from simulation.world import Scenario, World

EQUIVOCATORS = 3  # one node in so many
WAYS = ("same size", "old backup", "late", "filter", "clock", "retired key")
OPENED_MS = 40_000
COPIED_MS = (60_000, 90_000)
SKEW_MS = (-15_000, 500_000)  # further back its own records would be in its future, and it would say nothing
_LATER_MS = {"old backup": 40_000, "late": 120_000, "retired key": 40_000}


def arrange(world: World) -> None:
    """Let every third community equivocate in all its lanes, each in a way of its own."""
    cheats = world.nodes[::EQUIVOCATORS]
    others = [other for other in world.nodes if other not in cheats]
    for number, node in enumerate(cheats):
        way = WAYS[(world.seed + number) % len(WAYS)]
        _plan(world, node, others, way)


def _plan(world: World, node: Node, others: list[Node], way: str) -> None:
    copies: list[StoreImage] = []
    world.counts[f"equivocations: {way}"] += 1
    copied_ms = world.random.randint(*COPIED_MS)
    begun_ms = copied_ms + _LATER_MS.get(way, 0)

    def speak(speaker: Node) -> None:
        speaker.run(lambda: speak_everywhere(speaker, world.random))

    def begin() -> None:
        neighbours = world.random.sample(others, max(1, len(others) // 2))
        twin = make_twin(world, node, copies[0], neighbours)
        world.oracle.ways[node.community.id] = way
        if way == "clock":
            twin.skew_ms = world.random.randint(*SKEW_MS)
        if way == "filter":
            shown = {other.community.id for other in neighbours}
            hide_from(twin, {other.community.id for other in others} - shown)
            hide_from(node, shown)
        for delay_ms in (100, 2_000):
            world.agenda.plan(world.agenda.now_ms + delay_ms, lambda: speak(node))
            world.agenda.plan(world.agenda.now_ms + delay_ms, lambda: speak(twin))

    world.agenda.plan(OPENED_MS, lambda: speak(node))
    world.agenda.plan(copied_ms, lambda: copies.append(node.disk.backup()))
    if way == "retired key":
        for part in (1, 2):
            world.agenda.plan(copied_ms + part * 8_000, lambda: speak(node))
        world.agenda.plan(copied_ms + 25_000, lambda: rotate(world, node, by="quorum"))
    world.agenda.plan(begun_ms, begin)


SCENARIO = Scenario(
    name="equivocations",
    says="every third community signs two histories of each of its lanes, each in another way",
    arrange=arrange,
    needs={"equivocators": 3, "equivocations proven": 20, "proofs kept": 100, "said: OrderPlaced": 10},
    nodes=9,
    hours=0.07,
    bursts_an_hour=0,
    bulk=0.0,
    proof_seconds_max=60,
)
