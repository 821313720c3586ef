"""An order's state in words, for buyer and seller alike: what has happened, what is awaited from whom, until when.

for step in order_steps(order, now_ms, "en"): step.text, step.mark, step.time_ms
"""

from dataclasses import dataclass, replace
from typing import Literal

from node.actions.order_book import OrderAnswer, OrderSummary
from node.locale import catalog
from node.pages.formats import say_money, say_time_left

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
    """Return what has happened to an order, oldest first, and what it waits for last.

    Only the newest move's time is known: where it cannot be told which step that was, no step has it.
    """
    _ = catalog(language).gettext
    moved_ms = None if order.refunded_minor or order.cancellation != "none" else order.moved_ms
    steps = [Step(_("Ordered"), "done", order.placed_ms), *_moved(order, moved_ms, language)]
    if order.refunded_minor:
        amount = say_money(order.refunded_minor, order.currency, language)
        text = _("Refunded: {amount}").format(amount=amount)
        steps.append(Step(_because(text, order.code, language), "done"))
    if order.cancellation == "refused":
        steps.append(Step(_("The shop did not agree to the cancellation"), "bad"))
    return steps + _awaited(order, now_ms, language)


def _moved(order: OrderAnswer, moved_ms: int | None, language: str) -> list[Step]:
    """What the shop has done, up to the state that the order is in."""
    _ = catalog(language).gettext
    if order.status == "rejected":
        return [Step(_because(_("Declined by the shop"), order.code, language), "bad", order.moved_ms)]
    if order.status == "cancelled":
        return [Step(_because(_("Cancelled"), order.code, language), "bad", order.moved_ms)]
    done = {
        "accepted": _("Accepted by the shop"),
        "fulfilled": _("Handed over"),
        "completed": _("Received, and the shares are posted on both sides"),
    }
    reached = list(done).index(order.status) if order.status in done else -1
    steps = [Step(text, "done") for text in list(done.values())[: reached + 1]]
    return [*steps[:-1], replace(steps[-1], time_ms=moved_ms)] if steps else []


def _awaited(order: OrderAnswer, now_ms: int, language: str) -> list[Step]:
    """What comes next, and from whom; nothing where the order has ended."""
    _ = catalog(language).gettext
    if has_wish(order) and order.status != "completed":
        return [Step(_("A cancellation was asked for: the shop answers"), "wait")]
    if order.status == "placed":
        return [_wait_for_shop(order, now_ms, language)]
    if order.status == "accepted":
        return [Step(_("The shop gets it ready and hands it over"), "wait")]
    if order.status == "fulfilled":
        is_received = "order.received" in order.waiting
        return [
            Step(
                _("Your confirmation is on its way")
                if is_received
                else _("Waiting for the buyer to confirm the receipt"),
                "wait",
            )
        ]
    return []


def _wait_for_shop(order: OrderAnswer, now_ms: int, language: str) -> Step:
    _ = catalog(language).gettext
    left = say_time_left(order.respond_by_ms, now_ms, language)
    if left:
        return Step(_("Waiting for the shop: it has {time} left to answer").format(time=left), "wait")
    return Step(_("The shop did not answer in time. Cancel the order, or wait on"), "bad")


def _because(text: str, code: str | None, language: str) -> str:
    reason = say_reason(code, language)
    pattern = catalog(language).gettext("{what}. {why}")
    return pattern.format(what=text, why=reason) if reason else text
