"""Bytes, durations and the names of lanes, as people of a language write them.

say_bytes(1_500_000, "en")             # 1.5 MB
say_duration(7_200, "zh-Hans")         # 2小时
say_lane("market/food", "en")          # Market: Fresh food
"""

from babel.dates import format_timedelta
from babel.numbers import format_decimal

from node.locale import catalog
from node.pages.formats import locale_of, say_sector

_STEP = 1_000
_UNITS = ("B", "kB", "MB", "GB", "TB")
_WHOLE_FROM = 100
_MARKET = "market/"


def say_bytes(size_bytes: int, language: str) -> str:
    """Return a size in the largest unit that leaves a number of at least one."""
    value, unit = float(size_bytes), _UNITS[0]
    for larger in _UNITS[1:]:
        if value < _STEP:
            break
        value, unit = value / _STEP, larger
    pattern = "#,##0" if value >= _WHOLE_FROM or unit == _UNITS[0] else "#,##0.#"
    return f"{format_decimal(value, format=pattern, locale=locale_of(language))} {unit}"


def say_duration(seconds: int, language: str) -> str:
    """Return how long something has lasted, in its largest unit."""
    return format_timedelta(seconds, threshold=1.5, locale=locale_of(language))


def say_lane(lane: str, language: str) -> str:
    """Return the name of a lane; one that this version does not know is called as it calls itself."""
    _ = catalog(language).gettext
    words = {"charter": _("Charter"), "trade": _("Trade"), "ledger": _("Ledger")}
    if lane.startswith(_MARKET):
        return _("Market: {sector}").format(sector=say_sector(lane.removeprefix(_MARKET), language))
    return words.get(lane, lane)
