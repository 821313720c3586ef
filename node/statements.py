"""What this node holds and thinks of statements: files that prove themselves (PROTOCOL.md section 23).

Each kind is named by the first line of its text, and judged with what is known of its community: its genesis,
and the successor notes since. What holds is kept as evidence; whatever is kept is told to all peers.

    verdict = keep_statement(transaction, text)     # on the writer's thread
"""

from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import NamedTuple

from node.epochs import Reading, epoch_keys, learn_successor
from node.forks import FORK
from node.writer.transaction import Transaction
from protocol.errors import ProtocolError
from protocol.exchange.frames import (
    Answer,
    Refused,
    Statement,
    StatementGet,
    StatementsSince,
)
from protocol.exchange.statements import StatementsLoaded, make_digests_page
from protocol.identity.successor import parse_successor, verify_successor
from protocol.lanes.kind import CHARTER
from protocol.limits import STATEMENTS_MAX, STATEMENTS_OF_COMMUNITY_MAX, STATEMENTS_SHOWN_MAX
from protocol.log.fork import FIRST_LINE, parse_fork, verify_fork
from protocol.log.note import parse_note
from storage.evidence import (
    evidence_about,
    evidence_after,
    evidence_digests,
    evidence_of_digest,
    evidence_size,
)
from storage.heads import HeadStore
from storage.peers import peer_of
from storage.successors import SUCCESSOR
from storage.views.reading import StateReader


class Judged(NamedTuple):
    """A statement that holds: about which epoch of which community, and the one place that it takes there.

    Of two that take one place the first is kept: a second fork of one lane says nothing new.
    """

    community: bytes
    epoch: int
    place: str


Judge = Callable[[Transaction, bytes], Judged | None]
"""Judges one kind: None where this node cannot yet, and nobody is to blame; raises `ProtocolError`."""


class Verdict(NamedTuple):
    """What became of a statement: kept where `code` is empty; `is_blamed` where its sender should know better."""

    code: str = ""
    is_blamed: bool = False


def keep_statement(transaction: Transaction, text: bytes) -> Verdict:
    """Judge a statement, keep it if it holds and is new, and say what became of it."""
    kind = kind_of(text)
    if kind is None:
        return Verdict("statement_unknown")  # a newer node may know it
    try:
        judged = JUDGES[kind](transaction, text)
    except ProtocolError as error:
        return Verdict(error.code, is_blamed=True)
    if judged is None:
        return Verdict("statement_undecided")
    known = evidence_about(transaction.connection, judged.community)
    if any(found.kind == kind and found.note == text for found in known):
        return Verdict()
    if kind != SUCCESSOR and any(
        found.kind == kind and JUDGES[kind](transaction, found.note) == judged for found in known
    ):
        return Verdict("statement_known")
    others = 0 if kind == SUCCESSOR else len(known)  # proofs must not keep out the note that ends a fork
    if not _has_room(transaction, judged.community, others):
        return Verdict("statements_full")
    if kind == SUCCESSOR:
        return _keep_successor(transaction, text)
    transaction.keep_evidence(judged.community, judged.epoch, kind, text)
    if judged.place == CHARTER:
        HeadStore(transaction.connection).renumber(judged.community)  # they are shown to everybody now
    return Verdict()


def kind_of(text: bytes) -> str | None:
    """Return under which kind of evidence a statement is kept, by its first line; None for an unknown one."""
    return KINDS_BY_LINE.get(text.partition(b"\n")[0])


def load_statements(read: StateReader, after: int | None) -> StatementsLoaded:
    """Return all digests, or the texts that were kept after a number."""
    if after is None:
        held = evidence_digests(read.connection, tuple(JUDGES))
        return StatementsLoaded(max(held.values(), default=0), tuple(held))
    found = [each for each in evidence_after(read.connection, after) if each.kind in JUDGES]
    through = max((each.number for each in found), default=after)
    return StatementsLoaded(through, (), tuple(each.note for each in found))


def answer_about_statements(read: StateReader, request: StatementsSince | StatementGet) -> Answer:
    """Answer which statements are held, or give one."""
    if isinstance(request, StatementsSince):
        return make_digests_page(request, set(evidence_digests(read.connection, tuple(JUDGES))))
    note = evidence_of_digest(read.connection, request.digest, tuple(JUDGES))
    return Statement(request.number, note) if note else Refused(request.number, "statement_not_held", "")


def shown_statements(read: Reading, community: bytes) -> dict[bytes, bytes]:
    """Return the statements about a community by their SHA-256: what auditors are shown.

    Where there are too many, all but successor notes come first, then the notes of the newest epochs.
    """
    found = [each for each in evidence_about(read.connection, community) if each.kind in JUDGES]
    found.sort(key=lambda each: (each.kind == SUCCESSOR, -each.epoch, each.number))
    return {sha256(each.note).digest(): each.note for each in found[:STATEMENTS_SHOWN_MAX]}


def _has_room(transaction: Transaction, community: bytes, known: int) -> bool:
    """Whoever is followed has room of its own; all the others share one, which strangers may fill."""
    if known >= STATEMENTS_OF_COMMUNITY_MAX:
        return False
    peer = peer_of(transaction.connection, community)
    if community == transaction.community or (peer is not None and peer.trust == "followed"):
        return True
    return evidence_size(transaction.connection) < STATEMENTS_MAX


def _judge_fork(transaction: Transaction, text: bytes) -> Judged | None:
    """A fork is proven with the log key of its epoch alone (section 23.4)."""
    proof = parse_fork(text)
    keys = epoch_keys(transaction, proof.origin.community, proof.origin.epoch)
    if keys is None:
        return None
    verify_fork(proof, keys.log_key)
    return Judged(proof.origin.community, proof.origin.epoch, proof.origin.lane)


def _judge_successor(transaction: Transaction, text: bytes) -> Judged | None:
    """A successor note holds if the epoch that it closes is known here and says so (section 9.3)."""
    successor = parse_successor(parse_note(text).text)
    closing = epoch_keys(transaction, successor.community, successor.epoch)
    if closing is None:
        return None
    verify_successor(text, closing)
    return Judged(successor.community, successor.epoch, successor.text)


def _keep_successor(transaction: Transaction, text: bytes) -> Verdict:
    """Keep a note without the lines that its authority does not need; the epochs are judged anew (section 25.1)."""
    learned = learn_successor(transaction, text)
    if learned.kept is None:
        return Verdict("statement_known")
    transaction.note_succession(learned.community)
    return Verdict() if learned.kept == text else Verdict("statement_trimmed")


JUDGES: Mapping[str, Judge] = {FORK: _judge_fork, SUCCESSOR: _judge_successor}
KINDS_BY_LINE: Mapping[bytes, str] = {FIRST_LINE: FORK, b"wildgrass/v1/successor": SUCCESSOR}
