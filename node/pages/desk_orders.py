"""The desk's orders: what waits for us, all of them, and one with the moves that are open.

The table of legal moves says which buttons there are; a move that another desk made first is shown, not repeated.
"""

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any

from node.actions.desk import OverviewQuery, show_overview
from node.actions.order_book import OrderAnswer, OrdersQuery, list_orders, show_order
from node.actions.selling import (
    CodedAnswer,
    OrderName,
    RefundDraft,
    accept_order,
    cancel_order,
    fulfil_order,
    refund_order,
    refuse_cancellation,
    reject_order,
)
from node.actions.shapes import is_id
from node.errors import NodeError, report
from node.locale import marked as _
from node.pages.answering import Answer, GoTo, Page
from node.pages.formats import say_time_left
from node.pages.forms import Form, FormRefused
from node.pages.order_words import has_wish, order_steps, say_reason, say_state, say_status
from node.pages.site import Asked, PageRoute
from protocol.amounts.rounding import largest_remainder
from protocol.amounts.split import TaxTotal
from protocol.errors import ProtocolError
from protocol.lanes.trade.orders import LEGAL_MOVES
from storage.errors import StorageError

ORDERS_PAGE = 50
DESK_LISTINGS = 12
DESK_ORDERS = 6  # of each group: a phone scrolls through no more; the rest moves up, and is under all orders
STATUSES = ("placed", "accepted", "fulfilled", "completed", "rejected", "cancelled")
REJECTION_CODES = ("sold_out", "closed", "cannot_deliver", "price_mistake", "by_seller")
REFUND_CODES = ("damaged", "missing", "price_mistake", "by_seller")
SEALED_CODES = ("details_missing", "details_mismatch")

_KINDS = {
    "acceptance": "order.accepted",
    "rejection": "order.rejected",
    "fulfilment": "order.fulfilled",
    "cancellation": "order.cancelled",
    "cancellation-refusal": "cancellation.refused",
    "refund": "order.refunded",
}
_LEADS_TO = {
    "acceptance": "accepted",
    "rejection": "rejected",
    "fulfilment": "fulfilled",
    "cancellation": "cancelled",
}


@dataclass(frozen=True, slots=True)
class DueOrder:
    """An order on the desk: how long there is to answer, in words; nothing where the time is over."""

    order: OrderAnswer
    status: str
    time_left: str


async def show_whole_desk(asked: Asked) -> Page:
    """Show what needs a word of ours, then our listings."""
    query = OverviewQuery(orders=DESK_ORDERS, listings=DESK_LISTINGS + 1)
    overview = await show_overview(asked.node, query)
    desk, listings = overview.desk, overview.listings
    groups = (
        ("to_release", desk.to_release, desk.to_release_count),
        ("to_answer", desk.to_answer, desk.to_answer_count),
        ("to_fulfil", desk.to_fulfil, desk.to_fulfil_count),
    )
    values = {
        "section": "desk",
        "groups": {name: [_due(asked, order) for order in orders] for name, orders, _count in groups},
        "counts": {name: _count_text(len(orders), count) for name, orders, count in groups},
        "listings": listings[:DESK_LISTINGS],
        "listings_count": _count_text(min(len(listings), DESK_LISTINGS), len(listings)),
        "sectors": overview.sectors,
    }
    return Page("desk.html", values)


async def show_orders(asked: Asked) -> Page:
    """Show our sales, newest first, of one state or of all."""
    status = asked.query("status")
    if status and status not in STATUSES:
        raise NodeError("not_found", status[:20])
    query = OrdersQuery(
        side="seller",
        statuses=[status] if status else [],  # type: ignore[list-item]  # one of the six
        before_ms=asked.query_number("before"),
        behind=asked.query("behind") if is_id(asked.query("behind")) else None,
        limit=ORDERS_PAGE,
    )
    orders = (await list_orders(asked.node, query)).orders
    values = {
        "section": "desk",
        "rows": [{"order": order, "status": say_status(order, asked.visit.language)} for order in orders],
        "status": status,
        "statuses": STATUSES,
        "status_words": {known: say_state(known, asked.visit.language) for known in STATUSES},
        "last": orders[-1] if len(orders) == ORDERS_PAGE else None,
    }
    return Page("desk_orders.html", values)


async def show_sale(asked: Asked) -> Page:
    """Show one sale with everything that the shop needs to do it."""
    return _order_page(asked, await _sale(asked))


async def make_move(asked: Asked) -> Answer:
    """Make the move of the address, or show the order again with what stood in the way."""
    order, word = await _sale(asked), asked.path["move"]
    if word not in _KINDS:
        raise NodeError("not_found", word[:40])
    if _LEADS_TO.get(word) == order.status:
        return GoTo(_address(order))
    name = OrderName(buyer=order.buyer, order_id=order.order_id)
    try:
        await _MOVES[word](asked, name, order)
    except FormRefused as refused:
        return _order_page(asked, order, faults=refused.faults)
    except (NodeError, ProtocolError, StorageError) as error:
        return _order_page(asked, await _sale(asked), refused=error)
    return GoTo(_address(order))


def open_moves(order: OrderAnswer) -> frozenset[str]:
    """Return which words the shop may say about an order now."""
    legal = {word for word, kind in _KINDS.items() if (order.status, kind) in LEGAL_MOVES}
    if not has_wish(order):
        legal.discard("cancellation-refusal")
    if order.opened != "yes":
        legal.discard("acceptance")
    if order.status == "placed" and not has_wish(order):
        legal.discard("cancellation")  # to decline is the plainer word for it
    if not order.total_minor:
        legal.discard("refund")
    return frozenset(legal)


def refunded_totals(totals: list[TaxTotal], refund_minor: int) -> list[TaxTotal]:
    """Return the totals after a refund, taken from every tax class in proportion; none rises."""
    left_minor = sum(total.gross_minor for total in totals) - refund_minor
    parts = largest_remainder(left_minor, [total.gross_minor for total in totals])
    return [
        TaxTotal(tax_class=total.tax_class, rate_bp=total.rate_bp, gross_minor=part)
        for total, part in zip(totals, parts, strict=True)
    ]


async def _accept(asked: Asked, name: OrderName, _order: OrderAnswer) -> None:
    await accept_order(asked.node, name)


async def _fulfil(asked: Asked, name: OrderName, _order: OrderAnswer) -> None:
    await fulfil_order(asked.node, name)


async def _reject(asked: Asked, name: OrderName, _order: OrderAnswer) -> None:
    await reject_order(asked.node, _coded(asked.form, name, (*REJECTION_CODES, *SEALED_CODES)))


async def _cancel(asked: Asked, name: OrderName, order: OrderAnswer) -> None:
    if has_wish(order):
        released = CodedAnswer(buyer=name.buyer, order_id=name.order_id, code="by_buyer")
        await cancel_order(asked.node, released)
    else:
        await cancel_order(asked.node, _coded(asked.form, name, REJECTION_CODES))


async def _refuse(asked: Asked, name: OrderName, _order: OrderAnswer) -> None:
    await refuse_cancellation(asked.node, CodedAnswer(buyer=name.buyer, order_id=name.order_id))


async def _refund(asked: Asked, name: OrderName, order: OrderAnswer) -> None:
    """The form names the total that was seen: sent twice, or from two desks at once, it refunds once."""
    form = asked.form
    code = form.choice("refund_code", REFUND_CODES)
    is_whole = form["whole"] == "yes"
    amount_minor = order.total_minor if is_whole else form.money("amount", order.currency)
    if form["seen_total_minor"] != str(order.total_minor):
        form.refuse("amount", _("The order's total has changed meanwhile. Look at it again."))
    elif not 0 < amount_minor <= order.total_minor:
        form.refuse("amount", _("Write an amount above zero, at most the order's total."))
    form.check()
    totals = refunded_totals(order.totals, amount_minor)
    draft = RefundDraft(buyer=name.buyer, order_id=name.order_id, totals=totals, code=code)
    await refund_order(asked.node, draft)


_Move = Callable[[Asked, OrderName, OrderAnswer], Awaitable[None]]
_MOVES: Mapping[str, _Move] = {
    "acceptance": _accept,
    "rejection": _reject,
    "fulfilment": _fulfil,
    "cancellation": _cancel,
    "cancellation-refusal": _refuse,
    "refund": _refund,
}


def _coded(form: Form, name: OrderName, known: tuple[str, ...]) -> CodedAnswer:
    code = form.choice("code", known)
    form.check()
    return CodedAnswer(buyer=name.buyer, order_id=name.order_id, code=code)


async def _sale(asked: Asked) -> OrderAnswer:
    name = OrderName(buyer=asked.path["buyer"], order_id=asked.path["order_id"])
    order = await show_order(asked.node, name)
    if order.seller != asked.node.vault.community_text:
        raise NodeError("not_found", "no such sale of this community")
    return order


def _order_page(
    asked: Asked,
    order: OrderAnswer,
    *,
    faults: Mapping[str, str] | None = None,
    refused: BaseException | None = None,
) -> Page:
    language = asked.visit.language
    said = report(refused, language=language) if refused else None
    sealed = [code for code in SEALED_CODES if order.opened != "yes"]
    values: dict[str, Any] = {
        "section": "desk",
        "due": _due(asked, order),
        "order": order,
        "address": _address(order),
        "steps": order_steps(order, asked.node.clock.now(), language),
        "moves": open_moves(order),
        "has_wish": has_wish(order),
        "shop": next((line.shop_name for line in order.lines if line.shop_name), None),
        "reject_codes": [(code, say_reason(code, language)) for code in (*sealed, *REJECTION_CODES)],
        "cancel_codes": [(code, say_reason(code, language)) for code in REJECTION_CODES],
        "refund_codes": [(code, say_reason(code, language)) for code in REFUND_CODES],
        "faults": faults or {},
        "typed": asked.form,
        "refused": said,
    }
    return Page("desk_order.html", values, status=422 if faults else said.status if said else 200)


def _due(asked: Asked, order: OrderAnswer) -> DueOrder:
    language = asked.visit.language
    left = say_time_left(order.respond_by_ms, asked.node.clock.now(), language)
    return DueOrder(order, say_status(order, language), left)


def _address(order: OrderAnswer) -> str:
    return f"/desk/orders/{order.buyer}/{order.order_id}"


def _count_text(shown: int, count: int) -> str:
    return f"{shown}+" if count > shown else str(count)


DESK_ORDER_PAGES = (
    PageRoute(method="GET", path="/desk", show=show_whole_desk, needs="shopkeeper"),
    PageRoute(method="GET", path="/desk/orders", show=show_orders, needs="shopkeeper"),
    PageRoute(method="GET", path="/desk/orders/{buyer}/{order_id}", show=show_sale, needs="shopkeeper"),
    PageRoute(
        method="POST", path="/desk/orders/{buyer}/{order_id}/{move}", show=make_move, needs="shopkeeper"
    ),
)
