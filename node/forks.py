"""Forks as this node finds and keeps them (PROTOCOL.md section 23.4).

text = fork_of_report(read, report)          # two signed heads that met in a machine
text = fork_against_store(read, origin, head)   # a signed head against what is stored; None: one history
"""

from node.epochs import Reading, epoch_keys
from protocol.exchange.holding import ReportFork, SignedHead
from protocol.log.fork import make_fork, parse_fork
from protocol.log.merkle import consistency_proof
from protocol.log.origin import Origin
from storage.evidence import evidence_about
from storage.heads import HeadStore
from storage.lanes import LaneStore

FORK = "fork"


def fork_of_report(read: Reading, report: ReportFork) -> bytes | None:
    """Return the proof that two heads of one lane contradict each other.

    None where a note has come meanwhile that contradicts the one which opened their epoch.
    """
    origin = report.origin
    keys = epoch_keys(read, origin.community, origin.epoch)
    if keys is None:
        return None
    return make_fork(
        report.older.note,
        report.newer.note,
        keys.log_key,
        begins_with=report.begins_with,
        hashes=report.proof,
    )


def fork_against_store(read: Reading, origin: Origin, head: SignedHead) -> bytes | None:
    """Return the proof that a signed head and the adopted one contradict each other, or None where they do not."""
    keys = epoch_keys(read, origin.community, origin.epoch)
    lanes = LaneStore(read.connection)
    lane_key = lanes.lane_key(origin.community, origin.lane, origin.epoch)
    adopted = None if lane_key is None else HeadStore(read.connection).head(lane_key)
    if keys is None or lane_key is None or adopted is None or not 0 < head.size <= adopted.size:
        return None
    begins_with = lanes.compact_range(lane_key, head.size).root()
    if begins_with == head.root:
        return None
    if head.size == adopted.size:
        return make_fork(head.note, adopted.note, keys.log_key)

    def node(level: int, index: int) -> bytes:
        return lanes.node(lane_key, level, index)

    hashes = consistency_proof(head.size, adopted.size, node)
    return make_fork(head.note, adopted.note, keys.log_key, begins_with=begins_with, hashes=hashes)


def forked_lanes(read: Reading, community: bytes) -> frozenset[Origin]:
    """Return the lanes of a community that are proven to have two histories."""
    proofs = evidence_about(read.connection, community, FORK)
    return frozenset(parse_fork(proof.note).origin for proof in proofs)
