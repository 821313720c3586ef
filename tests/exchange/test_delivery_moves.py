"""What becomes of a sealed object on its way to its reader, and what its sender is told of an order."""

from dataclasses import replace
from itertools import product
from typing import get_args

import pytest

from protocol.exchange.delivery import (
    Kept,
    NotKept,
    Part,
    PartEvent,
    PartState,
    ReceiptShown,
    TimePassed,
    delivery_of,
    moved,
    next_relay,
)
from protocol.limits import RELAY_PUTS_MAX

R, S, T = b"R" * 32, b"S" * 32, b"T" * 32
QUEUED = Part(b"c" * 32, b"B" * 32, b"o" * 16)
HELD = replace(QUEUED, state="held", relay=R, until_ms=1_000, puts=1)
STATES: dict[PartState, Part] = {
    "queued": QUEUED,
    "held": HELD,
    "delivered": replace(HELD, state="delivered"),
    "expired": replace(HELD, state="expired", puts=RELAY_PUTS_MAX),
}
EVENTS: tuple[PartEvent, ...] = (Kept(S, 2_000), NotKept(S, 500), ReceiptShown(), TimePassed(1_000))
LEGAL: dict[tuple[PartState, type], PartState] = {
    ("queued", Kept): "held",
    ("queued", NotKept): "queued",
    ("queued", ReceiptShown): "delivered",
    ("held", ReceiptShown): "delivered",
    ("held", TimePassed): "queued",
    ("expired", ReceiptShown): "delivered",
}


@pytest.mark.parametrize(("state", "event"), list(product(STATES, EVENTS)), ids=str)
def test_a_part_moves_by_the_table_of_the_text_and_not_otherwise(state: PartState, event: PartEvent) -> None:
    """Section 29.4: the whole product of states and events; what is not legal changes nothing at all."""
    assert set(STATES) == set(get_args(PartState))
    part = STATES[state]
    after = moved(part, event)
    assert after.state == LEGAL.get((state, type(event)), state)
    assert (after == part) == ((state, type(event)) not in LEGAL)


def test_what_a_relay_still_keeps_is_not_put_again() -> None:
    """One millisecond before its time nothing has passed."""
    assert moved(HELD, TimePassed(999)) == HELD


def test_a_part_that_nobody_fetches_is_put_a_few_times_and_then_given_up() -> None:
    """However often time passes and relays keep it, it ends; a late receipt still counts."""
    part, now_ms = QUEUED, 0
    for _ in range(RELAY_PUTS_MAX):
        part = moved(part, Kept(R, now_ms + 10))
        assert part.state == "held"
        now_ms += 10
        part = moved(part, TimePassed(now_ms))
    assert (part.state, part.puts) == ("expired", RELAY_PUTS_MAX)
    assert moved(part, Kept(R, 10**9)) == part
    assert moved(part, ReceiptShown()).state == "delivered"


def test_relays_take_turns_in_the_recipient_s_order() -> None:
    """The one behind the last comes next, those out of reach are passed over, and one alone is asked again."""
    named = (R, S, T)
    assert next_relay(QUEUED, named, {R, S, T}) == R
    assert next_relay(QUEUED, named, {T}) == T
    assert next_relay(replace(QUEUED, relay=R), named, {R, S, T}) == S
    assert next_relay(replace(QUEUED, relay=R), named, {R, T}) == T
    assert next_relay(replace(QUEUED, relay=T), named, {R, S, T}) == R
    assert next_relay(replace(QUEUED, relay=R), (R,), {R}) == R
    assert next_relay(replace(QUEUED, relay=b"x" * 32), named, {S}) == S
    assert next_relay(QUEUED, named, set()) is None
    assert next_relay(QUEUED, (), {R}) is None


def test_an_order_is_delivered_only_as_a_whole() -> None:
    """Every part has to arrive; one that is given up says so for all."""
    queued, held, delivered, expired = (STATES[state] for state in ("queued", "held", "delivered", "expired"))
    assert delivery_of([]) is None
    assert delivery_of([delivered, delivered]) == "delivered"
    assert delivery_of([delivered, held]) == "waiting"
    assert delivery_of([delivered, queued]) == "waiting"
    assert delivery_of([delivered, expired, held]) == "expired"
