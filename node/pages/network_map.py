"""The network as a drawing: the own community in the middle, its neighbours on a circle around it.

Where there are many, the circle is stretched into an ellipse, so that every name has two lines of its own. Equal
neighbours make equal drawings. Made for 320 pixels of width, and drawn larger where there is room.

    draw_network("Green Market", [OnMap("Market B", is_linked=True)], words=words)
"""

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from unicodedata import category, east_asian_width

from markupsafe import Markup

DRAWN_MAX = 24
LINE_UNITS = 10  # of a name: a Chinese character is two of them

_WIDTH = 320
_CENTRE = _WIDTH / 2
_RADIUS = 64.0
_REACH_MIN = 48.0  # up and down: few neighbours need no tall drawing
_STEEPEST = 0.95  # of the ellipse's height: so the uppermost left and right circles stand apart
_ROW = 36
_MARGIN = 26
_DOT = 9
_OWN_DOT = 15
_LETTER = 13
_GAP = 5


@dataclass(frozen=True, slots=True)
class OnMap:
    """One neighbour: its name, and whether its line is full."""

    name: str
    is_linked: bool


@dataclass(frozen=True, slots=True)
class MapWords:
    """What is said to those who do not see the drawing, in the reader's language."""

    title: str
    linked: str
    not_linked: str
    nobody: str
    more: str  # how many are not drawn, with {count}


@dataclass(frozen=True, slots=True)
class _Place:
    x: float
    y: float
    is_right: bool


def draw_network(own_name: str, neighbours: Sequence[OnMap], *, words: MapWords) -> Markup:
    """Return the drawing as one <svg>; neighbours past `DRAWN_MAX` are counted in words."""
    drawn = neighbours[:DRAWN_MAX]
    more = len(neighbours) - len(drawn)
    places, height = _places(len(drawn))
    own = _Place(_CENTRE, height / 2, is_right=True)
    parts = [
        *(_line(own, place, each) for place, each in zip(places, drawn, strict=True)),
        *(_neighbour(place, each) for place, each in zip(places, drawn, strict=True)),
        _own(own, own_name),
    ]
    if more:
        height += _LETTER + _GAP
        parts.append(
            _TEXT.format(
                x=_number(_CENTRE), y=_number(height - _GAP), side="middle", name=_said(words.more, more)
            )
        )
    return _SVG.format(
        width=_WIDTH,
        height=_number(height),
        title=words.title,
        description=_description(drawn, more, words),
        parts=Markup("").join(parts),
    )


def two_lines(name: str, units: int = LINE_UNITS) -> tuple[str, str]:
    """Return a name cut to two lines of so many units; the second ends in … where something is missing."""
    shown = " ".join("".join(sign if sign.isprintable() else " " for sign in name).split())
    first = _fitting(shown, units)
    if first == shown:
        return shown, ""
    rest = shown[len(first) :]
    if not rest.startswith(" ") and " " in first:  # not within a word
        first = first[: first.rindex(" ")]
        rest = shown[len(first) :]
    rest = rest.strip()
    second = _fitting(rest, units)
    return first.strip(), second if second == rest else _fitting(rest, units - 1).strip() + "…"


def _fitting(text: str, units: int) -> str:
    """The longest beginning that is no wider; marks stay with their letter."""
    used = 0.0
    for index, sign in enumerate(text):
        used += _units(sign)
        if used > units:
            return text[:index]
    return text


def _units(sign: str) -> float:
    kind = category(sign)
    if kind in ("Mn", "Me"):
        return 0.0
    if east_asian_width(sign) in "WF":
        return 2.0
    if sign in "MWmw@%—":
        return 1.5
    return 1.3 if kind == "Lu" else 1.0


def _places(count: int) -> tuple[list[_Place], float]:
    """Where the circles stand, from the top, right and left in turn; and the height of the drawing."""
    rows = ((count + 1) // 2, count // 2)  # on the right, on the left
    tallest = max(0, rows[0] - 1) * _ROW / 2
    reach = max(_REACH_MIN, tallest / _STEEPEST)
    height = 2 * (reach + _MARGIN)
    places = []
    for index in range(count):
        row, is_right = index // 2, index % 2 == 0
        offset = (row - (rows[not is_right] - 1) / 2) * _ROW
        aside = _RADIUS * sqrt(1 - (offset / reach) ** 2)
        places.append(_Place(_CENTRE + (aside if is_right else -aside), height / 2 + offset, is_right))
    return places, height


def _line(own: _Place, place: _Place, neighbour: OnMap) -> Markup:
    return _LINE.format(
        kind=Markup("") if neighbour.is_linked else Markup(' class="away"'),
        x1=_number(own.x),
        y1=_number(own.y),
        x2=_number(place.x),
        y2=_number(place.y),
    )


def _neighbour(place: _Place, neighbour: OnMap) -> Markup:
    beside = _DOT + _GAP
    x = place.x + (beside if place.is_right else -beside)
    circle = _CIRCLE.format(kind=Markup(""), x=_number(place.x), y=_number(place.y), radius=_DOT)
    return circle + _label(neighbour.name, x, place.y, "start" if place.is_right else "end")


def _own(place: _Place, name: str) -> Markup:
    circle = _CIRCLE.format(
        kind=Markup(' class="own"'), x=_number(place.x), y=_number(place.y), radius=_OWN_DOT
    )
    return circle + _label(name, place.x, place.y + _OWN_DOT + 1.6 * _LETTER, "middle")


def _label(name: str, x: float, y: float, side: str) -> Markup:
    """One or two lines, their middle at `y`."""
    lines = [line for line in two_lines(name) if line]
    first = y + 0.35 * _LETTER - 0.55 * _LETTER * (len(lines) - 1)
    spans = (
        _SPAN.format(x=_number(x), y=_number(first + 1.1 * _LETTER * index), line=line)
        for index, line in enumerate(lines)
    )
    return _LABEL.format(side=side, spans=Markup("").join(spans))


def _description(drawn: Sequence[OnMap], more: int, words: MapWords) -> str:
    if not drawn:
        return words.nobody
    said = [f"{each.name}: {words.linked if each.is_linked else words.not_linked}" for each in drawn]
    return "; ".join([*said, _said(words.more, more)] if more else said)


def _said(sentence: str, count: int) -> str:
    return sentence.format(count=count)


def _number(value: float) -> str:
    return f"{value:.1f}".removesuffix(".0")


_SVG = Markup(
    '<svg class="map" viewBox="0 0 {width} {height}" role="img" aria-labelledby="map-title map-words">'
    '<title id="map-title">{title}</title><desc id="map-words">{description}</desc>{parts}</svg>'
)
_LINE = Markup('<line{kind} x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}"/>')
_CIRCLE = Markup('<circle{kind} cx="{x}" cy="{y}" r="{radius}"/>')
_LABEL = Markup('<text text-anchor="{side}">{spans}</text>')
_SPAN = Markup('<tspan x="{x}" y="{y}">{line}</tspan>')
_TEXT = Markup('<text x="{x}" y="{y}" text-anchor="{side}">{name}</text>')
