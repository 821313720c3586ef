"""The statements that sources carry about a community (PROTOCOL.md section 19.2).

A statement proves itself, so it does not matter who hands it over; one that proves nothing accuses nobody but
the source that has it.

    statements = read_statements(community, sources, book)
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from hashlib import sha256

from protocol.audit.bundle import (
    STATEMENTS_INDEX_BYTES_MAX,
    Source,
    parse_statements_index,
    statement_path,
    statements_index_path,
)
from protocol.audit.findings import Book, Place
from protocol.errors import AuditError, ProtocolError
from protocol.identity.keys import to_base32
from protocol.limits import STATEMENT_BYTES_MAX

SUCCESSOR_LINE = b"wildgrass/v1/successor"


@dataclass(frozen=True, slots=True)
class CarriedStatement:
    """A statement of a source, its digest checked and nothing else."""

    text: bytes
    source: str
    path: str

    @property
    def first_line(self) -> bytes:
        """What names its kind."""
        return self.text.partition(b"\n")[0]


def read_statements(community: bytes, sources: Iterable[Source], book: Book) -> list[CarriedStatement]:
    """Return the statements about a community of all sources, each text once; name what is damaged."""
    found: dict[bytes, CarriedStatement] = {}
    for source in sources:
        for statement in _read_source(community, source, book):
            found.setdefault(statement.text, statement)
    return list(found.values())


def name_statement(statement: CarriedStatement, error: ProtocolError, place: Place, book: Book) -> None:
    """Note a statement that does not hold: its source should not have it."""
    book.count("sources", failed=1)
    book.find(error.code, error.detail, place=place, source=statement.source, path=statement.path)


def _read_source(community: bytes, source: Source, book: Book) -> Iterator[CarriedStatement]:
    place = Place(community=to_base32(community))
    path = statements_index_path(community)
    try:
        raw = source.read(path, STATEMENTS_INDEX_BYTES_MAX)
        digests = parse_statements_index(raw or b"")
    except AuditError as error:
        book.count("sources", failed=1)
        book.find(error.code, error.detail, place=place, source=source.name, path=path)
        return
    for digest in digests:
        path = statement_path(community, digest)
        try:
            yield CarriedStatement(_read_text(source, path, digest), source.name, path)
        except AuditError as error:
            book.count("sources", failed=1)
            book.find(error.code, error.detail, place=place, source=source.name, path=path)


def _read_text(source: Source, path: str, digest: bytes) -> bytes:
    text = source.read(path, STATEMENT_BYTES_MAX)
    if text is None:
        raise AuditError("file_missing")
    if sha256(text).digest() != digest:
        raise AuditError("statement_other_digest")
    return text
