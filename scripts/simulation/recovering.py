"""A community that has lost its machine, and comes back with its words and its neighbours (`node/recovery` in small).

What peers show of its lanes is asked for again and again; when all of it is here, twice in a row, the epoch of the
lost machine is closed over that, and the new machine starts as every other.

    lose_machine(world, node)
"""

from dataclasses import dataclass, field

from msgspec.structs import replace

from node.recovery.shown import sealed_sizes, shown_sizes
from protocol.exchange.frames import Answer, Heads, HeadsSince, StatedHead
from protocol.exchange.frames.fields import NO_INSTANCE
from protocol.identity.successor import SealedLane
from protocol.log.origin import Origin
from simulation.epochs import known_chain, learn_alone
from simulation.node import Node
from simulation.world import World

_OFF_MS = 5_000  # what was on the way when the machine was lost has arrived by then
_LOOK_MS = 2_000
_PEERS_MIN = 2


def lose_machine(world: World, node: Node) -> None:
    """Lose a node with all its disks, put a new machine in its place, and recover."""
    if not node.is_up or node.is_recovering or node.writer.refusal:
        return
    others = [other for other in world.honest if other is not node]
    sealed = sealed_sizes(known_chain(node, node.community.id))
    if any(max(_adopted(other, origin) for other in others) < size for origin, size in sealed.items()):
        world.counts["losses put off: what was sealed is nowhere else"] += 1
        return  # an epoch that ended seconds ago, and that nobody has heard of: no words bring it back
    node.cut_power()

    def come_back() -> None:
        if node.is_up:
            node.cut_power()  # somebody else has given it power meanwhile
        node.lose_disks()
        world.oracle.recovering.add(node.place)
        world.oracle.restored(node, [other for other in world.nodes if other is not node])
        for other in world.nodes:
            if other not in (node, *node.targets):
                node.targets.append(other)  # people name all neighbours that they can think of
        node.start()
        _look_later(world, node, was_here=False)

    world.agenda.plan(world.agenda.now_ms + _OFF_MS, come_back)


@dataclass(slots=True)
class _Look:
    """One look at what the peers show: who has still to answer, and what the others showed."""

    asked: set[bytes]
    stated: dict[bytes, tuple[StatedHead, ...]] = field(default_factory=dict)


def _look_later(world: World, node: Node, *, was_here: bool) -> None:
    world.agenda.after(_LOOK_MS, lambda: _look(world, node, was_here=was_here))


def _look(world: World, node: Node, *, was_here: bool) -> None:
    """Ask every peer for all heads that it shows; who answers nothing is asked again in the next look."""
    peers = frozenset(node.exchange.replication.open_peers) if node.is_up else frozenset()
    wanted = len([other for other in world.honest if other.is_up]) - 1
    if len(peers) < max(wanted, min(_PEERS_MIN, world.nodes_count - 1)):
        _look_later(world, node, was_here=False)
        return
    look, life = _Look(set(peers)), node.life

    def told(peer: bytes, question: HeadsSince, answer: Answer | None) -> None:
        if not isinstance(answer, Heads):
            look.asked.clear()
            return
        look.stated[peer] = (*look.stated.get(peer, ()), *answer.heads)
        if answer.has_more and (answer.instance != question.instance or answer.through > question.after):
            ask(peer, replace(question, instance=answer.instance, after=answer.through))
        else:
            look.asked.discard(peer)

    def ask(peer: bytes, question: HeadsSince) -> None:
        node.ask(peer, question, lambda answer: told(peer, question, answer))

    def end() -> None:
        is_here = (
            node.life == life and look.stated.keys() == peers and not look.asked and _is_here(node, look)
        )
        if is_here and was_here:
            _close_lost_epoch(world, node)
        else:
            _look_later(world, node, was_here=is_here)

    def ask_all() -> None:
        for peer in sorted(peers):
            ask(peer, HeadsSince(0, NO_INSTANCE, 0))

    node.run(ask_all)
    world.agenda.after(_LOOK_MS, end)


def _is_here(node: Node, look: _Look) -> bool:
    chain = known_chain(node, node.community.id)
    wanted = sealed_sizes(chain)
    for stated in look.stated.values():
        for origin, size in shown_sizes(stated, chain).items():
            wanted[origin] = max(size, wanted.get(origin, 0))
    return bool(wanted) and all(_adopted(node, origin) >= size for origin, size in wanted.items())


def _adopted(node: Node, origin: Origin) -> int:
    head = node.disk.image.lane(origin).head
    return head.size if head else 0


def _close_lost_epoch(world: World, node: Node) -> None:
    """Make the note over what came back: from then on the key of the lost machine signs nothing that counts."""
    community, chain = node.community, known_chain(node, node.community.id)
    if chain.contested:
        return
    lanes = {
        origin.lane: SealedLane(lane.head.size, lane.head.root)
        for origin, lane in node.disk.image.lanes.items()
        if (origin.community, origin.epoch) == (community.id, chain.epoch) and lane.head
    }
    note = community.make_note(chain.newest, lanes, time_ms=node.clock_ms, by="quorum")
    key = community.log_key(chain.epoch + 1)
    node.cut_power()
    node.log_keys[key.public], node.is_recovering = key, False
    learn_alone(node, note)
    world.oracle.sealed(node, note)
    world.oracle.recovering.discard(node.place)
    world.counts["recoveries"] += 1
    node.start()
