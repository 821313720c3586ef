"""Ordering: from the page of a listing to an order that its link shows to whoever has it, and a member's own orders.

A visitor needs no account: the link is the key. It holds the order's id and a mark that only this node makes, so it
cannot be guessed from what stands in the lane.
"""

from node.actions.buying import (
    CancellationDraft,
    DetailsDraft,
    LineDraft,
    OrderDraft,
    OwnOrderName,
    confirm_receipt,
    place_order,
    request_cancellation,
)
from node.actions.listings import ListingAnswer
from node.actions.order_book import OrderAnswer, show_order
from node.actions.people import (
    PersonOrderName,
    PersonOrdersQuery,
    note_order_of_person,
    orders_of_person,
)
from node.actions.selling import OrderName
from node.actions.shapes import is_id
from node.errors import NodeError
from node.locale import marked as _
from node.pages.answering import Answer, GoTo, Page
from node.pages.forms import Form, FormRefused
from node.pages.links import draw_qr, link_base
from node.pages.order_words import has_wish, order_steps, say_status
from node.pages.site import Asked, PageRoute
from node.pages.storefront import listing_asked_for, listing_page
from protocol.amounts.quantity import parse_quantity
from protocol.errors import ProtocolError
from protocol.identity.keys import to_base32
from protocol.limits import CONTACT_CHARACTERS_MAX, NOTE_CHARACTERS_MAX

ORDERS_PAGE = 30
_PURPOSE = "order"


def order_link(asked: Asked, order_id: str) -> str:
    """Return the address that shows an order of ours to whoever has it."""
    return f"/o/{order_id}.{asked.seals.mark(_PURPOSE, order_id)}"


async def order_listing(asked: Asked) -> Answer:
    """Place an order for one listing, or show the form again with what is wrong."""
    listing = await listing_asked_for(asked)
    try:
        draft = _draft(asked.form, listing)
    except FormRefused as refused:
        return await listing_page(asked, faults=refused.faults)
    try:
        placed = await place_order(asked.node, draft)
    except (NodeError, ProtocolError) as error:
        return await listing_page(asked, refused=error)
    if asked.visit.person is not None:
        person_id = asked.visit.person.person_id
        await note_order_of_person(asked.node, PersonOrderName(person_id=person_id, order_id=placed.order_id))
    return GoTo(order_link(asked, placed.order_id))


async def show_own_order(asked: Asked) -> Page:
    """Show an order to whoever has its link."""
    return await _order_page(asked, await _order_of_link(asked))


async def cancel_own_order(asked: Asked) -> GoTo:
    """Ask the shop to be released from an order; a second click finds that it was asked, or done."""
    order = await _order_of_link(asked)
    if order.status != "cancelled" and not has_wish(order):
        await request_cancellation(asked.node, CancellationDraft(order_id=order.order_id))
    return GoTo(order_link(asked, order.order_id))


async def receive_own_order(asked: Asked) -> GoTo:
    """Say that the order has arrived; a second click finds that it was said."""
    order = await _order_of_link(asked)
    if order.status != "completed" and "order.received" not in order.waiting:
        await confirm_receipt(asked.node, OwnOrderName(order_id=order.order_id))
    return GoTo(order_link(asked, order.order_id))


async def show_my_orders(asked: Asked) -> Page:
    """Show what the person who is logged in has ordered, newest first."""
    assert asked.visit.person is not None, "the address needs a member"
    query = PersonOrdersQuery(
        person_id=asked.visit.person.person_id,
        before_ms=asked.query_number("before"),
        limit=ORDERS_PAGE,
    )
    orders = (await orders_of_person(asked.node, query)).orders
    rows = [
        {
            "order": noted.order,
            "link": order_link(asked, noted.order_id),
            "status": say_status(noted.order, asked.visit.language),
        }
        for noted in orders
        if noted.order is not None
    ]
    values = {
        "section": "orders",
        "rows": rows,
        "before": orders[-1].noted_ms if len(orders) == ORDERS_PAGE else None,
    }
    return Page("my_orders.html", values)


def _draft(form: Form, listing: ListingAnswer) -> OrderDraft:
    """Return the order that a form asks for. Raises `FormRefused`."""
    steps = _steps(form, listing)
    fulfilment = form.choice("fulfilment", list(listing.fulfilment))
    details = DetailsDraft(
        fulfilment=fulfilment if fulfilment in listing.fulfilment else listing.fulfilment[0],
        name=form.text("name", characters_max=CONTACT_CHARACTERS_MAX, is_required=True)[
            :CONTACT_CHARACTERS_MAX
        ],
        contact=form.text("contact", characters_max=CONTACT_CHARACTERS_MAX, is_required=True)[
            :CONTACT_CHARACTERS_MAX
        ],
        address=form.text(
            "address",
            characters_max=CONTACT_CHARACTERS_MAX,
            is_required=fulfilment in ("delivery", "ship", "onsite"),
        )[:CONTACT_CHARACTERS_MAX]
        or None,
        note=form.text("note", characters_max=NOTE_CHARACTERS_MAX)[:NOTE_CHARACTERS_MAX] or None,
    )
    if form["consent"] != "yes":
        form.refuse("consent", _("Tick this to order."))
    if form["price_seen"] != str(listing.price.amount_minor):
        form.refuse("quantity", _("The price has changed meanwhile. Look at it again, then order."))
    if not is_id(form["order_id"]):
        raise NodeError("request_field_refused", "order_id")
    form.check()
    return OrderDraft(
        seller=listing.community,
        lines=[LineDraft(sector=listing.sector, listing_id=listing.listing_id, steps=steps)],
        details=details,
        order_id=form["order_id"],
    )


def _steps(form: Form, listing: ListingAnswer) -> int:
    try:
        return max(1, parse_quantity(form["quantity"].replace(",", "."), listing.quantity_scale))
    except ProtocolError:
        form.refuse("quantity", _("Write how much, such as 1 or 0.5 where the unit allows it."))
        return 1


async def _order_of_link(asked: Asked) -> OrderAnswer:
    """Return the order of a link, or refuse one that this node did not make."""
    order_id, _dot, mark = asked.path["link"].partition(".")
    if not is_id(order_id) or not asked.seals.is_mark(mark, _PURPOSE, order_id):
        raise NodeError("order_link_unknown")
    own = to_base32(asked.node.community)
    return await show_order(asked.node, OrderName(buyer=own, order_id=order_id))


async def _order_page(asked: Asked, order: OrderAnswer) -> Page:
    address = link_base(asked) + order_link(asked, order.order_id)
    values = {
        "section": "orders" if asked.visit.person else "search",
        "order": order,
        "link": order_link(asked, order.order_id),
        "address": address,
        "qr": draw_qr(address),
        "status": say_status(order, asked.visit.language),
        "steps": order_steps(order, asked.node.clock.now(), asked.visit.language),
        "may_cancel": order.status in ("placed", "accepted")
        and order.cancellation == "none"
        and not has_wish(order),
        "may_receive": order.status == "fulfilled" and "order.received" not in order.waiting,
    }
    return Page("order.html", values)


ORDERING_PAGES = (
    PageRoute(method="POST", path="/listings/{community}/{sector}/{listing_id}/order", show=order_listing),
    PageRoute(method="GET", path="/o/{link}", show=show_own_order),
    PageRoute(method="POST", path="/o/{link}/cancellation", show=cancel_own_order),
    PageRoute(method="POST", path="/o/{link}/receipt", show=receive_own_order),
    PageRoute(method="GET", path="/orders", show=show_my_orders, needs="member"),
)
