"""Currencies and amounts of money as text (PROTOCOL.md section 12).

An amount is an integer in minor units with an ISO 4217 code; how many digits the minor unit has comes
from the table below, pinned with the format: a later change of ISO 4217 does not move old sums.
Left out are funds codes, metals, testing codes, and CLF and UYW, which have four digits and are no cash.

    format_minor(parse_amount("12.30", "EUR"), "EUR") == "12.30"
"""

import re
from collections.abc import Mapping

from protocol.errors import AmountError
from protocol.limits import AMOUNT_MINOR_MAX

_WITHOUT_MINOR_UNIT = "BIF CLP DJF GNF ISK JPY KMF KRW PYG RWF UGX VND VUV XAF XOF XPF"
_TWO_DIGITS = (
    "AED AFN ALL AMD AOA ARS AUD AWG AZN BAM BBD BDT BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF CNY "
    "COP CRC CUP CVE CZK DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GTQ GYD HKD HNL HTG HUF "
    "IDR ILS INR IRR JMD KES KGS KHR KPW KYD KZT LAK LBP LKR LRD LSL MAD MDL MGA MKD MMK MNT MOP MRU MUR "
    "MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD PAB PEN PGK PHP PKR PLN QAR RON RSD RUB SAR SBD SCR SDG "
    "SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TOP TRY TTD TWD TZS UAH USD UYU UZS VED VES "
    "WST XCD XCG YER ZAR ZMW ZWG"
)
_THREE_DIGITS = "BHD IQD JOD KWD LYD OMR TND"

CURRENCY_EXPONENTS: Mapping[str, int] = {
    **dict.fromkeys(_WITHOUT_MINOR_UNIT.split(), 0),
    **dict.fromkeys(_TWO_DIGITS.split(), 2),
    **dict.fromkeys(_THREE_DIGITS.split(), 3),
}

_PLAIN_DECIMAL = re.compile(r"(0|[1-9][0-9]{0,15})(?:\.([0-9]{1,3}))?")


def check_currency(code: str) -> int:
    """Return the number of minor digits (0, 2 or 3) of a currency of the table, or raise `AmountError`."""
    try:
        return CURRENCY_EXPONENTS[code]
    except KeyError as error:
        raise AmountError("currency_unknown", repr(code)) from error


def check_amount(amount_minor: int) -> None:
    """Refuse an amount below zero or above `AMOUNT_MINOR_MAX` minor units."""
    if not 0 <= amount_minor <= AMOUNT_MINOR_MAX:
        raise AmountError("amount_out_of_range", str(amount_minor))


def format_minor(amount_minor: int, currency: str) -> str:
    """Return plain decimal text with exactly the currency's digits: 1230 EUR is `12.30`, -5 JPY is `-5`."""
    exponent = check_currency(currency)
    sign = "-" if amount_minor < 0 else ""
    digits = str(abs(amount_minor)).rjust(exponent + 1, "0")
    return f"{sign}{digits[:-exponent]}.{digits[-exponent:]}" if exponent else f"{sign}{digits}"


def parse_amount(text: str, currency: str) -> int:
    """Return the minor units of plain decimal text such as `12`, `12.3` or `12.30`, exactly.

    Missing digits are zeros. Refused with `AmountError`: signs, spaces, separators of thousands, leading
    zeros, other digits than 0-9, more digits than the currency has, and what is above `AMOUNT_MINOR_MAX`.
    """
    exponent = check_currency(currency)
    match = _PLAIN_DECIMAL.fullmatch(text)
    if match is None:
        raise AmountError("amount_malformed", repr(text[:40]))
    whole, fraction = match[1], match[2] or ""
    if len(fraction) > exponent:
        raise AmountError("amount_malformed", f"{currency} has {exponent} digits after the point")
    amount_minor = int(whole + fraction.ljust(exponent, "0"))
    check_amount(amount_minor)
    return amount_minor
