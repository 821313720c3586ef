"""The community's own exact stock, which no lane shows: on hand, and committed to accepted orders.

A commitment moves in the transaction that writes the acceptance, so nothing is sold twice. Amounts are steps
of the listing's quantity. A listing without a row here is not counted.
"""

from collections.abc import Sequence
from typing import NamedTuple

import sqlalchemy as sa

from storage.asking import ask_many, ask_one
from storage.errors import StorageError
from storage.schema.facts import stock


class Stock(NamedTuple):
    """Steps on hand, and how many of them are promised. A recount may find fewer than promised."""

    on_hand: int
    committed: int

    @property
    def available(self) -> int:
        """Steps that may still be sold."""
        return max(0, self.on_hand - self.committed)


def set_on_hand(connection: sa.Connection, listing_key: str, steps: int) -> None:
    """Say how many steps are on hand after a count or a delivery; commitments stay."""
    this = stock.c.listing_key == listing_key
    if not connection.execute(sa.update(stock).where(this).values(on_hand=steps)).rowcount:
        connection.execute(sa.insert(stock).values(listing_key=listing_key, on_hand=steps, committed=0))


def stock_of(connection: sa.Connection, listing_key: str) -> Stock | None:
    """Return the stock of a listing, or None where none is counted."""
    row = ask_one(connection, _FIND, (listing_key,))
    return None if row is None else Stock(*row)


def stocks_of(connection: sa.Connection, listing_keys: Sequence[str]) -> dict[str, Stock]:
    """Return the stocks of many listings at once, by key; those that are not counted are left out."""
    rows = ask_many(connection, _FIND_MANY, (), listing_keys)
    return {key: Stock(on_hand, committed) for key, on_hand, committed in rows}


def is_stock_counted(connection: sa.Connection) -> bool:
    """Return whether the stock of any listing is counted."""
    return connection.execute(_ANY).first() is not None


def commit_stock(connection: sa.Connection, listing_key: str, steps: int) -> None:
    """Promise `steps` to an order, or raise `stock_short` or `stock_unknown` and change nothing."""
    enough = stock.c.on_hand - stock.c.committed >= steps
    _move(connection, listing_key, enough, "stock_short", committed=stock.c.committed + steps)


def release_stock(connection: sa.Connection, listing_key: str, steps: int) -> None:
    """Take a promise back, for a cancelled order; past what is promised raises `stock_release_beyond`."""
    promised = stock.c.committed >= steps
    _move(connection, listing_key, promised, "stock_release_beyond", committed=stock.c.committed - steps)


def ship_stock(connection: sa.Connection, listing_key: str, steps: int) -> None:
    """Let promised steps leave the house; past what is promised or there raises `stock_release_beyond`."""
    _move(
        connection,
        listing_key,
        (stock.c.committed >= steps) & (stock.c.on_hand >= steps),
        "stock_release_beyond",
        on_hand=stock.c.on_hand - steps,
        committed=stock.c.committed - steps,
    )


def _move(
    connection: sa.Connection,
    listing_key: str,
    allowed: sa.ColumnElement[bool],
    code: str,
    **values: sa.ColumnElement[int],
) -> None:
    """Change one row where `allowed` holds; the database judges, so two writers cannot both pass."""
    this = stock.c.listing_key == listing_key
    if connection.execute(sa.update(stock).where(this, allowed).values(**values)).rowcount:
        return
    known = stock_of(connection, listing_key)
    if known is None:
        raise StorageError("stock_unknown", listing_key)
    raise StorageError(code, f"{listing_key}: {known.on_hand} on hand, {known.committed} committed")


_FIND = "SELECT on_hand, committed FROM stock WHERE listing_key = ?"
_FIND_MANY = "SELECT listing_key, on_hand, committed FROM stock WHERE listing_key IN ({})"
_ANY = sa.select(stock.c.on_hand).limit(1)
