"""Who was found, how, and what it has signed of where it is. How far it is trusted stands in `storage/peers.py`."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from storage.schema.facts import address_book


@dataclass(frozen=True, slots=True)
class Finding:
    """How a community was found: `found` is one word, `told_by` the peer that told of it.

    `genesis` and `record` are empty until they are known; `rule_number` is that of the rule which follows it, -1
    where a steward has stopped following it.
    """

    community: bytes
    found: str
    found_ms: int
    told_by: bytes | None = None
    genesis: bytes = b""
    record: bytes = b""
    rule_number: int | None = None


def keep_finding(connection: sa.Connection, finding: Finding) -> None:
    """Keep a finding as it is given here, new or known."""
    values = {
        "found": finding.found,
        "told_by": finding.told_by,
        "found_ms": finding.found_ms,
        "genesis": finding.genesis,
        "record": finding.record,
        "rule_number": finding.rule_number,
    }
    changed = connection.execute(
        sa.update(address_book).where(address_book.c.community == finding.community).values(**values)
    ).rowcount
    if not changed:
        connection.execute(sa.insert(address_book).values(community=finding.community, **values))


def all_findings(connection: sa.Connection) -> Sequence[Finding]:
    """Return everybody who was found, the first found first."""
    question = sa.select(address_book).order_by(address_book.c.found_ms, address_book.c.community)
    return [Finding(**row._mapping) for row in connection.execute(question)]  # noqa: SLF001  SQLAlchemy's public name for it


def forget_finding(connection: sa.Connection, community: bytes) -> None:
    """Forget one."""
    connection.execute(sa.delete(address_book).where(address_book.c.community == community))
