"""What this node keeps as a relay: for whom, from whom, what waits, what was taken (PROTOCOL.md section 29).

Who is admitted and how much fits is decided in `node`; here are the rows. A number is never given twice, so
that whoever has read up to one has missed nothing.
"""

from collections.abc import Collection
from typing import NamedTuple

import sqlalchemy as sa

from protocol.encoding import decode, encode
from storage.schema.facts import relay_deliveries, relay_recipients

_SENDERS_BYTES_MAX = 65_536
_rows = relay_deliveries.c


class Recipient(NamedTuple):
    """A community for which deliveries are kept; `is_admitted` says that a steward let it in by name."""

    community: bytes
    is_admitted: bool = False
    senders: tuple[bytes, ...] = ()
    renewed_ms: int = 0


class Shelf(NamedTuple):
    """How much waits."""

    objects: int
    ciphertext_bytes: int


class Waiting(NamedTuple):
    """A delivery with its content."""

    recipient: bytes
    sender: bytes
    commitment: bytes
    ciphertext: bytes
    wrapped: bytes
    expires_ms: int


class ListedRow(NamedTuple):
    """One row of a list: a delivery, or with `receipt` the receipt for one."""

    number: int
    sender: bytes
    commitment: bytes
    receipt: bytes | None


def save_recipient(connection: sa.Connection, recipient: Recipient) -> None:
    """Keep a recipient as it is given here, new or known."""
    values = {
        "is_admitted": int(recipient.is_admitted),
        "senders": encode(list(recipient.senders)),
        "renewed_ms": recipient.renewed_ms,
    }
    this = relay_recipients.c.community == recipient.community
    if not connection.execute(sa.update(relay_recipients).where(this).values(**values)).rowcount:
        connection.execute(sa.insert(relay_recipients).values(community=recipient.community, **values))


def recipient_of(connection: sa.Connection, community: bytes) -> Recipient | None:
    """Return what is known of a recipient, or None."""
    question = sa.select(relay_recipients).where(relay_recipients.c.community == community)
    row = connection.execute(question).one_or_none()
    return None if row is None else _recipient(row)


def all_recipients(connection: sa.Connection) -> list[Recipient]:
    """Return all recipients by community."""
    question = sa.select(relay_recipients).order_by(relay_recipients.c.community)
    return [_recipient(row) for row in connection.execute(question)]


def drop_outdated(connection: sa.Connection, now_ms: int) -> int:
    """Let go of everything whose time is over; return how many rows there were."""
    return connection.execute(sa.delete(relay_deliveries).where(_rows.expires_ms <= now_ms)).rowcount


def shelf(connection: sa.Connection, *, recipient: bytes | None = None, sender: bytes | None = None) -> Shelf:
    """Return how much waits: in all, for one recipient, or for it from one sender."""
    question = sa.select(sa.func.count(), sa.func.coalesce(sa.func.sum(_rows.ciphertext_bytes), 0))
    question = question.where(_rows.receipt.is_(None))
    if recipient is not None:
        question = question.where(_rows.recipient == recipient)
    if sender is not None:
        question = question.where(_rows.sender == sender)
    objects, ciphertext_bytes = connection.execute(question).one()
    return Shelf(objects, int(ciphertext_bytes))


def known_deliveries(
    connection: sa.Connection, recipient: bytes, sender: bytes, commitments: Collection[bytes]
) -> set[bytes]:
    """Return which of some commitments wait here, or have a receipt here."""
    question = sa.select(_rows.commitment).where(
        _rows.recipient == recipient, _rows.sender == sender, _rows.commitment.in_(commitments)
    )
    return set(connection.execute(question).scalars())


def add_delivery(connection: sa.Connection, delivery: Waiting) -> None:
    """Keep a delivery that is not here yet."""
    values = {**delivery._asdict(), "ciphertext_bytes": len(delivery.ciphertext)}
    connection.execute(sa.insert(relay_deliveries).values(**values))


def delivery_for(
    connection: sa.Connection, recipient: bytes, sender: bytes, commitment: bytes
) -> tuple[bytes, bytes] | None:
    """Return ciphertext and wrapped key of a delivery that waits, or None."""
    question = sa.select(_rows.ciphertext, _rows.wrapped).where(
        _rows.recipient == recipient,
        _rows.sender == sender,
        _rows.commitment == commitment,
        _rows.receipt.is_(None),
    )
    row = connection.execute(question).one_or_none()
    return None if row is None else (row[0], row[1])


def take_delivery(
    connection: sa.Connection,
    recipient: bytes,
    sender: bytes,
    commitment: bytes,
    receipt: bytes,
    until_ms: int,
) -> bool:
    """Put the receipt of a delivery in its place, under a new number; return whether it waited here."""
    this = sa.and_(
        _rows.recipient == recipient,
        _rows.sender == sender,
        _rows.commitment == commitment,
        _rows.receipt.is_(None),
    )
    if not connection.execute(sa.delete(relay_deliveries).where(this)).rowcount:
        return False
    connection.execute(
        sa.insert(relay_deliveries).values(
            recipient=recipient,
            sender=sender,
            commitment=commitment,
            ciphertext_bytes=0,
            receipt=receipt,
            expires_ms=until_ms,
        )
    )
    return True


def listed_after(connection: sa.Connection, asker: bytes, after: int, limit: int) -> list[ListedRow]:
    """Return rows above a number, in order: what waits for `asker`, and receipts for what it has put."""
    concerns = sa.or_(
        sa.and_(_rows.recipient == asker, _rows.receipt.is_(None)),
        sa.and_(_rows.sender == asker, _rows.receipt.is_not(None)),
    )
    question = (
        sa.select(_rows.delivery_number, _rows.sender, _rows.commitment, _rows.receipt)
        .where(concerns, _rows.delivery_number > after)
        .order_by(_rows.delivery_number)
        .limit(limit)
    )
    return [ListedRow(*row) for row in connection.execute(question)]


def forget_receipts(connection: sa.Connection, sender: bytes, through: int) -> int:
    """Drop the receipts that a sender has noted; return how many there were."""
    noted = sa.and_(_rows.sender == sender, _rows.receipt.is_not(None), _rows.delivery_number <= through)
    return connection.execute(sa.delete(relay_deliveries).where(noted)).rowcount


def has_receipts(connection: sa.Connection, sender: bytes, through: int) -> bool:
    """Tell whether there is something to forget."""
    noted = sa.and_(_rows.sender == sender, _rows.receipt.is_not(None), _rows.delivery_number <= through)
    return connection.execute(sa.select(_rows.delivery_number).where(noted).limit(1)).first() is not None


def trim_receipts(connection: sa.Connection, sender: bytes, kept_max: int) -> None:
    """Keep the newest receipts of a sender alone."""
    oldest_kept = (
        sa.select(_rows.delivery_number)
        .where(_rows.sender == sender, _rows.receipt.is_not(None))
        .order_by(_rows.delivery_number.desc())
        .offset(kept_max)
        .limit(1)
    )
    through = connection.execute(oldest_kept).scalar()
    if through is not None:
        forget_receipts(connection, sender, through)


def _recipient(row: sa.Row[*tuple[object, ...]]) -> Recipient:
    senders = tuple(decode(row.senders, bytes_max=_SENDERS_BYTES_MAX))
    return Recipient(row.community, bool(row.is_admitted), senders, row.renewed_ms)
