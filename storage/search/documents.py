"""The index: which documents hold which terms. FTS5 on SQLite, a GIN index on PostgreSQL, one behaviour.

Both are given terms that we cut ourselves, and asked only which documents have all of them; the order is made
here: title matches first, then the newest, then by key. Of a very common term the `CANDIDATES_MAX` documents
indexed last are considered.

    index_documents(connection, [Document(key, "market/pets", community, {"zh-Hans": "幼猫粮"}, {}, time_ms)])
    search(connection, "猫粮", "market/pets", limit=20) == [key]
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from itertools import islice

import sqlalchemy as sa

from protocol.encoding import encode
from storage.asking import ask
from storage.schema.views import search_documents, search_progress
from storage.search.terms import is_character, query_terms, terms

CANDIDATES_MAX = 500
TITLE_TERMS_MAX = 512
BODY_TERMS_MAX = 4_096

_BATCH = 500
_WORN_MIN = 5_000


@dataclass(frozen=True, slots=True)
class Document:
    """What is found: `key` comes back, the rest is searched. `title` and `text` are by language tag."""

    key: str
    sector: str
    community: bytes
    title: Mapping[str, str]
    text: Mapping[str, str]
    time_ms: int


def index_documents(connection: sa.Connection, documents: Iterable[Document]) -> None:
    """Put documents into the index, each in place of what its key stood for before.

    One whose words did not change costs a lookup: a new price is no work for the index.
    """
    remaining = iter(documents)
    while batch := list(islice(remaining, _BATCH)):
        _index_batch(connection, list({document.key: document for document in batch}.values()))


def remove_documents(connection: sa.Connection, keys: Sequence[str]) -> None:
    """Take documents out of the index; they may be absent."""
    for start in range(0, len(keys), _BATCH):
        this = search_documents.c.document_key.in_(keys[start : start + _BATCH])
        numbers = (
            connection.execute(sa.select(search_documents.c.document_number).where(this)).scalars().all()
        )
        _drop(connection, numbers)


def search(
    connection: sa.Connection,
    query: str,
    sector: str | None = None,
    *,
    community: bytes | None = None,
    limit: int = 20,
    offset: int = 0,
) -> list[str]:
    """Return the keys of documents that hold every term of `query`, best first; none for an empty query."""
    wanted = query_terms(query)
    if not wanted:
        return []
    scope = _scope(sector, community)
    last = offset + limit
    titles = _candidates(connection, scope, wanted, last, only_titles=True)
    enough = len(titles) >= last
    others = {} if enough else _candidates(connection, scope, wanted, last + len(titles), only_titles=False)
    ranked = sorted((key not in titles, -time_ms, key) for key, time_ms in {**others, **titles}.items())
    return [key for _, _, key in ranked[offset : offset + limit]]


def is_worn(connection: sa.Connection) -> bool:
    """Whether so much was removed that the index should be cleared and filled again."""
    progress = connection.execute(sa.select(search_progress)).one_or_none()
    if progress is None or progress.stale_documents < _WORN_MIN:
        return False
    count = sa.select(sa.func.count()).select_from(search_documents)
    return bool(progress.stale_documents > connection.execute(count).scalar_one())


def clear_index(connection: sa.Connection) -> None:
    """Empty the index; the caller fills it again."""
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql("INSERT INTO search_terms (search_terms) VALUES ('delete-all')")
    else:
        connection.exec_driver_sql("DELETE FROM search_terms")
    connection.execute(sa.delete(search_documents))
    connection.execute(sa.delete(search_progress))


def _index_batch(connection: sa.Connection, documents: list[Document]) -> None:
    hashes = {document.key: _words_hash(document) for document in documents}
    known = {row.document_key: row for row in connection.execute(_KNOWN, {"keys": list(hashes)})}
    fresh, gone = [], []
    for document in documents:
        row = known.get(document.key)
        if row is None:
            fresh.append(document)
        elif row.words_hash != hashes[document.key]:
            fresh.append(document)
            gone.append(row.document_number)
        elif row.time_ms != document.time_ms:
            connection.execute(_SET_TIME, {"key": document.key, "time": document.time_ms})
    _drop(connection, gone)
    if fresh:
        _add(connection, fresh, hashes)


def _add(connection: sa.Connection, documents: list[Document], hashes: Mapping[str, bytes]) -> None:
    first = _take_numbers(connection, len(documents))
    rows = [
        {
            "document_number": number,
            "document_key": document.key,
            "time_ms": document.time_ms,
            "words_hash": hashes[document.key],
        }
        for number, document in enumerate(documents, first)
    ]
    connection.execute(sa.insert(search_documents), rows)
    numbered = enumerate(documents, first)
    if connection.dialect.name == "sqlite":
        connection.exec_driver_sql(
            "INSERT INTO search_terms (rowid, terms) VALUES (?, ?)",
            [(number, " ".join(_document_terms(document))) for number, document in numbered],
        )
    else:
        connection.exec_driver_sql(
            "INSERT INTO search_terms (document_number, terms) VALUES (%s, CAST(%s AS tsvector))",
            [(number, _quoted(_document_terms(document), "'", " ")) for number, document in numbered],
        )


def _drop(connection: sa.Connection, numbers: Sequence[int]) -> None:
    """Forget documents by number. FTS5 keeps their terms, which lead nowhere, until the index is cleared."""
    if not numbers:
        return
    connection.execute(sa.delete(search_documents).where(search_documents.c.document_number.in_(numbers)))
    if connection.dialect.name == "sqlite":
        stale = search_progress.c.stale_documents + len(numbers)
        connection.execute(sa.update(search_progress).values(stale_documents=stale))
    else:
        connection.execute(
            sa.text("DELETE FROM search_terms WHERE document_number = ANY (:numbers)"),
            {"numbers": list(numbers)},
        )


def _take_numbers(connection: sa.Connection, count: int) -> int:
    """The first of `count` numbers that no document ever had."""
    taken = connection.execute(_TAKE_NUMBERS, {"count": count}).scalar()
    if taken is None:
        connection.execute(
            sa.insert(search_progress).values(only_row=1, next_document=count + 1, stale_documents=0)
        )
        return 1
    return int(taken) - count


def _words_hash(document: Document) -> bytes:
    words = encode([document.sector, document.community, dict(document.title), dict(document.text)])
    return sha256(words).digest()[:16]


def _scope(sector: str | None, community: bytes | None) -> list[str]:
    """The terms that stand for a sector and a community: letters and digits only, like all terms."""
    scope = []
    if sector is not None:
        scope.append(f"s{sector.encode().hex()}")
    if community is not None:
        scope.append(f"c{community.hex()}")
    return scope


def _document_terms(document: Document) -> list[str]:
    """What a document is found under, each term with a letter before it that says where it stands.

    Columns of FTS5 and weights of PostgreSQL could say so too, but one makes the index half as large again,
    and the other has every row unpacked that a common term is in.
    """
    title = terms(" ".join(document.title.values()), characters=True)
    body = terms(" ".join(document.text.values())) - title
    return [
        *_scope(document.sector, document.community),
        *["t" + term for term in _bounded(title, TITLE_TERMS_MAX)],
        *["b" + term for term in _bounded(body, BODY_TERMS_MAX)],
    ]


def _bounded(found: set[str], count_max: int) -> list[str]:
    """At most so many terms, the same ones on every machine."""
    return list(found) if len(found) <= count_max else sorted(found)[:count_max]


def _candidates(
    connection: sa.Connection, scope: list[str], wanted: list[str], best: int, *, only_titles: bool
) -> dict[str, int]:
    """Key and time of the `best` newest of the documents with all these terms."""
    groups = [[term] for term in scope]
    groups += [
        ["t" + term] if only_titles or is_character(term) else ["t" + term, "b" + term] for term in wanted
    ]
    if connection.dialect.name == "sqlite":
        expression = " AND ".join("(" + _quoted(group, '"', " OR ") + ")" for group in groups)
        rows = ask(connection, _FIND_SQLITE, (expression, CANDIDATES_MAX, best))
    else:
        expression = " & ".join("(" + _quoted(group, "'", " | ") + ")" for group in groups)
        # The planner does not count what unpacking long term lists costs, and would read them all.
        connection.execute(_SET_SCANS, {"scans": "off"})
        rows = ask(connection, _FIND_POSTGRES, (expression, CANDIDATES_MAX, best))
        connection.execute(_SET_SCANS, {"scans": "on"})
    return dict(rows)


def _quoted(found: list[str], quote: str, between: str) -> str:
    """Terms as both engines want them; none has a quote of its own."""
    return quote + f"{quote}{between}{quote}".join(found) + quote


_KNOWN = sa.select(search_documents).where(
    search_documents.c.document_key.in_(sa.bindparam("keys", expanding=True))
)
_SET_TIME = (
    sa.update(search_documents)
    .where(search_documents.c.document_key == sa.bindparam("key"))
    .values(time_ms=sa.bindparam("time"))
)
_TAKE_NUMBERS = (
    sa.update(search_progress)
    .values(next_document=search_progress.c.next_document + sa.bindparam("count", type_=sa.BigInteger))
    .returning(search_progress.c.next_document)
)
_SET_SCANS = sa.text("SELECT set_config('enable_seqscan', :scans, true)")
_FIND_SQLITE = (
    "SELECT document_key, time_ms FROM (SELECT document_key, time_ms FROM search_terms"
    " JOIN search_documents ON document_number = search_terms.rowid"
    " WHERE search_terms MATCH ? ORDER BY search_terms.rowid DESC LIMIT ?)"
    " ORDER BY time_ms DESC, document_key LIMIT ?"
)
_FIND_POSTGRES = (  # materialized, or the planner walks all documents backwards for a rare word
    "WITH found AS MATERIALIZED"
    " (SELECT document_number FROM search_terms WHERE terms @@ CAST(? AS tsquery))"
    " SELECT document_key, time_ms FROM search_documents WHERE document_number IN"
    " (SELECT document_number FROM found ORDER BY document_number DESC LIMIT ?)"
    ' ORDER BY time_ms DESC, document_key COLLATE "C" LIMIT ?'
)
