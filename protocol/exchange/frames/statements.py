"""The frames that carry statements: small files that prove themselves (PROTOCOL.md section 23)."""

from typing import Annotated

from msgspec import Meta, Struct

from protocol.exchange.frames.fields import Count, Hash
from protocol.limits import STATEMENT_BYTES_MAX, STATEMENTS_PAGE_MAX

StatementBytes = Annotated[bytes, Meta(min_length=1, max_length=STATEMENT_BYTES_MAX)]


class StatementsSince(Struct, frozen=True, array_like=True, tag="statements_since"):
    """Asks for the digests of the statements held, above `after`; `summary` is the asker's own (section 23.3)."""

    number: Count
    summary: Hash
    after: Hash


class StatementDigests(Struct, frozen=True, array_like=True, tag="statement_digests"):
    """A page of digests in rising order; empty and without more where both summaries are equal."""

    number: Count
    has_more: bool
    digests: Annotated[tuple[Hash, ...], Meta(max_length=STATEMENTS_PAGE_MAX)]


class StatementGet(Struct, frozen=True, array_like=True, tag="statement_get"):
    """Asks for the statement with this SHA-256."""

    number: Count
    digest: Hash


class Statement(Struct, frozen=True, array_like=True, tag="statement"):
    """The statement asked for."""

    number: Count
    text: StatementBytes


class StatementNews(Struct, frozen=True, array_like=True, tag="statement_news"):
    """A statement that is new to the sender, pushed unasked."""

    text: StatementBytes
