"""Lists of orders: by side, state and time, and quick where a few are open among very many."""

import random
from pathlib import Path

import pytest
import sqlalchemy as sa

from storage.engine import Store, open_store
from storage.schema.views import orders
from storage.views.orders import OrderRow, list_orders

SELLER, BUYER, OTHER = b"s" * 32, b"b" * 32, b"o" * 32
STATUSES = ("placed", "accepted", "fulfilled", "completed", "rejected", "cancelled")


def rows(count: int, seed: int) -> list[OrderRow]:
    """Orders of which hardly any is open, as after a year of trade."""
    chance = random.Random(seed)
    return [
        OrderRow(
            buyer=chance.choice((BUYER, SELLER)),
            order_id=number.to_bytes(16, "big"),
            seller=SELLER if number % 10 else OTHER,
            status="completed" if number % 50 else chance.choice(STATUSES),
            cancellation="none",
            code=None,
            currency="EUR",
            total_minor=number,
            placed_ms=chance.randrange(count),
            moved_ms=number,
            respond_by_ms=number,
            group_id=None,
        )
        for number in range(count)
    ]


@pytest.mark.parametrize("statuses", [(), *((status,) for status in STATUSES), ("placed", "completed")])
@pytest.mark.parametrize("before_ms", [None, 250])
def test_a_list_is_what_a_look_at_every_order_finds(
    store: Store, statuses: tuple[str, ...], before_ms: int | None
) -> None:
    """Newest first, of the asked states and side, older than asked, no more than asked."""
    known = rows(500, seed=7)
    with store.write() as connection:
        connection.execute(sa.insert(orders), [row._asdict() for row in known])
    for side in ("seller", "buyer"):
        wanted = [
            row
            for row in known
            if getattr(row, side) == SELLER
            and (not statuses or row.status in statuses)
            and (before_ms is None or row.placed_ms < before_ms)
        ]
        wanted.sort(key=lambda row: (-row.placed_ms, row.order_id))
        with store.read() as connection:
            found = list_orders(
                connection, community=SELLER, side=side, statuses=statuses, limit=20, before_ms=before_ms
            )
        assert found == wanted[:20]


def test_page_behind_page_shows_every_order_once(store: Store) -> None:
    """Also where many were placed in one millisecond, as when a market opens."""
    known = [row._replace(placed_ms=row.placed_ms // 100) for row in rows(300, seed=5)]
    with store.write() as connection:
        connection.execute(sa.insert(orders), [row._asdict() for row in known])
    seen: list[OrderRow] = []
    with store.read() as connection:
        while page := list_orders(
            connection,
            community=SELLER,
            side="seller",
            limit=7,
            before_ms=seen[-1].placed_ms if seen else None,
            behind=seen[-1].order_id if seen else b"",
        ):
            seen += page
    wanted = [row for row in known if row.seller == SELLER]
    assert seen == sorted(wanted, key=lambda row: (-row.placed_ms, row.order_id))


@pytest.mark.parametrize("status", [status for status in STATUSES if status != "completed"])
def test_the_few_open_orders_are_found_without_reading_the_completed_ones(
    tmp_path: Path, status: str
) -> None:
    """SQLite says which index it takes (PostgreSQL goes by its statistics); the desk asks with every look at it."""
    asked: list[str] = []
    with open_store(str(tmp_path / "store")) as store, store.read() as connection:
        driver = connection.connection.driver_connection
        assert driver is not None
        driver.set_trace_callback(asked.append)
        list_orders(connection, community=SELLER, side="seller", statuses=[status], limit=20)
        driver.set_trace_callback(None)
        plan = connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {asked[0]}").all()
    assert "open_orders_by_seller (seller=? AND status=?)" in plan[0][3]
