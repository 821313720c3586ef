"""Amounts of money go to text and back exactly, in currencies of 0, 2 and 3 digits."""

from decimal import Decimal

import pytest
from babel import Locale
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.amounts.money import (
    CURRENCY_EXPONENTS,
    check_amount,
    check_currency,
    format_minor,
    parse_amount,
)
from protocol.errors import AmountError
from protocol.limits import AMOUNT_MINOR_MAX
from tests.worked_examples import worked_lines

AMOUNTS = st.integers(0, AMOUNT_MINOR_MAX)
CURRENCIES = st.sampled_from(["JPY", "CNY", "EUR", "KWD"])


def test_the_table_has_only_real_codes_with_0_2_or_3_digits():
    """Every code is three capitals that an unrelated list of currencies knows, with 0, 2 or 3 digits."""
    known = set(Locale("en").currencies)
    assert set(CURRENCY_EXPONENTS.values()) == {0, 2, 3}
    for code in CURRENCY_EXPONENTS:
        assert code in known, code
    assert len(CURRENCY_EXPONENTS) == 155


def test_the_specification_prints_the_same_table_of_currencies():
    """PROTOCOL.md lists every currency under its number of digits."""
    printed = {code: int(digits) for digits, codes in worked_lines("currencies") for code in codes.split()}
    assert printed == CURRENCY_EXPONENTS


@pytest.mark.parametrize("code", ["", "eur", "EURO", "XXX", "XAU", "BGN", "CLF", "UYW", "ЕUR"])
def test_an_unknown_currency_is_refused(code):
    """Codes outside the pinned table are refused, whatever another list says of them."""
    with pytest.raises(AmountError) as refusal:
        check_currency(code)
    assert refusal.value.code == "currency_unknown"


@pytest.mark.parametrize(
    ("amount_minor", "currency", "text"),
    [
        (0, "EUR", "0.00"),
        (5, "EUR", "0.05"),
        (1230, "EUR", "12.30"),
        (-1230, "EUR", "-12.30"),
        (-5, "KWD", "-0.005"),
        (1230, "JPY", "1230"),
        (-7, "JPY", "-7"),
        (1_234_567, "KWD", "1234.567"),
        (AMOUNT_MINOR_MAX, "CNY", "10000000000000.00"),
    ],
)
def test_an_amount_is_written_with_all_digits_of_its_currency(amount_minor, currency, text):
    """Text has exactly the currency's digits, no separators, and a minus only below zero."""
    assert format_minor(amount_minor, currency) == text


@given(AMOUNTS, CURRENCIES)
@settings(max_examples=200)
def test_an_amount_survives_its_text(amount_minor, currency):
    """Parsing what was formatted gives the amount, and `decimal` reads the same value."""
    text = format_minor(amount_minor, currency)
    assert parse_amount(text, currency) == amount_minor
    assert Decimal(text).scaleb(CURRENCY_EXPONENTS[currency]) == amount_minor


def test_missing_digits_are_zeros():
    """A person may leave out the digits after the point, or some of them."""
    assert [parse_amount(text, "EUR") for text in ("12", "12.3", "12.30")] == [1200, 1230, 1230]
    assert parse_amount("12.3", "KWD") == 12_300


@pytest.mark.parametrize(
    "text",
    ["", " ", "1 ", "+1", "-1", "1.", ".5", "01", "00", "1,50", "1.234", "1e3", "١٢", "１２", "1.5\n", "NaN"],
)
def test_what_is_no_plain_decimal_is_refused(text):
    """One spelling of a number: signs, spaces, foreign digits and too many digits are refused."""
    with pytest.raises(AmountError) as refusal:
        parse_amount(text, "EUR")
    assert refusal.value.code == "amount_malformed"


def test_a_fraction_of_a_currency_without_minor_unit_is_refused():
    """There is no half yen."""
    with pytest.raises(AmountError, match="0 digits"):
        parse_amount("1.0", "JPY")


@pytest.mark.parametrize("text", ["10000000000000.01", "9999999999999999"])
def test_an_amount_beyond_the_limit_is_refused(text):
    """The largest amount is 10^15 minor units."""
    with pytest.raises(AmountError) as refusal:
        parse_amount(text, "EUR")
    assert refusal.value.code == "amount_out_of_range"


@pytest.mark.parametrize("amount_minor", [-1, AMOUNT_MINOR_MAX + 1])
def test_an_amount_out_of_range_is_refused(amount_minor):
    """Amounts are 0 to 10^15."""
    with pytest.raises(AmountError):
        check_amount(amount_minor)
