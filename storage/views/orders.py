"""The orders view: what a person's list of orders is made of, one row an order.

The fold's own tables answer by key; people ask by side, state and time. Rows follow from `placement` and
`deal` alone, so they are rebuilt with the rest of the views.
"""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from protocol.lanes.kind import Key
from protocol.lanes.trade.orders import Deal, Placement
from storage.asking import ask, ask_many
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


# For the state, which asks the driver itself. The first gives way to a row that is there: a flush may come twice, and
# a placement never changes. The rows of the second's orders are there.
ADD_ORDER = (
    "INSERT INTO orders (buyer, order_id, seller, status, cancellation, currency, total_minor, placed_ms, moved_ms,"
    " respond_by_ms, group_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING"
)
MOVE_ORDER = (
    "UPDATE orders SET status = ?, cancellation = ?, code = ?, total_minor = ?, moved_ms = ?"
    " WHERE buyer = ? AND order_id = ?"
)


def placed_values(key: Key, placement: Placement) -> tuple[object, ...]:
    """Return what `ADD_ORDER` is given of an order that became known."""
    placed = placement.placed
    total_minor = sum(total.gross_minor for total in placed.totals)
    return (
        *(*key, placed.seller, "placed", "none", placed.currency, total_minor),
        *(placement.time_ms, placement.time_ms, placed.respond_by_ms, placed.group_id or None),
    )


def moved_values(key: Key, deal: Deal) -> tuple[object, ...]:
    """Return what `MOVE_ORDER` is given of what the seller has said since."""
    _seller, buyer, order_id = key
    total_minor = sum(total.gross_minor for total in deal.totals)
    return deal.status, deal.cancellation, deal.code, total_minor, deal.time_ms, buyer, order_id


def find_orders(connection: sa.Connection, buyer: bytes, order_ids: Sequence[bytes]) -> dict[bytes, OrderRow]:
    """Return those of these orders of one buyer that are here, by their ids."""
    rows = (OrderRow(*row) for row in ask_many(connection, _FIND_ORDERS, (buyer,), order_ids))
    return {row.order_id: row for row in rows}


def list_orders(
    connection: sa.Connection,
    *,
    community: bytes,
    side: str,
    statuses: Sequence[str] = (),
    limit: int,
    before_ms: int | None = None,
    behind: bytes = b"",
) -> list[OrderRow]:
    """Return the orders that `community` sells (`side` "seller") or buys, newest first.

    With `before_ms` only older ones; with `behind`, an order's id, also those of that very time that come after it.
    """
    values: list[object] = [community]
    wanted = ["seller = ?" if side == "seller" else "buyer = ?"]
    if statuses:
        wanted.append(f"status IN ({', '.join('?' * len(statuses))})")
        values += statuses
        if "completed" not in statuses:  # said in so many words, it leads to the index of the others
            wanted.append("orders.status <> 'completed'")
    if before_ms is not None:
        wanted.append("placed_ms <= ?")
        values.append(before_ms)
        wanted.append("(placed_ms < ? OR order_id > ?)" if behind else "placed_ms < ?")
        values += [before_ms, behind] if behind else [before_ms]
    question = f"{_ORDERS} WHERE {' AND '.join(wanted)} ORDER BY placed_ms DESC, order_id LIMIT ?"
    return [OrderRow(*row) for row in ask(connection, question, (*values, limit))]


def order_counts(connection: sa.Connection) -> dict[tuple[bytes, str], int]:
    """Return how many orders each seller has in each state."""
    question = sa.select(orders.c.seller, orders.c.status, sa.func.count()).group_by(
        orders.c.seller, orders.c.status
    )
    return {(seller, status): count for seller, status, count in connection.execute(question)}


_ORDERS = (  # the fields of `OrderRow` in their order
    "SELECT buyer, order_id, seller, status, cancellation, code, currency, total_minor, placed_ms, moved_ms,"
    " respond_by_ms, group_id FROM orders"
)
_FIND_ORDERS = _ORDERS + " WHERE buyer = ? AND order_id IN ({})"
