"""The drawn split: bars that fill the picture, words for those who do not see it, nothing a role could inject."""

from xml.etree import ElementTree as ET

from hypothesis import given, settings
from hypothesis import strategies as st

from node.pages.split_drawing import BAR_WIDTH, COLOURS, draw_split, say_share, share_rows
from protocol.amounts.split import Allocation, TaxTotal, split
from tests.village import POLICY

SVG = "{http://www.w3.org/2000/svg}"


def parts_of(amounts: list[int]) -> list[Allocation]:
    """Return a split of these amounts; the last one is the seller's."""
    roles = [f"role{position}" for position in range(len(amounts) - 1)]
    shares = [
        Allocation(role=role, beneficiary="buyer", amount_minor=amount)
        for role, amount in zip(roles, amounts, strict=False)
    ]
    return [*shares, Allocation(role="seller", beneficiary="seller", amount_minor=amounts[-1])]


def drawn(allocations: list[Allocation]) -> ET.Element:
    text = str(draw_split(allocations, "EUR", "en")).replace(
        "<svg ", '<svg xmlns="http://www.w3.org/2000/svg" ', 1
    )
    return ET.fromstring(text)


@given(st.lists(st.integers(0, 10**14), min_size=1, max_size=17))
@settings(max_examples=60, deadline=None)
def test_the_bars_meet_and_fill_the_whole_width(amounts: list[int]) -> None:
    """Whatever the amounts are, each bar begins where the one before ends, and the last one ends the picture."""
    if not sum(amounts):
        assert draw_split(parts_of(amounts), "EUR", "en") == ""
        return
    reached = 0
    for bar in drawn(parts_of(amounts)).iter(f"{SVG}rect"):
        assert int(bar.attrib["x"]) == reached
        reached += int(bar.attrib["width"])
    assert reached == BAR_WIDTH


def test_the_shop_stands_first_and_every_share_is_told_in_words() -> None:
    """The rows sum to the price; title and description say what the picture shows; colours begin anew after six."""
    total = TaxTotal(tax_class="food", rate_bp=700, gross_minor=10_700)
    allocations = split(POLICY, [total], "EUR", same_community=False, collector="seller")
    rows = share_rows(allocations, "EUR", "en")
    assert rows[0].name == "The shop"
    assert sum(row.amount_minor for row in rows) == 10_700
    told = drawn(list(allocations)).findtext(f"{SVG}desc") or ""
    assert all(f"{row.name}: {row.money} ({row.percent})" in told for row in rows)
    assert {row.colour for row in share_rows(parts_of([1] * 9), "EUR", "en")} == set(range(1, COLOURS + 1))


def test_a_share_of_nothing_is_not_drawn() -> None:
    """In a sale within one community the buyer's share has moved on: no empty row, no bar without width."""
    assert [row.role for row in share_rows(parts_of([0, 5, 95]), "EUR", "en")] == ["seller", "role1"]


def test_a_role_of_a_communitys_own_is_told_by_its_name_and_escaped() -> None:
    """Underscores are spaces; what would be markup is text."""
    assert say_share("bread_fund", "en") == "bread fund"
    hostile = [Allocation(role="</desc><script>", beneficiary="seller", amount_minor=5)]
    picture = str(draw_split(hostile, "EUR", "en"))
    assert "<script>" not in picture
    assert "&lt;script&gt;" in picture
