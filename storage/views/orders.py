"""The orders view: what a person's list of orders is made of, one row an order.

The fold's own tables answer by key; people ask by side, state and time. Rows follow from `placement` and
`deal` alone, so they are rebuilt with the rest of the views.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

import sqlalchemy as sa
from sqlalchemy import bindparam

from protocol.lanes.kind import Key
from protocol.lanes.trade.orders import Deal, Placement
from storage.schema.views import orders


class OrderRow(NamedTuple):
    """One order as lists show it; `total_minor` is what it comes to after refunds."""

    buyer: bytes
    order_id: bytes
    seller: bytes
    status: str
    cancellation: str
    code: str | None
    currency: str
    total_minor: int
    placed_ms: int
    moved_ms: int
    respond_by_ms: int
    group_id: bytes | None


def project_placements(connection: sa.Connection, rows: Iterable[tuple[Key, Placement]]) -> None:
    """Write the rows of orders that became known."""
    values = [_placed_row(key, placement) for key, placement in rows]
    if values:
        connection.execute(_insert(connection), values)


def project_deals(connection: sa.Connection, rows: Iterable[tuple[Key, Deal]]) -> None:
    """Write what the sellers have said since; the rows of their orders are there."""
    values = [
        {
            "at_buyer": key[1],
            "at_order": key[2],
            "new_status": deal.status,
            "new_cancellation": deal.cancellation,
            "new_code": deal.code,
            "new_total": sum(total.gross_minor for total in deal.totals),
            "new_moved": deal.time_ms,
        }
        for key, deal in rows
    ]
    if values:
        connection.execute(_UPDATE, values)


def find_orders(connection: sa.Connection, buyer: bytes, order_ids: Sequence[bytes]) -> dict[bytes, OrderRow]:
    """Return those of these orders of one buyer that are here, by their ids."""
    question = sa.select(orders).where(orders.c.buyer == buyer, orders.c.order_id.in_(order_ids))
    return {row.order_id: OrderRow(*row) for row in connection.execute(question)}


def list_orders(
    connection: sa.Connection,
    *,
    community: bytes,
    side: str,
    statuses: Sequence[str] = (),
    limit: int,
    before_ms: int | None = None,
) -> list[OrderRow]:
    """Return the orders that `community` sells (`side` "seller") or buys, newest first."""
    column = orders.c.seller if side == "seller" else orders.c.buyer
    question = sa.select(orders).where(column == community)
    if statuses:
        question = question.where(orders.c.status.in_(statuses))
        if "completed" not in statuses:  # said in so many words, it leads to the index of the others
            question = question.where(sa.text("orders.status <> 'completed'"))
    if before_ms is not None:
        question = question.where(orders.c.placed_ms < before_ms)
    question = question.order_by(orders.c.placed_ms.desc(), orders.c.order_id).limit(limit)
    return [OrderRow(*row) for row in connection.execute(question)]


def order_counts(connection: sa.Connection) -> dict[tuple[bytes, str], int]:
    """Return how many orders each seller has in each state."""
    question = sa.select(orders.c.seller, orders.c.status, sa.func.count()).group_by(
        orders.c.seller, orders.c.status
    )
    return {(seller, status): count for seller, status, count in connection.execute(question)}


def _placed_row(key: Key, placement: Placement) -> dict[str, object]:
    placed = placement.placed
    return {
        "buyer": key[0],
        "order_id": key[1],
        "seller": placed.seller,
        "status": "placed",
        "cancellation": "none",
        "code": None,
        "currency": placed.currency,
        "total_minor": sum(total.gross_minor for total in placed.totals),
        "placed_ms": placement.time_ms,
        "moved_ms": placement.time_ms,
        "respond_by_ms": placed.respond_by_ms,
        "group_id": placed.group_id or None,
    }


def _insert(connection: sa.Connection) -> sa.Insert:
    """An insert that gives way to a row that is there: a flush may come twice, a placement never changes."""
    from sqlalchemy.dialects import postgresql, sqlite

    if connection.dialect.name == "sqlite":
        return sqlite.insert(orders).on_conflict_do_nothing()
    return postgresql.insert(orders).on_conflict_do_nothing()


_UPDATE = (
    sa.update(orders)
    .where(orders.c.buyer == bindparam("at_buyer"), orders.c.order_id == bindparam("at_order"))
    .values(
        status=bindparam("new_status"),
        cancellation=bindparam("new_cancellation"),
        code=bindparam("new_code"),
        total_minor=bindparam("new_total"),
        moved_ms=bindparam("new_moved"),
    )
)
