"""What can be done to a world: power cuts, partitions, liars. Each is one call that plans or does one harm.

crash_soon(world, node, back_after_ms=5_000)
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from random import Random

from msgspec.structs import replace

from protocol.exchange.frames import Entries, Frame, Heads, News, Refused, StatedHead, Tiles
from protocol.exchange.resuming import WAITING
from simulation.node import Lie, Node
from simulation.store import GuardImage, StoreImage
from simulation.world import World


@dataclass(frozen=True, slots=True)
class Backup:
    """Copies of a node's disks; without `guard` that one is left as it is."""

    store: StoreImage
    guard: GuardImage | None


FUSE_STEPS_MAX = 24


def crash_soon(world: World, node: Node, *, back_after_ms: int) -> None:
    """Let somebody do something there, the power go within the steps that this takes, and come back later."""
    if not node.is_up:
        return
    node.fuse = world.random.randint(1, FUSE_STEPS_MAX)
    world.act(node)
    world.agenda.plan(world.agenda.now_ms + back_after_ms, lambda: power_back(world, node))


def power_back(world: World, node: Node) -> None:
    """Cut the power now if nothing happened since, and start a new life."""
    node.cut_power()
    world.oracle.touched(node)
    node.start()


def restart_who_waits(world: World, *, every_ms: int) -> None:
    """Let somebody look now and again, and restart a node that still waits for its neighbours.

    What each side holds of the other's lanes is stated once a session; a simulated session may lose just that.
    """

    def look() -> None:
        for node in world.honest:
            if node.is_up and node.writer.refusal == WAITING:
                world.counts["restarts of nodes that wait"] += 1
                power_back(world, node)
        world.agenda.after(every_ms, look)

    world.agenda.after(every_ms, look)


def cut_off(world: World, group: Collection[Node], *, is_one_way: bool, for_ms: int) -> None:
    """Let nothing pass from a group to the others, or in neither direction, for a while."""
    inside = {node.place for node in group}
    outside = {node.place for node in world.nodes} - inside
    ways = {(one, other) for one in inside for other in outside}
    if not is_one_way:
        ways |= {(other, one) for one, other in ways}
    world.network.cut |= ways
    world.agenda.note("cut", len(ways))
    world.agenda.note_material()
    world.counts["one-way partitions" if is_one_way else "partitions"] += 1

    def mend() -> None:
        world.network.cut -= ways
        world.agenda.note_material()

    world.agenda.plan(world.agenda.now_ms + for_ms, mend)


def fill_disk(world: World, node: Node, *, for_ms: int) -> None:
    """Let a node's disk take nothing for a while."""
    node.is_disk_full = True
    world.counts["full disks"] += 1

    def make_room() -> None:
        node.is_disk_full = False

    world.agenda.plan(world.agenda.now_ms + for_ms, make_room)


def make_liar(world: World, node: Node) -> None:
    """Let a node lie about everything that it passes on, now and then, for ever."""
    node.is_honest = False
    world.oracle.liars.add(node.community.id)
    node.lie = _liar(world, node.random)


def make_twin(world: World, node: Node, backup: StoreImage, neighbours: Sequence[Node]) -> Node:
    """Give a community a second node that goes on from a copy of its disk: whoever runs both signs two histories."""
    for one in (node, twin := world.add_node(node.community)):
        one.is_honest, one.deaf_to = False, node.community.id
    node.writer.refusal = ""  # from here on it asks nobody
    world.oracle.dishonest.add(node.community.id)
    twin.follows, twin.visibility, twin.targets = node.follows, node.visibility, list(neighbours)
    twin.log_keys = dict(node.log_keys)
    twin.disk.restore(backup)
    twin.disk.image.instance = twin.random.randbytes(len(backup.instance))
    twin.start()
    world.counts["equivocators"] += 1
    return twin


def restore_backup(world: World, node: Node, backup: Backup) -> None:
    """Put an old disk into a node that has been off for a while, and start it."""
    node.restore(backup.store)
    if backup.guard is not None:
        node.guard.restore(backup.guard)
        world.counts["guards restored too"] += 1
    world.oracle.recovering.add(node.place)
    world.oracle.restored(node, [other for other in world.nodes if other is not node])
    node.start()


def hide_from(node: Node, others: Collection[bytes]) -> None:
    """Let a node show none of its own heads to some communities."""
    own = node.community.id

    def lie(peer: bytes, frame: Frame) -> Sequence[Frame]:
        if peer not in others:
            return (frame,)
        if isinstance(frame, News):
            return ()
        if isinstance(frame, Heads):
            return (replace(frame, heads=tuple(head for head in frame.heads if head.community != own)),)
        return (frame,)

    node.lie = lie


def _liar(world: World, random: Random) -> Lie:
    def lie(_peer: bytes, frame: Frame) -> Sequence[Frame]:
        if random.random() < 0.4:
            return (frame,)
        told = _false(frame, random)
        if told != (frame,):
            world.counts[f"lies: {type(frame).__name__}"] += 1
            world.counts["lies"] += 1
        return told

    return lie


def _false(frame: Frame, random: Random) -> tuple[Frame, ...]:
    """Something else in the place of a frame: other bytes, another answer, or nothing."""
    if not isinstance(frame, Tiles | Entries | Heads | News):
        return (frame,)
    if random.random() < 0.15:
        return ()
    if isinstance(frame, Tiles):
        if random.random() < 0.1:
            return (replace(frame, tiles=frame.tiles[:-1] or (b"\0" * 32,)),)
        return (replace(frame, tiles=tuple(_flipped(tile, random) for tile in frame.tiles)),)
    if isinstance(frame, Entries):
        if random.random() < 0.1:
            return (Refused(frame.number, "lane_not_served", "market/food"),)
        return (replace(frame, packed=_flipped(frame.packed, random)),)
    if isinstance(frame, News):
        return (replace(frame, packed=_flipped(frame.packed, random)),)
    return (replace(frame, heads=tuple(_other_head(head, random) for head in frame.heads)),)


def _other_head(head: StatedHead, random: Random) -> StatedHead:
    """A head that says something that nobody signed."""
    match random.randrange(4):
        case 0:
            return replace(head, root=_flipped(head.root, random))
        case 1:
            return replace(head, signature=_flipped(head.signature, random))
        case 2:
            return replace(head, lane=random.randrange(256))
        case _:
            return replace(head, size=head.size + random.randrange(1, 1000))


def _flipped(raw: bytes, random: Random) -> bytes:
    place = random.randrange(len(raw))
    return raw[:place] + bytes([raw[place] ^ (1 << random.randrange(8))]) + raw[place + 1 :]
