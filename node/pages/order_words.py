"""An order's state in words, for buyer and seller alike: what has happened, what is awaited from whom, until when.

for step in order_steps(order, now_ms, "en"): step.text, step.mark, step.time_ms
"""

from dataclasses import dataclass
from typing import Literal

from node.actions.order_book import OrderAnswer, OrderSummary
from node.locale import catalog
from node.pages.formats import say_time_left

Mark = Literal["done", "wait", "bad"]


@dataclass(frozen=True, slots=True)
class Step:
    """One line of a timeline; `time_ms` where the moment is known."""

    text: str
    mark: Mark
    time_ms: int | None = None


def say_status(order: OrderSummary | OrderAnswer, language: str) -> str:
    """Return the state of an order in a word or two."""
    _ = catalog(language).gettext
    if has_wish(order) and order.status != "completed":
        return _("Cancellation asked for")
    return say_state(order.status, language)


def has_wish(order: OrderSummary | OrderAnswer) -> bool:
    """Whether the buyer asked to be released, taken up by the shop or not yet, and waits for the answer."""
    waiting = order.waiting if isinstance(order, OrderAnswer) else ()
    is_asked = order.cancellation == "requested" or "cancellation.requested" in waiting
    return is_asked and order.status not in ("rejected", "cancelled")


def say_state(status: str, language: str) -> str:
    """Return the words for one of the six states."""
    _ = catalog(language).gettext
    return {
        "placed": _("Waiting for the shop"),
        "accepted": _("Accepted"),
        "fulfilled": _("Handed over"),
        "completed": _("Completed"),
        "rejected": _("Declined"),
        "cancelled": _("Cancelled"),
    }[status]


def say_reason(code: str | None, language: str) -> str:
    """Return the words for the stable code of a rejection, cancellation or refund; nothing where there is none."""
    _ = catalog(language).gettext
    words = {
        "by_seller": _("The shop decided so."),
        "by_buyer": _("The buyer asked for it."),
        "sold_out": _("It is sold out."),
        "stock_short": _("There is not enough of it."),
        "closed": _("The shop is closed then."),
        "cannot_deliver": _("It cannot be brought there."),
        "price_mistake": _("The price was a mistake."),
        "damaged": _("It was damaged or not good."),
        "missing": _("Something was missing."),
        "details_missing": _("The private part of the order did not arrive."),
        "details_mismatch": _("The private part of the order did not match."),
    }
    return "" if code is None else words.get(code, code.replace("_", " "))


def order_steps(order: OrderAnswer, now_ms: int, language: str) -> list[Step]:
    """Return what has happened to an order, oldest first, and what it waits for last."""
    _ = catalog(language).gettext
    steps = [Step(_("Ordered"), "done", order.placed_ms)]
    reason = say_reason(order.code, language)
    moved_ms = order.moved_ms
    if order.status == "placed":
        steps.append(_wait_for_shop(order, now_ms, language))
    elif order.status == "rejected":
        steps.append(Step(_joined(_("Declined by the shop"), reason), "bad", moved_ms))
    elif order.status == "cancelled":
        steps.append(Step(_joined(_("Cancelled"), reason), "bad", moved_ms))
    elif order.status == "accepted":
        steps.append(Step(_("Accepted by the shop"), "done", moved_ms))
        steps.append(Step(_("The shop gets it ready and hands it over"), "wait"))
    elif order.status == "fulfilled":
        steps.append(Step(_("Accepted by the shop"), "done"))
        steps.append(Step(_("Handed over"), "done", moved_ms))
        is_received = "order.received" in order.waiting
        waits = (
            _("Your confirmation is on its way")
            if is_received
            else _("Waiting for the buyer to confirm the receipt")
        )
        steps.append(Step(waits, "wait"))
    else:
        steps += [
            Step(_("Accepted by the shop"), "done"),
            Step(_("Handed over"), "done"),
            Step(_("Received, and the shares are posted on both sides"), "done", moved_ms),
        ]
        if order.code is not None:
            steps.append(Step(_joined(_("Refunded"), reason), "done", moved_ms))
    if has_wish(order) and order.status != "completed":
        steps.append(Step(_("A cancellation was asked for: the shop answers"), "wait"))
    elif order.cancellation == "refused":
        steps.append(Step(_("The shop did not agree to the cancellation"), "bad"))
    return steps


def _wait_for_shop(order: OrderAnswer, now_ms: int, language: str) -> Step:
    _ = catalog(language).gettext
    left = say_time_left(order.respond_by_ms, now_ms, language)
    if left:
        return Step(_("Waiting for the shop: it has {time} left to answer").format(time=left), "wait")
    return Step(_("The shop did not answer in time. Cancel the order, or wait on"), "bad")


def _joined(text: str, reason: str) -> str:
    return f"{text}. {reason}" if reason else text
