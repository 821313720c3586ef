"""How simulated communities change their log keys (`node/actions/keys.py` in small).

rotate(world, node, by="next_key")
"""

from collections.abc import Mapping
from typing import Any, Literal

from node.writer.own_lanes import Signer
from protocol.identity.successor import SealedLane
from simulation.epochs import known_chain
from simulation.node import Node
from simulation.world import World
from simulation.writer import EpochEnd

By = Literal["next_key", "quorum"]


def rotate(world: World, node: Node, *, by: By, branch: str = "") -> None:
    """Close the epoch and go on in the next one with a new log key."""
    if not node.is_up or node.is_recovering:
        return
    community = node.community

    def succeed(signer: Signer, lanes: Mapping[str, SealedLane]) -> tuple[bytes, Signer]:
        chain = known_chain(node, community.id)
        assert signer.epoch == chain.epoch, "the writer signs in the open epoch"
        note = community.make_note(chain.newest, lanes, time_ms=node.clock_ms, by=by, branch=branch)
        key = community.log_key(signer.epoch + 1, branch)
        node.log_keys[key.public] = key
        return note, Signer(community.id, signer.epoch + 1, key)

    def done(result: Any) -> None:
        world.counts["rotations" if isinstance(result, Signer) else "rotations refused"] += 1

    node.run(lambda: node.writer.put(EpochEnd(succeed, done)))
