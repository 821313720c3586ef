"""Rules for whom to follow and which lanes to keep, as facts: what they mean is the protocol's."""

from collections.abc import Sequence
from dataclasses import dataclass

import sqlalchemy as sa

from storage.schema.facts import follow_rules


@dataclass(frozen=True, slots=True)
class KeptRule:
    """One rule as it is kept; `rule_number` is given by the store."""

    rule_number: int
    effect: str
    community: bytes | None
    sector: str
    region: str
    made_ms: int


def add_rule(
    connection: sa.Connection, *, effect: str, community: bytes | None, sector: str, region: str, made_ms: int
) -> int:
    """Keep a rule and return its number."""
    values = {
        "effect": effect,
        "community": community,
        "sector": sector,
        "region": region,
        "made_ms": made_ms,
    }
    added = connection.execute(sa.insert(follow_rules).values(**values))
    (number,) = added.inserted_primary_key or (0,)
    return int(number)


def all_rules(connection: sa.Connection) -> Sequence[KeptRule]:
    """Return the rules in the order in which they were made."""
    question = sa.select(follow_rules).order_by(follow_rules.c.rule_number)
    return [KeptRule(**row._mapping) for row in connection.execute(question)]  # noqa: SLF001  SQLAlchemy's public name for it


def remove_rule(connection: sa.Connection, rule_number: int) -> bool:
    """Forget a rule, and tell whether it was there."""
    done = connection.execute(sa.delete(follow_rules).where(follow_rules.c.rule_number == rule_number))
    return bool(done.rowcount)
