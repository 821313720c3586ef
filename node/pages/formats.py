"""Money, quantities, dates and the words for our codes, as people of a language write them.

say_money(12_30, "EUR", "en")          # €12.30
say_quantity(1500, 3, "KGM", "zh-Hans")  # 1.5 千克
"""

from collections.abc import Mapping
from datetime import UTC, datetime
from decimal import Decimal
from functools import lru_cache

from babel.dates import format_date, format_time, format_timedelta, get_datetime_format, get_timezone
from babel.numbers import format_currency, format_decimal
from markupsafe import Markup, escape

from node.locale import CHINESE, ENGLISH, catalog
from protocol.amounts.money import check_currency

_LOCALES = {ENGLISH: "en_GB", CHINESE: "zh_Hans_CN"}
_KEPT_MAX = 4_096  # sentences; Babel takes as long over one amount as the store over three records
MINUTE_MS = 60_000
DAY_MS = 86_400_000


def locale_of(language: str) -> str:
    """Return Babel's name of one of our languages."""
    return _LOCALES[language]


@lru_cache(_KEPT_MAX)
def say_money(amount_minor: int, currency: str, language: str) -> str:
    """Return an amount with its currency's sign."""
    amount = Decimal(amount_minor).scaleb(-check_currency(currency))
    return format_currency(amount, currency, locale=locale_of(language))


@lru_cache(_KEPT_MAX)
def say_quantity(steps: int, scale: int, unit_code: str, language: str) -> str:
    """Return so many steps of a unit."""
    number = format_decimal(Decimal(steps).scaleb(-scale), locale=locale_of(language))
    return f"{number} {say_unit(unit_code, language)}".rstrip()


def say_time(time_ms: int, language: str) -> str:
    """Return a moment in this machine's own time zone, to the minute."""
    return _say_minute(time_ms // MINUTE_MS, language)


@lru_cache(_KEPT_MAX)
def _say_minute(time_minutes: int, language: str) -> str:
    moment = datetime.fromtimestamp(time_minutes * 60, tz=get_timezone())
    locale = locale_of(language)
    both = str(get_datetime_format("medium", locale=locale))
    return both.format(format_time(moment, "short", locale=locale), format_date(moment, "medium", locale))


def machine_time(time_ms: int) -> str:
    """Return a moment as the `datetime` attribute has it."""
    return _machine_second(time_ms // 1000)


@lru_cache(_KEPT_MAX)
def _machine_second(time_seconds: int) -> str:
    return datetime.fromtimestamp(time_seconds, tz=UTC).isoformat(timespec="seconds")


def time_tag(time_ms: int, language: str) -> Markup:
    """Return a moment as HTML, for people and for machines."""
    said, exact = escape(say_time(time_ms, language)), machine_time(time_ms)
    return Markup(f'<time datetime="{exact}">{said}</time>')  # noqa: S704  both are our own


def say_time_left(until_ms: int, now_ms: int, language: str) -> str:
    """Return how long until a moment, in two units at most; nothing where it has passed."""
    left_ms = until_ms - now_ms
    if left_ms < MINUTE_MS:
        return ""
    return format_timedelta(left_ms // 1000, granularity="minute", threshold=2, locale=locale_of(language))


def in_language(words: Mapping[str, str] | None, language: str) -> str:
    """Return a text in the reader's language, or in the first that it has."""
    if not words:
        return ""
    exact = words.get(language)
    if exact:
        return exact
    family = language.split("-", maxsplit=1)[0]
    near = next((text for tag, text in words.items() if tag.split("-")[0] == family), None)
    return near or next(iter(words.values()))


def tag_of(words: Mapping[str, str] | None, language: str) -> str:
    """Return the tag of the language in which `in_language` answers, for the `lang` attribute."""
    if not words or words.get(language):
        return language
    text = in_language(words, language)
    return next(tag for tag, known in words.items() if known == text)


@lru_cache(_KEPT_MAX)
def say_unit(unit_code: str, language: str) -> str:
    """Return the word for a UN/CEFACT unit, the code itself where we have none."""
    _ = catalog(language).gettext
    words = {
        "C62": _("pc"),
        "KGM": _("kg"),
        "GRM": _("g"),
        "LTR": _("litre"),
        "MLT": _("ml"),
        "HUR": _("hour"),
        "DAY": _("day"),
        "MTR": _("m"),
        "MTK": _("m²"),
        "SET": _("set"),
        "PR": _("pair"),
        "MON": _("month"),
    }
    return words.get(unit_code, unit_code)


@lru_cache(_KEPT_MAX)
def say_sector(sector: str, language: str) -> str:
    """Return the name of a market's sector."""
    _ = catalog(language).gettext
    return {
        "food": _("Fresh food"),
        "frozen": _("Frozen food"),
        "fashion": _("Fashion"),
        "beauty": _("Beauty"),
        "pets": _("Pets"),
        "family": _("Mother and baby"),
        "automotive": _("Cars"),
        "residential": _("Homes"),
        "assets": _("Assets"),
    }[sector]


@lru_cache(_KEPT_MAX)
def say_fulfilment(fulfilment: str, language: str) -> str:
    """Return how goods reach the buyer."""
    _ = catalog(language).gettext
    return {
        "pickup": _("Pickup"),
        "delivery": _("Delivery"),
        "ship": _("By post"),
        "onsite": _("At your place"),
    }[fulfilment]


@lru_cache(_KEPT_MAX)
def say_availability(availability: str, language: str) -> str:
    """Return what buyers are told of the stock."""
    _ = catalog(language).gettext
    return {
        "in_stock": _("In stock"),
        "limited": _("Few left"),
        "on_demand": _("Made on demand"),
        "out_of_stock": _("Sold out"),
    }[availability]


@lru_cache(_KEPT_MAX)
def say_role(role: str, language: str) -> str:
    """Return what a person of the node is."""
    _ = catalog(language).gettext
    return {
        "steward": _("Steward"),
        "shopkeeper": _("Shopkeeper"),
        "member": _("Member"),
        "visitor": _("Visitor"),
    }[role]
