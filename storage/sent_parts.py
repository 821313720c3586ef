"""The sealed objects of our own orders on their way to their readers (PROTOCOL.md section 29.4)."""

from collections.abc import Sequence
from dataclasses import asdict

import sqlalchemy as sa

from protocol.exchange.delivery import Part
from storage.schema.facts import sent_parts
from storage.schema.views import orders

_ADD = sa.insert(sent_parts)
_COLUMNS = [sent_parts.c[name] for name in Part.__slots__]


def add_parts(connection: sa.Connection, parts: Sequence[Part]) -> None:
    """Keep the parts of an order that was just placed."""
    connection.execute(_ADD, [asdict(part) for part in parts])


def save_part(connection: sa.Connection, part: Part) -> None:
    """Keep a part as it is given here, new or known."""
    values = asdict(part)
    this = sent_parts.c.commitment == part.commitment
    if not connection.execute(sa.update(sent_parts).where(this).values(**values)).rowcount:
        connection.execute(sa.insert(sent_parts).values(**values))


def part_of(connection: sa.Connection, commitment: bytes) -> Part | None:
    """Return one part, or None where it was never on its way, or the order is answered."""
    row = connection.execute(sa.select(*_COLUMNS).where(sent_parts.c.commitment == commitment)).one_or_none()
    return None if row is None else Part(*row)


def parts_of_order(connection: sa.Connection, order_id: bytes) -> list[Part]:
    """Return the parts of one of our orders."""
    return _parts(connection, sent_parts.c.order_id == order_id)


def remove_parts(connection: sa.Connection, order_id: bytes) -> None:
    """Forget the parts of an order that is answered."""
    connection.execute(sa.delete(sent_parts).where(sent_parts.c.order_id == order_id))


def answered_orders(connection: sa.Connection, buyer: bytes, limit: int) -> list[bytes]:
    """Return ids of orders of ours that have parts and that the seller has answered."""
    answered = sa.and_(
        orders.c.buyer == buyer, orders.c.order_id == sent_parts.c.order_id, orders.c.status != "placed"
    )
    question = sa.select(sent_parts.c.order_id).distinct().join(orders, answered).limit(limit)
    return list(connection.execute(question).scalars())


def recipients_of_queued(connection: sa.Connection, now_ms: int) -> list[bytes]:
    """Return for whom something may be put now."""
    queued = sa.and_(sent_parts.c.state == "queued", sent_parts.c.retry_ms <= now_ms)
    question = sa.select(sent_parts.c.recipient).distinct().where(queued).order_by(sent_parts.c.recipient)
    return list(connection.execute(question).scalars())


def queued_parts(connection: sa.Connection, recipient: bytes, now_ms: int, limit: int) -> list[Part]:
    """Return what may be put for one recipient now."""
    return _parts(
        connection,
        sa.and_(
            sent_parts.c.recipient == recipient,
            sent_parts.c.state == "queued",
            sent_parts.c.retry_ms <= now_ms,
        ),
        limit,
    )


def lapsed_parts(connection: sa.Connection, now_ms: int, limit: int) -> list[Part]:
    """Return what relays do not keep any longer."""
    return _parts(connection, sa.and_(sent_parts.c.state == "held", sent_parts.c.until_ms <= now_ms), limit)


def holding_relays(connection: sa.Connection) -> list[bytes]:
    """Return the relays that keep something of ours."""
    question = sa.select(sent_parts.c.relay).distinct().where(sent_parts.c.state == "held")
    return [relay for relay in connection.execute(question).scalars() if relay is not None]


def has_parts(connection: sa.Connection) -> bool:
    """Tell whether anything is on its way."""
    return connection.execute(sa.select(sent_parts.c.commitment).limit(1)).first() is not None


def _parts(connection: sa.Connection, which: sa.ColumnElement[bool], limit: int | None = None) -> list[Part]:
    question = sa.select(*_COLUMNS).where(which).order_by(sent_parts.c.commitment).limit(limit)
    return [Part(*row) for row in connection.execute(question)]
