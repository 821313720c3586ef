"""Listings at the desk: published, edited, withdrawn, refused, sent twice, and edited at two desks at once."""

import asyncio
import json
from html import escape

import pytest

from node.actions.listings import ListingPlace, show_listing
from protocol.lanes.kind import MARKETS
from tests.pages.desk_site import TYPED, Community, Visitor, community, picture, publish


@pytest.fixture
async def spring(tmp_path):
    async with community(tmp_path / "spring") as spring:
        yield spring


async def listing_of(spring: Community, address: str):
    sector, listing_id = address.split("/")[-2:]
    return await show_listing(spring.node, ListingPlace(sector=sector, listing_id=listing_id))


async def records(spring: Community) -> list[object]:
    """The newest position of every market lane: it moves when anything is written."""

    def question(read):
        return [read.get("lane_clock", (spring.node.community, lane)) for lane in MARKETS]

    return await spring.node.read(question)


async def test_a_first_listing_and_its_shop_are_published_in_one_form(spring: Community) -> None:
    """The shopkeeper lands on the listing; price, tax, stock and both languages are what was typed."""
    keeper = await spring.person("Mei")
    shown = await publish(keeper)
    assert shown.status == 200, shown.text
    assert "Published." in shown.text
    listing = await listing_of(spring, shown.path)
    assert listing.title == {"zh-Hans": "幼猫粮 2 公斤", "en": "Kitten food 2 kg"}
    assert listing.shop_name == {"zh-Hans": "毛孩子", "en": "Paws"}
    assert (listing.price.amount_minor, listing.tax.rate_bp, listing.tax.tax_class) == (
        5_350,
        700,
        "rate_700",
    )
    assert (listing.stock_on_hand_steps, listing.fulfilment) == (5, ["pickup"])
    desk = await keeper.get("/desk")
    assert shown.path in desk.text
    assert shown.path in (await keeper.get("/desk/listings?sector=pets")).text


async def test_a_second_listing_chooses_the_shop_and_opens_it_in_another_sector(spring: Community) -> None:
    """One shop sells in two sectors without being described twice."""
    keeper = await spring.person("Mei")
    await publish(keeper)
    shop = (await keeper.get("/desk/listings/new")).forms["/desk/listings/new"]["shop"]
    shown = await publish(
        keeper, shop=shop, sector="food", unit="KGM", scale="3", stock="1.25", shop_name_en=""
    )
    listing = await listing_of(spring, shown.path)
    assert (listing.shop_name["en"], listing.sector) == ("Paws", "food")
    assert (listing.stock_on_hand_steps, listing.quantity_scale) == (1_250, 3)
    assert await spring.shops() == 2


async def test_refused_fields_are_shown_again_with_what_was_typed(spring: Community) -> None:
    """Each fault stands at its field, nothing is written, and the photo that came need not be sent again."""
    keeper = await spring.person("Mei")
    before = await records(spring)
    wrong = {
        "title_zh": "",
        "title_en": " ",
        "price": "cheap",
        "tax": "107",
        "stock": "0.5",
        "fulfilment": [],
    }
    shown = await publish(keeper, file=picture(), **wrong)
    assert shown.status == 422
    for name in ("title_en", "price", "tax", "stock", "fulfilment"):
        assert f'id="fault-{name}"' in shown.text, name
    form = shown.forms["/desk/listings/new"]
    assert form["price"] == ["cheap"]
    assert len(form["photo"][0]) == 52
    assert await records(spring) == before
    mended = await keeper.send(shown, "/desk/listings/new", **{**TYPED, "fulfilment": ["pickup", "delivery"]})
    listing = await listing_of(spring, mended.path)
    assert listing.images[0].sha256 == form["photo"][0]
    assert listing.fulfilment == ["delivery", "pickup"]


@pytest.mark.parametrize(("language", "first", "second"), [("en", "en", "zh"), ("zh-CN", "zh", "en")])
async def test_a_form_in_two_languages_begins_with_the_readers(
    spring: Community, language: str, first: str, second: str
) -> None:
    """The own language's field stands first, has the hint, and the fault where both are empty."""
    keeper = await spring.person("Mei")
    keeper.language = language
    page = await keeper.get("/desk/listings/new")
    for name in ("title", "text", "shop_name"):
        places = [page.text.index(f'id="{name}_{ending}"') for ending in (first, second)]
        assert places == sorted(places), name
    assert f'aria-describedby="hint-title_{first}"' in page.text
    assert f"hint-title_{second}" not in page.text
    refused = await publish(keeper, title_zh="", title_en="", shop_name_zh="", shop_name_en="")
    assert refused.status == 422
    for name in ("title", "shop_name"):
        assert f'id="fault-{name}_{first}"' in refused.text
        assert f'id="fault-{name}_{second}"' not in refused.text


async def test_a_form_that_is_sent_twice_publishes_once(spring: Community) -> None:
    """The second submit of the same words, even at the same time, leads to the same page and writes nothing."""
    keeper = await spring.person("Mei")
    page = await keeper.get("/desk/listings/new")
    first = await keeper.send(page, "/desk/listings/new", **TYPED)
    before = await records(spring)
    again = await keeper.send(page, "/desk/listings/new", **TYPED)
    assert (again.status, again.path) == (200, first.path)
    assert await records(spring) == before
    edit = await keeper.get(first.path)
    changed = [keeper.send(edit, first.path, price="60"), keeper.send(edit, first.path, price="60")]
    both = await asyncio.gather(*changed)
    assert [shown.status for shown in both] == [200, 200]
    assert (await listing_of(spring, first.path)).price.amount_minor == 6_000


async def test_two_desks_that_edit_one_listing_see_both_versions(spring: Community) -> None:
    """The second save is shown the difference; it may write over it, or take theirs and change nothing."""
    mei, lei = await spring.person("Mei"), await spring.person("Lei")
    path = (await publish(mei)).path
    hers, his = await mei.get(path), await lei.get(path)
    await mei.send(hers, path, price="49.90", title_en="Kitten food, new recipe")
    shown = await lei.send(his, path, price="55.00")
    assert shown.status == 409
    assert "€49.90" in shown.text
    assert "€55.00" in shown.text
    assert "Kitten food, new recipe" in shown.text
    assert shown.text.count("differs") == 2
    assert (await listing_of(spring, path)).price.amount_minor == 4_990
    saved = await lei.send(shown, path)
    assert saved.status == 200
    listing = await listing_of(spring, path)
    assert (listing.price.amount_minor, listing.title["en"]) == (5_500, "Kitten food 2 kg")


async def test_a_withdrawal_meanwhile_is_seen_before_it_is_undone(spring: Community) -> None:
    """Who saves a listing that another desk withdrew is asked first; a second withdrawal changes nothing."""
    mei, lei = await spring.person("Mei"), await spring.person("Lei")
    path = (await publish(mei)).path
    hers, his = await mei.get(path), await lei.get(path)
    assert (await mei.send(hers, f"{path}/withdrawal")).status == 200
    before = await records(spring)
    assert (await lei.send(his, f"{path}/withdrawal")).status == 200
    shown = await lei.send(his, path)
    assert (shown.status, await records(spring)) == (409, before)
    assert "Withdrawn" in shown.text
    assert (await listing_of(spring, path)).is_withdrawn
    await lei.send(shown, path)
    assert not (await listing_of(spring, path)).is_withdrawn


async def test_stock_that_was_not_touched_in_the_form_is_left_alone(spring: Community) -> None:
    """An order handed over between opening and saving the form keeps its effect on the count."""
    keeper = await spring.person("Mei")
    path = (await publish(keeper)).path
    page = await keeper.get(path)
    sale = await spring.order(path, steps=2)
    await keeper.send(await keeper.get(sale), f"{sale}/acceptance")
    await keeper.send(await keeper.get(sale), f"{sale}/fulfilment")
    await keeper.send(page, path, title_en="Kitten food, two kilos")
    listing = await listing_of(spring, path)
    assert (listing.title["en"], listing.stock_on_hand_steps) == ("Kitten food, two kilos", 3)
    recount = await keeper.send(page, path, stock="9")
    assert recount.status == 409
    assert (await keeper.send(recount, path)).status == 200
    assert (await listing_of(spring, path)).stock_on_hand_steps == 9


@pytest.mark.parametrize("path", ["/desk", "/desk/listings", "/desk/listings/new", "/desk/orders"])
async def test_the_desk_is_for_shopkeepers(spring: Community, path: str) -> None:
    """A visitor is led to the login, a member is told that a role is missing, a steward may."""
    visitor = Visitor(spring.client, None)
    assert (await visitor.get(path)).path == "/login"
    assert (await (await spring.person("Hua", "member")).get(path)).status == 403
    assert (await (await spring.person("Ada", "steward")).get(path)).status == 200


async def test_a_form_without_its_key_is_refused(spring: Community) -> None:
    """No key, or that of another browser: 403, and nothing is written."""
    mei, lei = await spring.person("Mei"), await spring.person("Lei")
    path = (await publish(mei)).path
    before = await records(spring)
    other = (await lei.get(path)).forms[path]["form_key"]
    for key in ([], [""], ["a" * 26], other):
        for action in (path, f"{path}/withdrawal", "/desk/listings/new"):
            fields = {**(await mei.get(path)).forms[path], "form_key": key, "price": ["1"]}
            shown = await mei.post(action, fields)
            assert (shown.status, "form_foreign" in shown.text) == (403, True)
    assert await records(spring) == before


async def test_hostile_texts_are_published_as_text_or_refused_at_their_field(
    spring: Community, shared_data
) -> None:
    """Whatever is typed comes back as text: no page fails, and no markup of it gets through."""
    keeper = await spring.person("Mei")
    path = (await publish(keeper)).path
    for text in json.loads(shared_data("hostile/blns.json").read_text(encoding="utf-8")):
        page = await keeper.get(path)
        typed = {
            "title_en": text,
            "text_en": text,
            "text_zh": text,
            "price": text,
            "stock": text,
            "tax": text,
        }
        shown = await keeper.send(page, path, **typed)
        assert shown.status in (200, 422), text
        taken = await keeper.send(page, path, title_en=text, text_en=text)
        assert taken.status in (200, 409, 422), text
        assert text not in shown.text + taken.text or escape(text) == text or len(text) < 4, text


async def test_addresses_that_lead_nowhere_say_so(spring: Community) -> None:
    """Unknown sectors, ids of the wrong length and listings that are not there are 404 or 422, never 500."""
    keeper = await spring.person("Mei")
    for path in (
        "/desk/listings/moon/" + "a" * 26,
        "/desk/listings/pets/x",
        "/desk/listings/pets/" + "a" * 26,
    ):
        assert (await keeper.get(path)).status in (404, 422)
    assert (await keeper.get("/desk/listings?sector=moon")).status in (404, 422)
