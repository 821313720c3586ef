"""Cards that are kept are never shown for something else, or to somebody else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from node.actions.listings import ListingPlace, show_listing
from node.locale import CHINESE, ENGLISH
from node.pages.cards import Cards
from node.pages.rendering import Rendering
from tests.pages.desk_site import Community, community, publish


@pytest.fixture
async def spring(tmp_path):
    async with community(tmp_path / "spring") as spring:
        yield spring


def _said(values: dict[str, object]) -> str:
    return repr(sorted(values.items()))


@given(
    st.lists(
        st.tuples(
            st.one_of(st.text(max_size=3), st.integers(0, 5), st.none(), st.booleans()), st.text(max_size=2)
        ),
        max_size=60,
    )
)
def test_a_kept_card_is_what_would_be_made_now(asked: list[tuple[object, str]]) -> None:
    """Whatever is asked in whatever order, few or many kept: the card is that of what was given."""
    cards = Cards(_said, ("first", "second"), cards_max=3)
    for first, second in asked:
        assert cards(first, second) == _said({"first": first, "second": second})
        assert len(cards._kept) <= 3


def test_a_card_is_made_once() -> None:
    """As long as it is kept, its template is not asked again."""
    made: list[object] = []

    def make(values: dict[str, object]) -> str:
        made.append(values["name"])
        return f"<b>{len(made)}</b>"

    cards = Cards(make, ("name",), cards_max=2)
    assert [cards(name) for name in "aabba"] == ["<b>1</b>", "<b>1</b>", "<b>2</b>", "<b>2</b>", "<b>1</b>"]
    assert [cards(name) for name in "ca"] == ["<b>3</b>", "<b>4</b>"]
    assert made == ["a", "b", "c", "a"]


async def test_every_fact_of_a_card_changes_it(spring: Community) -> None:
    """Each thing that a card shows, changed by itself, is seen in the next card, in both languages."""
    keeper = await spring.person("Mei")
    sector, listing_id = (await publish(keeper)).path.split("/")[3:5]
    listing = await show_listing(spring.node, ListingPlace(sector=sector, listing_id=listing_id))
    rendering = Rendering()
    changes: list[dict[str, object]] = [
        {"title": {"en": "Dog food <b>", "zh-Hans": "狗粮 <b>"}},
        {"price": replace(listing.price, amount_minor=1)},
        {"unit_code": "KGM"},
        {"shop_name": {"en": "Claws & co"}},
        {"availability": "limited"},
    ]
    for language in (ENGLISH, CHINESE):
        for name, last, more in (
            ("found_card", True, {"community_name": {"en": "Autumn"}}),
            ("offered_card", "h2", {"stock_available_steps": 4}),
        ):
            card = rendering._in(language).filters[name]
            before = card(listing, last)
            for change in (*changes, more):
                after = card(replace(listing, **change), last)
                assert after != before, change
                assert "<b>" not in after
            assert card(listing, False if last is True else "h4") != before
            assert card(listing, last) == before


async def test_a_new_price_and_stock_are_on_every_card_at_once(spring: Community) -> None:
    """After the form of a listing was sent, the search, the desk and the list of the sector show what it says."""
    keeper = await spring.person("Mei")
    path = (await publish(keeper)).path
    places = ("/", "/desk", "/desk/listings?sector=pets")
    from_search = "/?words=kitten"
    for _ in range(1_000):  # the index follows the writer at its own pace
        if "53.50" in (await keeper.get(from_search)).text:
            break
    for _ in range(2):
        assert "53.50" in (await keeper.get("/desk")).text
        assert "5 pc" in (await keeper.get(places[2])).text
    await keeper.send(await keeper.get(path), path, price="49,00", stock="3")
    for shown in (from_search, *places[1:]):
        text = (await keeper.get(shown)).text
        assert "49.00" in text
        assert "53.50" not in text
    assert "3 pc" in (await keeper.get("/desk")).text


async def test_each_keeper_gets_their_own_form_on_a_kept_card(spring: Community) -> None:
    """Two keepers look at one desk in turns: each card carries the key of who looks, and it works."""
    mei, bo = await spring.person("Mei"), await spring.person("Bo")
    address = await spring.order((await publish(mei)).path)
    keys = {}
    for _ in range(2):
        for name, keeper in (("Mei", mei), ("Bo", bo)):
            form = (await keeper.get("/desk")).forms[f"{address}/acceptance"]
            assert keys.setdefault(name, form["form_key"]) == form["form_key"]
    assert keys["Mei"] != keys["Bo"]
    assert (await bo.send(await bo.get("/desk"), f"{address}/acceptance")).status == 200
    assert f"{address}/acceptance" not in (await mei.get("/desk")).forms
    assert f"{address}/fulfilment" in (await mei.get("/desk")).forms
