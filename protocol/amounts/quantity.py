"""Units and quantities as text, and what a quantity costs (PROTOCOL.md section 12).

A quantity is a whole number of steps of 10^-scale units: 1.250 kg at scale 3 is 1250 steps of KGM.

    line_total_minor(price_minor=499, steps=parse_quantity("1.25", 3), scale=3) == 624
"""

import re
from collections.abc import Mapping

from protocol.amounts.money import check_amount
from protocol.amounts.rounding import divide_half_even
from protocol.errors import AmountError
from protocol.limits import QUANTITY_SCALE_MAX, QUANTITY_STEPS_MAX

# UN/CEFACT Recommendation 20, common codes. Packages of Recommendation 21 are not units and stay out.
UNIT_CODES: Mapping[str, str] = {
    "C62": "one",
    "PR": "pair",
    "DZN": "dozen",
    "SET": "set",
    "NMP": "number of packs",
    "MGM": "milligram",
    "GRM": "gram",
    "KGM": "kilogram",
    "TNE": "tonne",
    "ONZ": "ounce (avoirdupois)",
    "LBR": "pound",
    "MLT": "millilitre",
    "CLT": "centilitre",
    "DLT": "decilitre",
    "LTR": "litre",
    "MTQ": "cubic metre",
    "MMT": "millimetre",
    "CMT": "centimetre",
    "MTR": "metre",
    "KMT": "kilometre",
    "CMK": "square centimetre",
    "MTK": "square metre",
    "HAR": "hectare",
    "MIN": "minute",
    "HUR": "hour",
    "DAY": "day",
    "WEE": "week",
    "MON": "month",
    "ANN": "year",
    "KWH": "kilowatt hour",
}

_PLAIN_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,9})(?:\.([0-9]{1,6}))?")


def check_unit(code: str) -> None:
    """Refuse a unit code that the table does not have."""
    if code not in UNIT_CODES:
        raise AmountError("unit_unknown", repr(code[:40]))


def check_quantity(steps: int, scale: int) -> None:
    """Refuse less than one step, more than `QUANTITY_STEPS_MAX`, or a scale past `QUANTITY_SCALE_MAX`."""
    if not 0 <= scale <= QUANTITY_SCALE_MAX:
        raise AmountError("quantity_out_of_range", f"scale {scale}")
    if not 1 <= steps <= QUANTITY_STEPS_MAX:
        raise AmountError("quantity_out_of_range", f"{steps} steps")


def format_quantity(steps: int, scale: int) -> str:
    """Return plain decimal text without trailing zeros: 1250 steps at scale 3 are `1.25`, 5000 are `5`."""
    check_quantity(steps, scale)
    whole, fraction = divmod(steps, 10**scale)
    digits = str(fraction).rjust(scale, "0").rstrip("0")
    return f"{whole}.{digits}" if digits else str(whole)


def parse_quantity(text: str, scale: int) -> int:
    """Return the steps of plain decimal text, exactly; refuses what is no quantity or finer than one step."""
    match = _PLAIN_DECIMAL.fullmatch(text)
    if match is None:
        raise AmountError("quantity_malformed", repr(text[:40]))
    whole, fraction = match[1], match[2] or ""
    if len(fraction) > scale:
        raise AmountError("quantity_malformed", f"at most {scale} digits after the point")
    steps = int(whole + fraction.ljust(scale, "0"))
    check_quantity(steps, scale)
    return steps


def line_total_minor(*, price_minor: int, steps: int, scale: int) -> int:
    """Return price times quantity in minor units, half-even; the price is for one whole unit."""
    check_amount(price_minor)
    check_quantity(steps, scale)
    total_minor = divide_half_even(price_minor * steps, 10**scale)
    check_amount(total_minor)
    return total_minor
