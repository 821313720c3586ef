"""`wildgrass order`: the buyer's moves and the seller's, and what an order looks like."""

from gettext import gettext as _
from typing import Any

import click

from node.cli.options import amount, attributes_of, given, object_of, pairs, percent
from node.cli.order_text import order_lines, order_table
from node.cli.session import Session, command, group, read_file
from node.client import in_path

STATUSES = ("placed", "accepted", "rejected", "cancelled", "fulfilled", "completed")


@command("place", help=_("Place an order with a community that this node follows."))
@click.option("--seller", help=_("The seller's community."))
@click.option("--line", "lines", multiple=True, help=_("SECTOR/LISTING=QUANTITY in steps, several times."))
@click.option("--fulfilment", help=_("pickup, delivery, ship or onsite."))
@click.option("--name", help=_("Who buys; sealed for the two communities."))
@click.option("--contact", help=_("How to reach the buyer; sealed."))
@click.option("--address", help=_("Where to deliver; sealed."))
@click.option("--note", help=_("A word to the seller; sealed."))
@click.option("--policy", "policy_id", help=_("The policy that shares the revenue."))
@click.option("--collector", type=click.Choice(["seller", "buyer"]), help=_("Whose side collects the money."))
@click.option(
    "--respond-within", "respond_within_hours", type=int, help=_("Hours in which the seller answers.")
)
@click.option("--order", "order_id", help=_("An id of your own: sent again, it is the same order."))
@click.option("--group", "group_id", help=_("The basket that this order belongs to."))
@click.option("--attribute", "attributes", multiple=True, help=_("NAME=VALUE, several times."))
@click.option("--file", "path", help=_("Fields from a JSON file, - for standard input; options win."))
def place(session: Session, path: str | None, **options: Any) -> None:
    """Place."""
    fields = object_of(read_file(path)) if path else {}
    told = given(**{name: options.pop(name) for name in ("fulfilment", "name", "contact", "address", "note")})
    details = {**fields.get("details", {"fulfilment": "pickup"}), **told}
    lines = [_line(text) for text in options.pop("lines")]
    attributes = attributes_of(options.pop("attributes"))
    fields |= given(**options, lines=lines, details=details, attributes=attributes)
    answer = session.ask("POST", "/orders", fields)
    session.show(
        answer, _("Placed. Order: {buyer} {id}").format(buyer=answer["buyer"], id=answer["order_id"])
    )


@command("list", help=_("List our orders of one side, newest first."))
@click.option(
    "--side", type=click.Choice(["seller", "buyer"]), default="seller", help=_("What we sell or buy.")
)
@click.option(
    "--status", "statuses", multiple=True, type=click.Choice(STATUSES), help=_("Only in this state.")
)
@click.option("--limit", type=int, help=_("How many at most."))
@click.option("--before-ms", type=int, help=_("Only those placed before this time."))
@click.option("--behind", help=_("With --before-ms, also those of that time behind this order."))
def list_orders(session: Session, **options: Any) -> None:
    """List."""
    answer = session.ask("GET", "/orders", given(**options))
    session.show(answer, *order_table(answer["orders"]))


@command("show", help=_("Show one order with what is open to us."))
@click.argument("buyer")
@click.argument("order_id")
def show(session: Session, buyer: str, order_id: str) -> None:
    """Show."""
    answer = session.ask("GET", _path(buyer, order_id))
    session.show(answer, *order_lines(answer))


def _seller_move(name: str, path: str, help_text: str, done: str, *, coded: bool = False) -> click.Command:
    """One answer of the seller: it names the order, and a reason where the move has one."""

    def move(session: Session, buyer: str, order_id: str, code: str | None = None) -> None:
        answer = session.ask("POST", f"{_path(buyer, order_id)}/{path}", given(code=code))
        session.show(answer, done)

    with_order = click.argument("buyer")(click.argument("order_id")(move))
    if coded:
        with_order = click.option("--code", help=_("The reason, as one word such as sold_out."))(with_order)
    return command(name, help=help_text)(with_order)


accept = _seller_move("accept", "acceptance", _("Accept an order and promise its stock."), _("Accepted."))
reject = _seller_move(
    "reject", "rejection", _("Decline an order that is not accepted yet."), _("Rejected."), coded=True
)
cancel = _seller_move(
    "cancel", "cancellation", _("End an order before it is fulfilled."), _("Cancelled."), coded=True
)
keep = _seller_move(
    "keep",
    "cancellation-refusal",
    _("Let an order stand although the buyer asked to cancel it."),
    _("The order stands."),
    coded=True,
)
fulfil = _seller_move(
    "fulfil", "fulfilment", _("Say that an order was handed over, shipped or rendered."), _("Fulfilled.")
)


@command("refund", help=_("Refund, stating what is left of each tax class."))
@click.argument("buyer")
@click.argument("order_id")
@click.option(
    "--total",
    "totals",
    multiple=True,
    help=_("CLASS=AMOUNT that it now comes to, or CLASS:PERCENT=AMOUNT."),
)
@click.option("--full", is_flag=True, help=_("Refund everything."))
@click.option("--code", help=_("The reason, as one word such as damaged."))
def refund(session: Session, *, buyer: str, order_id: str, **options: Any) -> None:
    """Refund."""
    totals = options["totals"]
    if options["full"] == bool(totals):
        raise click.UsageError(_("Give --full or at least one --total."))
    with session.client() as client:
        order = client.call("GET", _path(buyer, order_id))
        fields = given(totals=_new_totals(order, totals), code=options["code"])
        answer = client.call("POST", _path(buyer, order_id) + "/refund", fields)
    session.show(answer, _("Refunded."))


@command("ask-cancel", help=_("Ask the seller to release us from an order."))
@click.argument("order_id")
def ask_cancel(session: Session, order_id: str) -> None:
    """Ask."""
    answer = session.ask("POST", f"/purchases/{in_path(order_id)}/cancellation")
    session.show(answer, _("Asked. The seller's next word answers it."))


@command("receive", help=_("Say that what we ordered has arrived."))
@click.argument("order_id")
def receive(session: Session, order_id: str) -> None:
    """Confirm."""
    answer = session.ask("POST", f"/purchases/{in_path(order_id)}/receipt")
    session.show(answer, _("Received."))


def _path(buyer: str, order_id: str) -> str:
    return f"/orders/{in_path(buyer)}/{in_path(order_id)}"


def _line(text: str) -> dict[str, Any]:
    name, steps = pairs([text])[0]
    sector, slash, listing_id = name.partition("/")
    if not slash or not (steps.isascii() and steps.isdigit()):
        raise click.BadParameter(_("{text} is not SECTOR/LISTING=QUANTITY").format(text=text))
    return {"sector": sector, "listing_id": listing_id, "steps": int(steps)}


def _new_totals(order: dict[str, Any], texts: tuple[str, ...]) -> list[dict[str, Any]]:
    """The order's totals with new amounts; without any, all of them at nothing."""
    if not texts:
        return [{**total, "gross_minor": 0} for total in order["totals"]]
    totals = [dict(total) for total in order["totals"]]
    for name, text in pairs(texts):
        tax_class, _colon, rate = name.partition(":")
        found = [
            total
            for total in totals
            if total["tax_class"] == tax_class and (not rate or total["rate_bp"] == percent(rate))
        ]
        if len(found) != 1:
            known = ", ".join(f"{total['tax_class']}:{total['rate_bp'] / 100:g}" for total in totals)
            raise click.BadParameter(
                _("{name} is not one of the order's totals: {known}").format(name=name, known=known)
            )
        found[0]["gross_minor"] = amount(text, order["currency"])
    return totals


order = group(
    "order",
    _("Place, answer, fulfil, refund and show orders."),
    place,
    list_orders,
    show,
    accept,
    reject,
    cancel,
    keep,
    fulfil,
    refund,
    ask_cancel,
    receive,
)
