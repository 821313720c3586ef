"""How orders look on a terminal."""

from collections.abc import Sequence
from gettext import gettext as _
from typing import Any

from node.cli.output import in_words, moment, money, table


def state_names() -> dict[str, str]:
    """Return the states of an order in words."""
    return {
        "placed": _("placed"),
        "accepted": _("accepted"),
        "rejected": _("rejected"),
        "cancelled": _("cancelled"),
        "fulfilled": _("fulfilled"),
        "completed": _("completed"),
    }


def order_table(orders: Sequence[dict[str, Any]]) -> list[str]:
    """Return the lines of a list of orders."""
    names = state_names()
    return table(
        [_("Placed"), _("State"), _("Total"), _("Buyer"), _("Order")],
        [
            [
                moment(order["placed_ms"]),
                names.get(order["status"], order["status"]),
                money(order["total_minor"], order["currency"]),
                order["buyer"],
                order["order_id"],
            ]
            for order in orders
        ],
    )


def order_lines(order: dict[str, Any]) -> list[str]:
    """Return the lines that show one order."""
    currency = order["currency"]
    rows = [
        [_("State"), state_names().get(order["status"], order["status"])],
        [_("Placed"), moment(order["placed_ms"])],
        [_("Answer until"), moment(order["respond_by_ms"])],
        [_("Buyer"), order["buyer"]],
        [_("Seller"), order["seller"]],
        [_("Total"), money(order["total_minor"], currency)],
    ]
    return [
        *table(["", ""], [*rows, *_delivery(order)])[1:],
        "",
        *_contents(order),
        "",
        *table(
            [_("Share"), _("Whose"), _("Amount")],
            [
                [share["role"], share["beneficiary"], money(share["amount_minor"], currency)]
                for share in order["allocations"]
            ],
        ),
    ]


def _delivery(order: dict[str, Any]) -> list[list[str]]:
    """One row, while an order of ours waits for its seller."""
    words = {
        "delivered": _("with the seller's node"),
        "waiting": _("waiting here until the seller's node or a relay fetches them"),
        "expired": _("not fetched in time: ask the seller to connect their node"),
    }
    state = order.get("delivery")
    if state is None:
        return []
    if state == "waiting" and order.get("kept_by"):
        told = _("waiting at {relay} for the seller's node").format(relay=in_words(order["kept_by"]))
    else:
        told = words[state]
    return [[_("Sealed parts"), told]]


def _contents(order: dict[str, Any]) -> list[str]:
    if not order.get("lines"):
        return [_("Lines and details are not open to this node.")]
    rows = [
        [
            in_words(line["title"]) if line.get("title") else line.get("listing_id", ""),
            str(line.get("steps", "")),
            money(line["total_minor"], order["currency"]),
        ]
        for line in order["lines"]
    ]
    details = order.get("details") or {}
    told = [
        f"{name}: {details[name]}" for name in ("name", "contact", "address", "note") if details.get(name)
    ]
    return [*table([_("Article"), _("Steps"), _("Amount")], rows), *told]
