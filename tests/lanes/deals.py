"""Orders brought to any status by the moves that lead there, for tests of the tables of moves.

deal = Dealing(); deal.reach("fulfilled"); deal.seller_says("order.completed", deal.received())
"""

from copy import copy
from typing import Any

from protocol.amounts.split import TaxTotal
from protocol.dict_state import DictState
from protocol.lanes.kind import TRADE, Reference
from protocol.lanes.trade.orders import Deal
from tests.village import Village, fold_all

STATUSES = ("placed", "accepted", "fulfilled", "completed", "rejected", "cancelled")
BUYER_MOVES = ("cancellation.requested", "order.received")
SELLER_MOVES = (
    "order.accepted",
    "order.rejected",
    "order.taken",
    "order.cancelled",
    "cancellation.refused",
    "order.fulfilled",
    "order.completed",
    "order.refunded",
)
WITH_CODE = {"order.rejected", "order.cancelled", "cancellation.refused", "order.refunded"}
# How an order gets to a status; the first move takes the order itself, completion takes a receipt.
_WAYS = {
    "placed": ("order.taken",),
    "accepted": ("order.accepted",),
    "fulfilled": ("order.accepted", "order.fulfilled"),
    "completed": ("order.accepted", "order.fulfilled", "order.completed"),
    "rejected": ("order.rejected",),
    "cancelled": ("order.accepted", "order.cancelled"),
}


class Dealing:
    """A shop, a home (which may be the same community) and one order between them."""

    def __init__(self, *, same_community: bool = False) -> None:
        self.shop = Village("shop")
        self.home = self.shop if same_community else Village("home")
        for village in self.villages:
            village.adopt()
        self._begin("order")

    def another(self, order: str = "other order") -> "Dealing":
        """Another order between the same two."""
        other = copy(self)
        other._begin(order)
        return other

    def _begin(self, order: str) -> None:
        self.key = self.home.key(order)
        self.placed = self.home.place(self.shop, order)
        self.gross_minor = 10_700

    @property
    def villages(self) -> list[Village]:
        return [self.shop] if self.shop is self.home else [self.shop, self.home]

    def reach(self, status: str) -> None:
        """Say what brings the order to `status`, in which the seller has taken it."""
        for number, kind in enumerate(_WAYS[status]):
            self.seller_says(kind, *([self.placed] if number == 0 else self.need(kind)))

    def buyer_says(self, kind: str) -> Reference:
        return self.home.say(TRADE, kind, order_id=self.key.order_id)

    def need(self, kind: str) -> list[Reference]:
        """Say what a seller's move has to take, beside the order itself, and return it."""
        needed = {"order.completed": "order.received", "cancellation.refused": "cancellation.requested"}
        return [self.buyer_says(needed[kind])] if kind in needed else []

    def seller_says(self, kind: str, *takes: Reference) -> Reference:
        return self.shop.say(TRADE, kind, **self.fields(kind, *takes))

    def fields(self, kind: str, *takes: Reference) -> dict[str, Any]:
        """The body of a seller's move: legal in itself, whatever the order's status."""
        fields: dict[str, Any] = {"order": self.key, "takes": list(takes)}
        if kind in WITH_CODE:
            fields["code"] = "out_of_stock"
        if kind == "order.refunded":
            self.gross_minor -= 100
            fields["totals"] = [TaxTotal(tax_class="food", rate_bp=700, gross_minor=self.gross_minor)]
        return fields

    def fold(self) -> DictState:
        return fold_all(*self.villages)[0]

    def deal(self, state: DictState) -> Deal | None:
        found: Deal | None = state.get("deal", (self.shop.community, *self.name))
        return found

    @property
    def name(self) -> tuple[bytes, bytes]:
        return self.home.community, self.key.order_id


def code_at(state: DictState, reference: Reference) -> str | None:
    """The code by which the entry is void, or None."""
    void = state.get("void", reference.position)
    return void.code if void else None
