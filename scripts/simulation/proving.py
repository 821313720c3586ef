"""Forks as a simulated node finds, judges and keeps them (`node/forks.py` and `node/statements.py` in small).

A proof is made from two heads that met, or from a head that is held against the leaves on the disk. Whatever is
kept, an own find or a peer's, goes to the machine that passes statements on.
"""

from typing import TYPE_CHECKING

from protocol.errors import ProtocolError
from protocol.exchange.holding import CompareHead, ReportFork
from protocol.exchange.replication_events import HeadCompared
from protocol.exchange.statements import JudgeStatement, StatementJudged, StatementsGrown, digest_of
from protocol.lanes.kind import CHARTER
from protocol.log.fork import make_fork, parse_fork, verify_fork
from protocol.log.merkle import CompactRange, consistency_proof, subtree_root
from simulation.store import keep_fork, renumber
from simulation.writer import Job, Writer

if TYPE_CHECKING:
    from simulation.node import Node


def report_fork(node: "Node", report: ReportFork) -> None:
    """Keep the proof that two signed heads contradict each other."""
    text = make_fork(
        report.older.note,
        report.newer.note,
        node.follows[report.origin.community],
        begins_with=report.begins_with,
        hashes=report.proof,
    )
    _keep(node, text)


def compare_head(node: "Node", asked: CompareHead) -> None:
    """Hold a signed head against the leaves on the disk, and keep the proof if they contradict."""
    lane, head = node.disk.image.lane(asked.origin), asked.head
    smaller = CompactRange()
    smaller.extend(lane.leaves[: head.size])
    if lane.head is not None and smaller.root() != head.root:
        leaves = lane.leaves[: lane.head.size]
        hashes = consistency_proof(
            head.size, len(leaves), lambda level, at: subtree_root(leaves[at << level : (at + 1) << level])
        )
        node.oracle.accused(node, asked.origin)
        report = ReportFork(asked.origin, head, lane.head, smaller.root(), tuple(hashes))
        report_fork(node, report)
    node.tell(HeadCompared(asked.origin))


def judge_statement(node: "Node", asked: JudgeStatement) -> None:
    """Judge what a peer brought, keep it if it holds and is new, and tell."""

    def work(writer: Writer) -> tuple[StatementJudged, bool]:
        code, is_blamed = _judge(node, writer, asked.text)
        return StatementJudged(asked.peer, digest_of(asked.text), code, is_blamed), not code

    def done(result: tuple[StatementJudged, bool]) -> None:
        judged, is_kept = result
        node.tell(judged)
        if is_kept:
            _note_kept(node, asked.text)

    node.writer.put(Job(work, done))


def _keep(node: "Node", text: bytes) -> None:
    def done(result: tuple[str, bool]) -> None:
        if not result[0]:
            _note_kept(node, text)

    node.writer.put(Job(lambda writer: _judge(node, writer, text), done))


def _judge(node: "Node", writer: Writer, text: bytes) -> tuple[str, bool]:
    """The code that says why it is not kept, empty where it is, and whether its sender should have known."""
    try:
        proof = parse_fork(text)
        log_public = node.follows.get(proof.origin.community)
        if log_public is None:
            return "statement_undecided", False
        verify_fork(proof, log_public)
    except ProtocolError as error:
        return error.code, True
    if proof.origin in node.disk.image.forked or not writer.keeps(proof.origin):
        return "statement_known", False
    writer.write(keep_fork(digest_of(text), text, proof.origin))
    if proof.origin.lane == CHARTER:
        writer.write(renumber(proof.origin.community))
    return "", False


def _note_kept(node: "Node", text: bytes) -> None:
    node.agenda.note_material()
    node.oracle.proven(node, parse_fork(text).origin, text)
    node.tell(StatementsGrown())
