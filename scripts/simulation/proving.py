"""Forks as a simulated node finds them, and statements as it keeps them (`node/forks.py`, `node/statements.py`).

A proof is made from two heads that met, or from a head that is held against the leaves on the disk. Whatever is
kept, an own find or a peer's, goes to the machine that passes statements on.
"""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from protocol.errors import ProtocolError
from protocol.exchange.holding import CompareHead, ReportFork
from protocol.exchange.replication_events import HeadCompared
from protocol.exchange.statements import JudgeStatement, StatementJudged, StatementsGrown, digest_of
from protocol.identity.successor import parse_successor
from protocol.lanes.kind import CHARTER
from protocol.log.fork import FIRST_LINE, make_fork, parse_fork, verify_fork
from protocol.log.merkle import CompactRange, consistency_proof, subtree_root
from protocol.log.note import parse_note
from simulation.epochs import chain_of, known_chain, learn, take_in, tell
from simulation.store import keep_fork, renumber
from simulation.writer import Job, Writer

if TYPE_CHECKING:
    from simulation.node import Node


def report_fork(node: "Node", report: ReportFork) -> None:
    """Keep the proof that two signed heads contradict each other; drop a copy that is not what was sealed."""
    origin = report.origin
    chain = known_chain(node, origin.community)
    if origin.epoch > chain.epoch:
        return  # a note has come meanwhile that contradicts the one which opened this epoch
    text = make_fork(
        report.older.note,
        report.newer.note,
        chain.keys[origin.epoch].log_key,
        begins_with=report.begins_with,
        hashes=report.proof,
    )

    def work(writer: Writer) -> tuple[_Verdict, bool]:
        verdict = _judge(node, writer, text)
        sealed = known_chain(node, origin.community).seal(origin.lane, origin.epoch)
        size = node.disk.image.lane(origin).tree.size
        is_dropped = sealed is not None and 0 < size < sealed.size <= report.newer.size
        if is_dropped:
            writer.drop(origin)
        return verdict, is_dropped

    def done(result: tuple[_Verdict, bool]) -> None:
        verdict, is_dropped = result
        if is_dropped:
            take_in(node, origin.community, has_dropped=True)
            tell(node, origin.community)
        _note_kept(node, verdict)

    node.writer.put(Job(work, done))


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

    def done(verdict: _Verdict) -> None:
        node.tell(StatementJudged(asked.peer, digest_of(asked.text), verdict.code, verdict.is_blamed))
        _note_kept(node, verdict)

    node.writer.put(Job(lambda writer: _judge(node, writer, asked.text), done))


@dataclass(frozen=True, slots=True)
class _Verdict:
    """What became of a statement: `kept` are the bytes that were kept; else `code` says why not."""

    code: str = ""
    is_blamed: bool = False
    kept: bytes | None = None


def _judge(node: "Node", writer: Writer, text: bytes) -> _Verdict:
    judge = _judge_fork if text.startswith(FIRST_LINE) else _judge_successor
    try:
        return judge(node, writer, text)
    except ProtocolError as error:
        return _Verdict(error.code, is_blamed=True)


def _judge_fork(node: "Node", writer: Writer, text: bytes) -> _Verdict:
    proof = parse_fork(text)
    chain = chain_of(node, proof.origin.community)
    if chain is None or proof.origin.epoch > chain.epoch:
        return _Verdict("statement_undecided")
    verify_fork(proof, chain.keys[proof.origin.epoch].log_key)
    if proof.origin in node.disk.image.forked or not writer.keeps(proof.origin):
        return _Verdict("statement_known")
    writer.write(keep_fork(digest_of(text), text, proof.origin))
    if proof.origin.lane == CHARTER:
        writer.write(renumber(proof.origin.community))
    return _Verdict(kept=text)


def _judge_successor(node: "Node", writer: Writer, text: bytes) -> _Verdict:
    successor = parse_successor(parse_note(text).text)
    if successor.community == node.deaf_to:
        return _Verdict("statement_known")
    chain = chain_of(node, successor.community)
    if chain is None or successor.epoch > chain.epoch:
        return _Verdict("statement_undecided")
    kept = learn(node, writer, text)
    if kept is None:
        return _Verdict("statement_known")
    return _Verdict("" if kept == text else "statement_trimmed", kept=kept)


def _note_kept(node: "Node", verdict: _Verdict) -> None:
    """Tell of what was kept; a successor note changes first what is folded."""
    if verdict.kept is None:
        return
    node.agenda.note_material()
    if verdict.kept.startswith(FIRST_LINE):
        node.oracle.proven(node, parse_fork(verdict.kept).origin, verdict.kept)
        node.tell(StatementsGrown())
        return
    community = parse_successor(parse_note(verdict.kept).text).community
    node.oracle.succeeded(node, verdict.kept)
    take_in(node, community)
    tell(node, community)
