"""Forks as an audit finds them: in the proofs of others, or between heads (PROTOCOL.md sections 19.2, 19.3, 23.4).

A head is evidence by its signature alone, whether or not its source has the entries that it speaks of.

    forks = proven_forks(history, book)
    proof = compare_heads(origin, heads, reference, log_key, book)
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from protocol.audit.bundle import Source
from protocol.audit.evidence import name_statement
from protocol.audit.findings import Book, Place
from protocol.audit.history import History
from protocol.audit.lane_copy import LaneCopy
from protocol.errors import AuditError, LogError, ProtocolError
from protocol.identity.keys import to_base32
from protocol.log.checkpoint import Checkpoint
from protocol.log.fork import FIRST_LINE, make_fork, parse_fork, verify_fork
from protocol.log.merkle import consistency_proof
from protocol.log.origin import Origin


@dataclass(frozen=True, slots=True)
class SourceHead:
    """The head that a source shows of a lane, opened with the log key."""

    source: Source
    checkpoint: Checkpoint
    note: bytes

    @property
    def words(self) -> str:
        """Return size, root and source as a finding names them."""
        return f"size {self.checkpoint.size} root {self.checkpoint.root.hex()} from {self.source.name}"


def proven_forks(history: History, book: Book) -> dict[Origin, bytes]:
    """Return the first proof of each forked lane that the sources carry, and name all that they carry."""
    forks: dict[Origin, bytes] = {}
    for statement in history.statements:
        if statement.first_line != FIRST_LINE:
            continue
        place = Place(community=to_base32(history.community))
        try:
            proof = parse_fork(statement.text)
            if proof.origin.community != history.community:
                raise AuditError("index_mismatch", "the proof is about another community")
            if proof.origin.epoch >= len(history.keys):
                book.count("forks", not_opened=1)
                continue
            place = Place(community=place.community, lane=proof.origin.lane, epoch=proof.origin.epoch)
            verify_fork(proof, history.keys[proof.origin.epoch].log_key)
        except ProtocolError as error:
            name_statement(statement, error, place, book)
            continue
        forks.setdefault(proof.origin, statement.text)
        older, newer = proof.older, proof.newer
        detail = f"size {older.size} root {older.root.hex()}; size {newer.size} root {newer.root.hex()}"
        book.find("lane_forked", detail, place=place, source=statement.source, path=statement.path)
    return forks


def compare_heads(
    origin: Origin, heads: Sequence[SourceHead], reference: LaneCopy | None, log_key: bytes, book: Book
) -> bytes | None:
    """Hold each head against the largest whole copy, larger ones against others of their size.

    Note each contradiction in the book, and return the proof of the first one that fits into a file.
    """
    proof: bytes | None = None
    for head, other in _pairs(heads, reference):
        if other is None:
            book.count("copies_agree", not_opened=1)
            continue
        begins_with = other.checkpoint.root
        if reference is not None and other.source is reference.source:
            begins_with = reference.root_at(head.checkpoint.size)
        agrees = begins_with == head.checkpoint.root
        book.count("copies_agree", passed=agrees, failed=not agrees)
        if agrees:
            continue
        place = Place(community=to_base32(origin.community), lane=origin.lane, epoch=origin.epoch)
        book.find("lane_forked", f"{head.words}; {other.words}", place=place, source=head.source.name)
        proof = proof or _prove(head, other, begins_with, reference, log_key)
    return proof


def _pairs(
    heads: Sequence[SourceHead], reference: LaneCopy | None
) -> Iterator[tuple[SourceHead, SourceHead | None]]:
    """Yield each head with what it is held against, None where there is nothing; the first of a size with none."""
    basis = next((head for head in heads if reference is not None and head.source is reference.source), None)
    largest = 0 if basis is None else basis.checkpoint.size
    first_of_size: dict[int, SourceHead] = {}
    for head in heads:
        if head is basis:
            continue
        size = head.checkpoint.size
        if size <= largest:
            yield head, basis
        elif size in first_of_size:
            yield head, first_of_size[size]
        else:
            first_of_size[size] = head
            if len(heads) > 1:
                yield head, None


def _prove(
    older: SourceHead, newer: SourceHead, begins_with: bytes, reference: LaneCopy | None, log_key: bytes
) -> bytes | None:
    """Return the proof that two heads contradict each other, None where it has no room."""
    first, second = older.checkpoint.size, newer.checkpoint.size
    try:
        if first == second:
            one, other = sorted((older.note, newer.note))  # the same file, whichever was read first
            return make_fork(one, other, log_key)
        assert reference is not None, "heads of two sizes are compared through a whole copy"
        hashes = consistency_proof(first, second, reference.node)
        return make_fork(older.note, newer.note, log_key, begins_with=begins_with, hashes=hashes)
    except LogError:
        return None  # `fork_too_large`: the finding names both heads all the same
