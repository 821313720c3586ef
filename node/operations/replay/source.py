"""The source of a replay: CSV files, plain or packed with gzip, in the shape of Olist's public data set.

    source = read_source(Path("olist"))      # sellers, customers, products, orders and items
    source.items[source.orders[0].order_id]

What a row says about one order alone is judged there: a malformed one is counted under a reason and not
replayed. Who lives where holds for all orders, so a malformed row of those files ends the reading.
"""

import csv
import gzip
import re
import zlib
from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from io import TextIOWrapper
from pathlib import Path

from node.errors import NodeError
from protocol.amounts.money import parse_amount
from protocol.errors import AmountError

CURRENCY = "BRL"
ENDINGS = (".csv", ".csv.gz")
"""Of two files of one name, the plain one is read."""

DATES: Mapping[str, str] = {
    "order_purchase_timestamp": "source_purchased",
    "order_approved_at": "source_approved",
    "order_delivered_carrier_date": "source_shipped",
    "order_delivered_customer_date": "source_delivered",
    "order_estimated_delivery_date": "source_estimated",
}
"""Columns of the orders -> the attributes in which their days stand."""

_STATE = re.compile(r"[A-Za-z0-9-]{0,8}")
_ANY = re.compile(r".*", re.DOTALL)

Row = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SourceOrder:
    """One row of the orders; `days` has those dates that are given, by attribute, to the day."""

    order_id: str
    customer_id: str
    status: str
    purchased: datetime
    days: Mapping[str, str]

    @property
    def is_delivered(self) -> bool:
        """Whether it reached the customer, whatever became of it then."""
        return "source_delivered" in self.days


@dataclass(frozen=True, slots=True)
class SourceItem:
    """One piece of a product, with its price and its part of the freight."""

    product_id: str
    seller_id: str
    price_minor: int
    freight_minor: int


@dataclass(frozen=True, slots=True)
class Source:
    """All that is replayed from. Every mapping is by the id of the source; orders stand as in their file.

    `faulty_items` are the orders of which an item cannot be read; `not_read` counts by reason the orders that
    are not among `orders` at all.
    """

    seller_states: Mapping[str, str]
    customer_states: Mapping[str, str]
    categories: Mapping[str, str]
    orders: Sequence[SourceOrder]
    items: Mapping[str, Sequence[SourceItem]]
    faulty_items: frozenset[str]
    not_read: Mapping[str, int]


def read_source(folder: Path) -> Source:
    """Read a folder.

    Raises `NodeError`: `file_missing` without one of the five files, `replay_malformed` with file and line.
    """
    orders, unread, not_read = _read_orders(folder)
    items, faulty_items = _read_items(folder)
    not_read["order_missing"] = len((items.keys() | faulty_items) - orders.keys() - unread)
    return Source(
        seller_states=_column(folder, "sellers", "seller_id", "seller_state", form=_STATE),
        customer_states=_column(folder, "customers", "customer_id", "customer_state", form=_STATE),
        categories=_column(folder, "products", "product_id", "product_category_name", form=_ANY),
        orders=list(orders.values()),
        items=items,
        faulty_items=frozenset(faulty_items),
        not_read=+not_read,
    )


def _read_orders(folder: Path) -> tuple[dict[str, SourceOrder], set[str], Counter[str]]:
    """Return the orders, the ids of those whose row is malformed, and how many rows gave no order."""
    orders: dict[str, SourceOrder] = {}
    unread: set[str] = set()
    not_read: Counter[str] = Counter()
    for _place, row in _rows(folder, "orders", ("order_id", "customer_id", "order_status", *DATES)):
        order_id = row.get("order_id", "")
        if order_id in orders or order_id in unread:
            not_read["order_repeated"] += 1
            continue
        order = _order(row) if order_id else None
        if order is None:
            not_read["order_malformed"] += 1
            unread |= {order_id} - {""}
        else:
            orders[order_id] = order
    return orders, unread, not_read


def _order(row: Row) -> SourceOrder | None:
    """Return an order, or None where its row is malformed."""
    try:
        purchased = datetime.fromisoformat(row["order_purchase_timestamp"])
        days = {name: _day(row[column]) for column, name in DATES.items() if row[column]}
    except (KeyError, ValueError):
        return None
    if purchased.tzinfo is not None:
        return None
    return SourceOrder(row["order_id"], row["customer_id"], row["order_status"], purchased, days)


def _day(text: str) -> str:
    return datetime.fromisoformat(text).date().isoformat()


def _read_items(folder: Path) -> tuple[dict[str, list[SourceItem]], set[str]]:
    """Return the items by order, and the orders of which one cannot be read."""
    items: dict[str, list[SourceItem]] = defaultdict(list)
    faulty: set[str] = set()
    columns = ("order_id", "product_id", "seller_id", "price", "freight_value")
    for place, row in _rows(folder, "items", columns):
        order_id = row.get("order_id", "")
        if not order_id:
            raise NodeError("replay_malformed", f"{place}: the item names no order")
        try:
            price_minor = parse_amount(row["price"], CURRENCY)
            freight_minor = parse_amount(row["freight_value"], CURRENCY)
            items[order_id].append(
                SourceItem(row["product_id"], row["seller_id"], price_minor, freight_minor)
            )
        except (KeyError, AmountError):
            faulty.add(order_id)
    return dict(items), faulty


def _column(folder: Path, name: str, key: str, value: str, *, form: re.Pattern[str]) -> dict[str, str]:
    """Return one column of a file by its id; rows may repeat each other, not contradict."""
    found: dict[str, str] = {}
    for place, row in _rows(folder, name, (key, value)):
        if not row.get(key) or value not in row:
            raise NodeError("replay_malformed", f"{place}: {key} or {value} is missing")
        if form.fullmatch(row[value]) is None:
            raise NodeError("replay_malformed", f"{place}: {value} is {row[value][:40]!r}")
        if found.setdefault(row[key], row[value]) != row[value]:
            raise NodeError(
                "replay_malformed", f"{place}: contradicts an earlier line about {row[key][:40]!r}"
            )
    return found


def _rows(folder: Path, name: str, columns: Sequence[str]) -> Iterator[tuple[str, Row]]:
    """Yield the place of each row, and the row by column; one with too few or too many cells has its first only."""
    with _opened(folder, name) as (path, file):
        reader = csv.reader(file, strict=True)
        place = f"{path.name}: line 1"
        try:
            header = next(reader, [])
            if not set(columns) <= set(header):
                raise NodeError("replay_malformed", f"{place}: it has to name {', '.join(columns)}")
            for cells in reader:
                place = f"{path.name}: line {reader.line_num}"
                if cells:
                    width = len(header) if len(cells) == len(header) else 1
                    yield place, dict(zip(header[:width], cells[:width], strict=True))
        except (csv.Error, UnicodeDecodeError, EOFError, zlib.error, gzip.BadGzipFile) as error:
            raise NodeError(
                "replay_malformed", f"{path.name}: after line {reader.line_num}: {error}"
            ) from error


@contextmanager
def _opened(folder: Path, name: str) -> Iterator[tuple[Path, TextIOWrapper]]:
    """Open a file of the source as text: UTF-8, with a byte order mark or without."""
    for ending in ENDINGS:
        path = folder / (name + ending)
        if path.is_file():
            with path.open("rb") as packed:
                raw = gzip.GzipFile(fileobj=packed) if ending.endswith(".gz") else packed
                with TextIOWrapper(raw, encoding="utf-8-sig", newline="") as file:
                    yield path, file
            return
    raise NodeError("file_missing", f"{folder}: {' or '.join(name + ending for ending in ENDINGS)}")
