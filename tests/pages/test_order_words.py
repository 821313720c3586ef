"""The state of an order in words: what happened, why, when, and what comes next, in both languages."""

from typing import Any

import pytest

from node.actions.order_book import OrderAnswer
from node.actions.shapes import RecordPlace
from node.locale import LANGUAGES
from node.pages.desk_orders import REFUND_CODES, REJECTION_CODES, SEALED_CODES
from node.pages.order_words import order_steps, say_reason

HOUR_MS = 3_600_000
PLACED_MS = 1_790_000_000_000
NAME = {"en": "Spring"}


def order(**changed: Any) -> OrderAnswer:
    """An order that was placed an hour before `moved_ms`, to be answered within a day."""
    place = RecordPlace(community="a" * 52, lane="trade", epoch=0, index=1, record_id="a" * 52)
    fields = {
        "buyer": "a" * 52,
        "seller": "a" * 52,
        "buyer_name": NAME,
        "seller_name": NAME,
        "order_id": "a" * 26,
        "status": "placed",
        "cancellation": "none",
        "currency": "EUR",
        "totals": [],
        "total_minor": 10_000,
        "placed": place,
        "placed_ms": PLACED_MS,
        "moved_ms": PLACED_MS + HOUR_MS,
        "respond_by_ms": PLACED_MS + 24 * HOUR_MS,
        "policy_id": "a" * 52,
        "allocations": [],
        "waiting": [],
        "opened": "yes",
    }
    return OrderAnswer(**{**fields, **changed})


def said(one: OrderAnswer, language: str = "en", now_ms: int = PLACED_MS + HOUR_MS) -> list[str]:
    return [step.text for step in order_steps(one, now_ms, language)]


@pytest.mark.parametrize("code", sorted({*REJECTION_CODES, *REFUND_CODES, *SEALED_CODES, "by_buyer"}))
@pytest.mark.parametrize("status", ["rejected", "cancelled"])
def test_every_reason_of_the_desk_is_a_sentence_in_the_readers_language(code: str, status: str) -> None:
    """No code is shown to anybody, and a Chinese sentence ends as Chinese sentences do."""
    english, chinese = (said(order(status=status, code=code), language)[-1] for language in ("en", "zh-Hans"))
    assert english.endswith(say_reason(code, "en"))
    assert chinese.endswith(say_reason(code, "zh-Hans"))
    assert english != chinese
    assert code not in chinese
    assert "。" in chinese
    assert ". " not in chinese


def test_the_time_to_answer_is_counted_down_to_its_end() -> None:
    """Hours, then minutes, then that it is over, and what the buyer can do."""
    for left_ms, words in (
        (5 * HOUR_MS, "5 hours"),
        (7 * 60_000, "7 minutes"),
        (1, "did not answer in time"),
    ):
        now_ms = PLACED_MS + 24 * HOUR_MS - left_ms
        assert words in said(order(), now_ms=now_ms)[-1]
    assert "5小时" in said(order(), "zh-Hans", PLACED_MS + 19 * HOUR_MS)[-1].replace(" ", "")


@pytest.mark.parametrize("status", ["accepted", "fulfilled", "completed"])
def test_a_refund_is_told_with_its_amount_and_reason_in_every_state(status: str) -> None:
    """Goods that were damaged are paid back before they are received, too; whose time is not known has none."""
    refunded = order(status=status, code="damaged", refunded_minor=700)
    steps = order_steps(refunded, PLACED_MS, "en")
    assert "Refunded: €7.00. It was damaged or not good." in [step.text for step in steps]
    assert [step.time_ms for step in steps] == [PLACED_MS] + [None] * (len(steps) - 1)
    plain = order_steps(order(status=status), PLACED_MS, "en")
    assert [step.time_ms for step in plain if step.time_ms] == [PLACED_MS, PLACED_MS + HOUR_MS]


def test_a_cancellation_that_was_not_agreed_to_is_no_refund() -> None:
    """Its reason stays on the order to the end; nothing was paid back."""
    steps = said(order(status="completed", cancellation="refused", code="by_seller"))
    assert steps[-1] == "The shop did not agree to the cancellation"
    assert not any("Refunded" in step for step in steps)


@pytest.mark.parametrize("language", LANGUAGES)
@pytest.mark.parametrize("status", ["placed", "accepted", "fulfilled", "completed", "rejected", "cancelled"])
def test_what_is_open_ends_in_what_comes_next(status: str, language: str) -> None:
    """An order that waits for somebody says so last; one that has ended waits for nobody."""
    marks = [step.mark for step in order_steps(order(status=status), PLACED_MS, language)]
    assert marks[0] == "done"
    assert ("wait" in marks) == (status in ("placed", "accepted", "fulfilled"))
    assert "wait" not in marks[:-1]
