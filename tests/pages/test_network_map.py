"""The map of the network is one legible drawing, whoever is on it and whatever they are called."""

import re
from xml.etree import ElementTree as ET

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.pages.network_map import DRAWN_MAX, LINE_UNITS, MapWords, OnMap, draw_network, two_lines

WORDS = MapWords(
    title="The network", linked="connected", not_linked="away", nobody="Nobody yet.", more="and {count} more"
)
SVG = "{http://www.w3.org/2000/svg}"
HOSTILE = ['<script>alert("x")</script>', "\"' onload=alert(1)", "&lt;b&gt;", "a\u202eb\x00c", "{0}{name}%s"]


def drawn(count: int, name: str = "Market {}") -> ET.Element:
    neighbours = [OnMap(name.format(number), is_linked=number % 2 == 0) for number in range(count)]
    return ET.fromstring(str(draw_network("Green Market", neighbours, words=WORDS)))


def boxes(svg: ET.Element) -> list[tuple[float, float, float, float]]:
    """Left, top, right, bottom of every label, letters taken as 7 wide."""
    found = []
    for text in svg.findall("text"):
        spans = text.findall("tspan")
        if not spans:
            continue
        width = 7 * max(len(span.text) for span in spans)
        x, ys = float(spans[0].get("x")), [float(span.get("y")) for span in spans]
        left = {"start": x, "middle": x - width / 2, "end": x - width}[text.get("text-anchor")]
        found.append((left, min(ys) - 11, left + width, max(ys) + 3))
    return found


@pytest.mark.parametrize("count", [0, 1, 2, 3, 5, 6, 12, 23, 24, 40])
def test_every_name_is_within_the_drawing_and_no_two_overlap(count: int) -> None:
    """The own community and up to 24 neighbours each have a circle and a label of their own."""
    svg = drawn(count)
    _x, _y, width, height = map(float, svg.get("viewBox").split())
    circles = [(float(dot.get("cx")), float(dot.get("cy"))) for dot in svg.findall("circle")]
    assert len(circles) == len(set(circles)) == min(count, DRAWN_MAX) + 1
    labels = boxes(svg)
    assert len(labels) == len(circles)
    for left, top, right, bottom in labels:
        assert left >= 0
        assert right <= width
        assert top >= 0
        assert bottom <= height
    neighbours = labels[:-1]
    for index, one in enumerate(neighbours):
        for other in neighbours[index + 1 :]:
            apart = one[2] <= other[0] or other[2] <= one[0] or one[3] <= other[1] or other[3] <= one[1]
            assert apart, (one, other)


def test_lines_are_full_where_connected_and_dashed_where_not() -> None:
    """By a class, because the pages allow no inline style."""
    svg = drawn(4)
    assert [line.get("class") for line in svg.findall("line")] == [None, "away", None, "away"]
    assert "style" not in ET.tostring(svg, encoding="unicode")


def test_those_who_do_not_see_it_are_told_the_same() -> None:
    """Title and description; those past 24 are counted in words."""
    assert drawn(0).find("desc").text == "Nobody yet."
    assert drawn(2).find("desc").text == "Market 0: connected; Market 1: away"
    svg = drawn(40)
    assert svg.find("title").text == "The network"
    assert svg.find("desc").text.endswith("; and 16 more")
    assert svg.findall("text")[-1].text == "and 16 more"


def test_equal_neighbours_make_equal_drawings() -> None:
    """Nothing is drawn by lot."""
    assert ET.tostring(drawn(17)) == ET.tostring(drawn(17))


@pytest.mark.parametrize("name", HOSTILE)
def test_a_hostile_name_stays_a_name(name: str) -> None:
    """It is escaped everywhere, and cannot turn the text around it."""
    text = str(draw_network(name, [OnMap(name, is_linked=True)], words=WORDS))
    svg = ET.fromstring(text.replace("\x00", ""))
    assert {child.tag for child in svg.iter()} <= {"svg", "title", "desc", "line", "circle", "text", "tspan"}
    assert "<script" not in text
    shown = "".join(span.text for span in svg.iter("tspan"))
    assert shown.isprintable()


@settings(max_examples=200)
@given(st.text(max_size=60))
def test_a_name_is_cut_to_two_lines_that_fit(name: str) -> None:
    """What is missing is shown by one sign at the end."""
    lines = two_lines(name)
    assert all(len(re.sub(r"\W", "", line)) <= LINE_UNITS for line in lines)
    assert all(line.isprintable() for line in lines)


def test_names_break_between_words_and_between_chinese_characters() -> None:
    """Words stay whole where they can."""
    assert two_lines("Green Market") == ("Green", "Market")
    assert two_lines("Bob") == ("Bob", "")
    assert two_lines("春天的草地合作社") == ("春天的草地", "合作社")
    first, second = two_lines("Donaudampfschifffahrtsgesellschaft")
    assert (first, second[-1]) == ("Donaudamp", "…")
