"""The epochs of communities as a simulated node takes them in (`node/epochs.py` and `node/writer/backlog.py` in small).

What a note says, which of several counts and which copy it refuses is `protocol/identity/succession.py`'s affair.
Here is what a node does then: it drops, seals, folds on or anew, and asks for the lanes again.

    learn(node, writer, text)                   # in a job of the writer: keep it with this group, if it says more
    take_in(node, community)                    # once that is synced
"""

from collections.abc import Callable
from typing import TYPE_CHECKING

from protocol.errors import IdentityError
from protocol.exchange.holding import is_disowned
from protocol.exchange.replication_events import WishesChanged
from protocol.exchange.statements import StatementsGrown, digest_of
from protocol.identity.succession import EpochChain, note_to_keep
from protocol.identity.successor import parse_successor
from protocol.log.merkle import CompactRange
from protocol.log.note import parse_note
from simulation.disk import Write
from simulation.store import StoredLane, drop_lane, keep_successor

if TYPE_CHECKING:
    from simulation.node import Node
    from simulation.writer import Writer


def chain_of(node: "Node", community: bytes) -> EpochChain | None:
    """Return the epochs of a community as far as this node knows them, None where it does not know who that is."""
    first = node.follows.get(community)
    return node.disk.image.chain(first) if first is not None else None


def known_chain(node: "Node", community: bytes) -> EpochChain:
    """Return the epochs of a community that is followed."""
    return node.disk.image.chain(node.follows[community])


def learn(node: "Node", writer: "Writer", raw: bytes) -> bytes | None:
    """Have a successor note kept with this group; return what is kept of it, None where it says nothing new.

    Raises `ProtocolError` where it does not hold, `successor_mismatch` where the one before it is not here.
    """
    note = _worth_keeping(node, raw)
    if note is None or not writer.keeps(digest_of(note)):
        return None
    writer.write(_keeping(note))
    return note


def learn_alone(node: "Node", raw: bytes) -> None:
    """Keep a note in the store of a node that is off: whoever recovers does this before the first start."""
    note = _worth_keeping(node, raw)
    if note is not None:
        node.disk.write([_keeping(note)])
        node.disk.sync()


def _worth_keeping(node: "Node", raw: bytes) -> bytes | None:
    successor = parse_successor(parse_note(raw).text)
    chain = chain_of(node, successor.community)
    if chain is None or successor.epoch > chain.epoch:
        raise IdentityError("successor_mismatch", "nothing is known of the epoch before")
    kept = node.disk.image.successors.get(successor.community, {}).get(successor.epoch, ())
    return note_to_keep(raw, chain.keys[successor.epoch], kept)


def _keeping(note: bytes) -> Write:
    successor = parse_successor(parse_note(note).text)
    return keep_successor(digest_of(note), note, successor.community, successor.epoch)


def take_in(node: "Node", community: bytes, *, has_dropped: bool = False) -> None:
    """Close the epochs that the notes close; where more is folded than they seal, fold all anew."""
    chain = known_chain(node, community)
    refused = [
        origin
        for origin, lane in node.disk.image.lanes.items()
        if origin.community == community
        and (
            is_disowned([head.note for head in (lane.head, lane.remembered) if head], origin, chain)
            or chain.refuses(origin.lane, origin.epoch, len(lane.leaves), _roots(lane))
        )
    ]
    for origin in refused:
        node.oracle.dropped(node, origin)
        node.count("refused branches dropped")
    assert node.disk.is_synced, "the writer's thread does one thing after the other"
    node.disk.write([drop_lane(origin) for origin in refused])
    node.disk.sync()
    if node.views.seal(chain) or refused or has_dropped:
        node.count("states folded anew")
        node.fold_anew()
    else:
        node.fold_on(community)
    node.agenda.note_material()


def tell(node: "Node", community: bytes) -> None:
    """Tell the machines soon that notes about a community were kept: lanes are looked at anew, and asked for.

    Not before they have heard what became of all that was judged with it: what could not be judged then can be now.
    """
    node.later(0, lambda: _tell(node, community))


def _tell(node: "Node", community: bytes) -> None:
    node.tell(StatementsGrown())
    node.load_lanes(
        [origin for origin in node.exchange.replication.lane_states if origin.community == community]
    )
    node.tell(WishesChanged())


def _roots(lane: StoredLane) -> Callable[[int], bytes]:
    def root_at(size: int) -> bytes:
        tree = CompactRange()
        tree.extend(lane.leaves[:size])
        return tree.root()

    return root_at
