"""Whether all honest nodes agree: on the epochs of every community, on every lane that counts, and on its fold.

why = disagreement(nodes, oracle)                # empty where they do
fold_anew(node)                                  # the digest of the same lanes, folded at once
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING

from protocol.fold import Fold
from protocol.identity.succession import EpochChain
from protocol.lanes.kind import CHARTER, LANE_NAMES, Lane, Position
from protocol.log.origin import Origin
from simulation.epochs import known_chain
from simulation.folding import DigestState
from simulation.store import StoreImage

if TYPE_CHECKING:
    from simulation.node import Node
    from simulation.oracle import Oracle

Epochs = tuple[tuple[bytes, ...], tuple[bytes, ...], tuple[bytes, ...]]


def disagreement(nodes: Sequence["Node"], oracle: "Oracle") -> str:
    """Return what keeps honest nodes from agreeing, empty where nothing does."""
    chains = joint_chains(nodes)
    return (
        next((f"{node.name} has not synced its disk" for node in nodes if not node.disk.is_synced), "")
        or _other_epochs(nodes, chains)
        or _refusing(nodes, chains)
        or _other_lanes(nodes, oracle, chains)
    )


def joint_chains(nodes: Sequence["Node"]) -> dict[bytes, EpochChain]:
    """Return the epochs of every community, by all notes that any of the nodes holds."""
    joint = StoreImage(b"")
    firsts = {community: first for node in nodes for community, first in node.follows.items()}
    for node in nodes:
        for community, notes in node.disk.image.successors.items():
            known = joint.successors.setdefault(community, {})
            for epoch, some in notes.items():
                known[epoch] = tuple(sorted({*known.get(epoch, ()), *some}))
    return {community: joint.chain(first) for community, first in firsts.items()}


def contested_communities(nodes: Sequence["Node"]) -> set[bytes]:
    """Return the communities whose notes contradict each other."""
    return {community for community, chain in joint_chains(nodes).items() if chain.contested}


def fold_anew(node: "Node") -> int:
    """Return the digest of the same lanes, folded at once and in another order, without anything kept."""
    state, lanes = DigestState(), node.disk.image.lanes

    class Entries:
        def entry(self, position: Position) -> bytes:
            return lanes[Origin(position.community, position.lane, position.epoch)].entries[position.index]

    fold = Fold(state, Entries())
    for community in node.disk.image.successors:
        for closing in known_chain(node, community).closings:
            fold.seal(community, closing.epoch, closing.lanes)
    for origin in sorted(lanes, key=_by_lane):
        lane = Lane(origin.community, origin.lane)
        if fold.next_index(lane, origin.epoch) == 0:
            fold.feed(lane, epoch=origin.epoch, start=0, entries=lanes[origin].entries)
    return state.digest


def _by_lane(origin: Origin) -> tuple[int, Origin]:
    """Charters first, then what cites before what is cited."""
    return (-99 if origin.lane == CHARTER else -LANE_NAMES.index(origin.lane)), origin


def _epochs(chain: EpochChain) -> Epochs:
    return (
        tuple(keys.log_key for keys in chain.keys),
        tuple(closing.name for closing in chain.closings),
        tuple(sorted(closing.name for closing in chain.contested)),
    )


def _other_epochs(nodes: Sequence["Node"], chains: dict[bytes, EpochChain]) -> str:
    for node in nodes:
        for community in node.follows:
            own, joint = known_chain(node, community), chains[community]
            if _epochs(own) != _epochs(joint):
                return (
                    f"{node.name} knows epoch {own.epoch} of a community that is in epoch {joint.epoch}, "
                    f"{len(own.contested)} contested notes of {len(joint.contested)}"
                )
    return ""


def _refusing(nodes: Sequence["Node"], chains: dict[bytes, EpochChain]) -> str:
    for node in nodes:
        if node.writer.refusal and not chains[node.community.id].contested:
            return f"{node.name} writes nothing: {node.writer.refusal}"
    return ""


def _other_lanes(nodes: Sequence["Node"], oracle: "Oracle", chains: dict[bytes, EpochChain]) -> str:
    """Every head that counts is shown, and every lane folded to the end of the newest epoch that has entries."""
    ends: dict[Lane, tuple[int, int]] = {}
    for origin, size in _wanted(oracle, chains).items():
        lane = Lane(origin.community, origin.lane)
        ends[lane] = max((origin.epoch, size), ends.get(lane, (0, 0)))
        for node in nodes:
            head = node.disk.image.lane(origin).head
            shown = head.size if head else 0
            is_closed = chains[origin.community].is_closed(origin.epoch)
            if origin.community in node.follows and (shown < size or (shown > size and not is_closed)):
                state = node.exchange.replication.lane_states.get(origin) if node.is_up else None
                return (
                    f"{node.name} shows {shown} of {size} entries of {origin.text}, "
                    f"{state.value if state else 'not followed'}, "
                    f"{len(node.exchange.replication.open_peers)} peers"
                )
    for lane, end in ends.items():
        for node in nodes:
            if lane.community in node.follows and node.views.fold.folded_size(lane) != end:
                folded = node.views.fold.folded_size(lane)
                return f"{node.name} has folded {folded} of {end} of {lane.name}"
    return ""


def _wanted(oracle: "Oracle", chains: dict[bytes, EpochChain]) -> dict[Origin, int]:
    """How far each lane of every honest community counts: to its seal, or to the newest head that was signed."""
    wanted: dict[Origin, int] = {}
    for origin, lines in oracle.histories.items():
        chain = chains.get(origin.community)
        if chain is None or origin.community in oracle.dishonest | oracle.liars or origin.epoch > chain.epoch:
            continue
        if chain.is_closed(origin.epoch):
            sealed = chain.seal(origin.lane, origin.epoch)
            if sealed is not None:
                wanted[origin] = sealed.size
            continue
        of_this_key = [line for line in lines if line.log_public == chain.keys[origin.epoch].log_key]
        if of_this_key and of_this_key[0].leaves:
            wanted[origin] = len(of_this_key[0].leaves)
    return wanted
