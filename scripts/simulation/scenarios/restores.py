"""Nodes lose their disks and come back with old backups, some with an old guard besides: no second history.

Peers state what they hold before the first signature; what was forgotten is fetched back, and writing goes on.
"""

from simulation.harms import Backup, restore_backup
from simulation.node import Node
from simulation.oracle import SETTLED_MS
from simulation.world import Scenario, World

OFF_MS = 5_000  # what was on the way when the power went has arrived by then


def arrange(world: World) -> None:
    """Make a backup at a random moment, and lose the disk at a later one."""
    for _ in range(int(RESTORES_AN_HOUR * world.hours * len(world.nodes))):
        made_ms = world.random.randint(SETTLED_MS, world.harm_ms - SETTLED_MS // 2)
        lost_ms = world.random.randint(made_ms, world.harm_ms - 2 * OFF_MS)
        _plan(world, world.random.choice(world.nodes), made_ms, lost_ms)


def _plan(world: World, node: Node, made_ms: int, lost_ms: int) -> None:
    backups: list[Backup] = []

    def make() -> None:
        has_guard = world.random.random() < 0.5
        backups.append(Backup(node.disk.backup(), node.guard.backup() if has_guard else None))

    def lose() -> None:
        if node.is_up and not node.writer.refusal:
            node.cut_power()
            world.agenda.plan(world.agenda.now_ms + OFF_MS, lambda: restore_backup(world, node, backups[0]))

    world.agenda.plan(made_ms, make)
    world.agenda.plan(lost_ms, lose)


RESTORES_AN_HOUR = 6.0

SCENARIO = Scenario(
    name="restores",
    says="disks are lost and old backups restored, half of them with an old guard",
    arrange=arrange,
    needs={
        "restores": 10,
        "guards restored too": 3,
        "signing stopped: store_restored": 3,
        "said: OrderPlaced": 10,
    },
    hours=1.0,
    bursts_an_hour=8,
)
