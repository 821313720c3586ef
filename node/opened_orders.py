"""Orders that were opened lately, so that a desk does not open the same ones for every look at it."""

from collections import OrderedDict
from threading import Lock

import sqlalchemy as sa

from node.actions.sealed_parts import OpenedOrder, open_order
from protocol.identity.sealing import ReaderKey
from protocol.lanes.trade.orders import Placement
from storage.sealed import count_sealed_for

OPENED_ORDERS_MAX = 256


class OpenedOrders:
    """The orders of one reader that were opened lately: a desk shows the same ones over and over.

    Each time the store is asked whether all parts of an order are still here; one that was erased is forgotten.
    """

    def __init__(self, reader: ReaderKey, orders_max: int = OPENED_ORDERS_MAX) -> None:
        """Take the key that opens, and how many orders to keep."""
        self._reader = reader
        self._orders_max = orders_max
        self._kept: OrderedDict[bytes, OpenedOrder] = OrderedDict()
        self._guard = Lock()  # several threads read

    def open(self, connection: sa.Connection, placement: Placement) -> OpenedOrder:
        """Open an order as `open_order` does. It is known by its record's id, which covers all of it."""
        placed, record_id = placement.placed, placement.reference.record_id
        parts = {*placed.lines, placed.details}
        is_whole = count_sealed_for(connection, list(parts), self._reader.public) == len(parts)
        with self._guard:
            known = self._kept.pop(record_id, None)
            if known is not None and is_whole:
                self._kept[record_id] = known
                return known
        opened = open_order(connection, placed, self._reader)
        if is_whole:
            with self._guard:
                self._kept[record_id] = opened
                if len(self._kept) > self._orders_max:
                    self._kept.popitem(last=False)
        return opened
