"""Quantities are whole steps, and a line's price is rounded once, half-even."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.amounts.quantity import (
    UNIT_CODES,
    check_quantity,
    check_unit,
    format_quantity,
    line_total_minor,
    parse_quantity,
)
from protocol.errors import AmountError
from protocol.limits import QUANTITY_SCALE_MAX, QUANTITY_STEPS_MAX
from tests.worked_examples import worked_lines

STEPS = st.integers(1, QUANTITY_STEPS_MAX)
SCALES = st.integers(0, QUANTITY_SCALE_MAX)


def test_the_specification_prints_the_same_table_of_units():
    """PROTOCOL.md lists every unit code with its name."""
    assert dict(worked_lines("units")) == UNIT_CODES


@pytest.mark.parametrize("code", ["", "kgm", "KG", "XPK", "C62 "])
def test_an_unknown_unit_is_refused(code):
    """Only codes of the table are units; a kind of package is none."""
    with pytest.raises(AmountError) as refusal:
        check_unit(code)
    assert refusal.value.code == "unit_unknown"
    check_unit("KGM")


@given(STEPS, SCALES)
@settings(max_examples=200)
def test_a_quantity_survives_its_text(steps, scale):
    """Parsing what was formatted gives the steps again, and the text is the exact value."""
    text = format_quantity(steps, scale)
    assert parse_quantity(text, scale) == steps
    assert Fraction(text) == Fraction(steps, 10**scale)


def test_a_quantity_is_written_without_trailing_zeros():
    """What a person reads on a page has no digits that say nothing."""
    assert format_quantity(1250, 3) == "1.25"
    assert format_quantity(5000, 3) == "5"
    assert format_quantity(5, 3) == "0.005"
    assert format_quantity(70, 0) == "70"


@pytest.mark.parametrize("text", ["", "-1", "1.0000", "1,5", "1.", ".5", "01", "٣", "1e2"])
def test_what_is_no_plain_quantity_is_refused(text):
    """One spelling of a number, and nothing finer than one step."""
    with pytest.raises(AmountError) as refusal:
        parse_quantity(text, 3)
    assert refusal.value.code == "quantity_malformed"


@pytest.mark.parametrize(("steps", "scale"), [(0, 0), (-1, 0), (QUANTITY_STEPS_MAX + 1, 0), (1, -1), (1, 7)])
def test_a_quantity_out_of_range_is_refused(steps, scale):
    """Nothing, too much, and too fine are no quantities."""
    with pytest.raises(AmountError) as refusal:
        check_quantity(steps, scale)
    assert refusal.value.code == "quantity_out_of_range"


def test_the_worked_line_totals_of_the_specification_hold():
    """Every line of the table in PROTOCOL.md is what the code computes."""
    for price_minor, steps, scale, total_minor in worked_lines("line-totals"):
        computed = line_total_minor(price_minor=int(price_minor), steps=int(steps), scale=int(scale))
        assert computed == int(total_minor)


@given(st.integers(0, 10**6), STEPS, SCALES)
@settings(max_examples=200)
def test_a_line_total_is_the_exact_product_rounded_half_even(price_minor, steps, scale):
    """A second implementation with exact fractions gives the same total."""
    exact = Fraction(price_minor * steps, 10**scale)
    assert line_total_minor(price_minor=price_minor, steps=steps, scale=scale) == round(exact)


def test_a_line_total_beyond_the_limit_is_refused():
    """A price times a quantity cannot leave the range of amounts."""
    with pytest.raises(AmountError) as refusal:
        line_total_minor(price_minor=10**7, steps=QUANTITY_STEPS_MAX, scale=0)
    assert refusal.value.code == "amount_out_of_range"
