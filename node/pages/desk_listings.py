"""The desk's listings: publish, edit, withdraw; what two desks changed at once is shown side by side.

A new listing's id is made with the form, so a form that is sent twice publishes once.
"""

from collections.abc import Mapping

from msgspec.structs import replace

from node.actions.listings import (
    ListingAnswer,
    ListingDraft,
    ListingPlace,
    ListingsQuery,
    list_listings,
    publish_listing,
    show_listing,
    withdraw_listing,
)
from node.actions.photos import PhotoDraft, add_photo
from node.actions.shapes import is_hash, is_id, new_id
from node.actions.shops import ShopAnswer, ShopDraft, ShopsQuery, list_shops, publish_shop
from node.errors import SENTENCES, NodeError, report
from node.locale import catalog
from node.locale import marked as _
from node.pages.answering import Answer, GoTo, Page
from node.pages.formats import (
    in_language,
    say_availability,
    say_quantity,
    say_sector,
    say_unit,
)
from node.pages.forms import Form, FormRefused, first_field
from node.pages.listing_form import (
    AVAILABILITIES,
    FIELDS,
    FULFILMENTS,
    SCALES,
    UNITS,
    differences,
    read_listing,
    typed_of,
)
from node.pages.site import Asked, PageRoute
from protocol.amounts.quantity import format_quantity
from protocol.errors import ProtocolError
from protocol.identity.keys import to_base32
from protocol.lanes.kind import SECTORS
from protocol.limits import TEXT_CHARACTERS_MAX, TITLE_CHARACTERS_MAX
from storage.errors import StorageError

LISTINGS_PAGE = 50
NEW_SHOP = "new"
_REFUSED = (NodeError, ProtocolError, StorageError)


async def show_listings(asked: Asked) -> Page:
    """Show our listings of one sector, withdrawn ones too."""
    sector = asked.query("sector") or SECTORS[0]
    after = asked.query("after") or None
    query = ListingsQuery(sector=sector, after=after, limit=LISTINGS_PAGE)
    listings = (await list_listings(asked.node, query)).listings
    shops = (await list_shops(asked.node, ShopsQuery())).shops
    values = {
        "section": "desk",
        "sector": sector,
        "sectors": [
            known for known in SECTORS if known == sector or any(shop.sector == known for shop in shops)
        ],
        "listings": listings,
        "after": listings[-1].listing_id if len(listings) == LISTINGS_PAGE else None,
    }
    return Page("desk_listings.html", values)


async def show_new_listing(asked: Asked) -> Page:
    """Show an empty form, with ids that are drawn for it alone."""
    now_ms = asked.node.clock.now()
    ids = {"listing_id": to_base32(new_id(now_ms)), "new_shop_id": to_base32(new_id(now_ms))}
    fields = {**ids, "availability": "in_stock", "unit": "C62", "scale": "0", "fulfilment": "pickup"}
    form = Form({name: [value] for name, value in fields.items()}, {})
    return await _form_page(asked, None, form)


async def publish_new_listing(asked: Asked) -> Answer:
    """Publish a new listing, and its shop where that is new, or show the form again."""
    form = asked.form
    if not is_id(form["listing_id"]) or not is_id(form["new_shop_id"]):
        raise NodeError("request_field_refused", "listing_id")
    shops = (await list_shops(asked.node, ShopsQuery())).shops
    shop = _read_shop(asked, form.choice("sector", SECTORS), shops)
    draft = _read_draft(
        asked,
        currency=asked.node.genesis.currency,
        sector=shop.sector,
        shop_id=shop.shop_id or form["new_shop_id"],
    )
    try:
        images = await _read_photo(asked)
        form.check()
        await _open_shop(asked, shop, shops)
        return await _publish(asked, replace(draft, listing_id=form["listing_id"], images=images), None)
    except FormRefused as refused:
        return await _form_page(asked, None, form, faults=refused.faults)


async def show_own_listing(asked: Asked) -> Page:
    """Show a listing of ours as a form."""
    listing = await _own_listing(asked)
    return await _form_page(asked, listing, typed_of(listing))


async def edit_listing(asked: Asked) -> Answer:
    """Publish a listing anew, show the form again, or show what another desk has changed meanwhile."""
    listing = await _own_listing(asked)
    try:
        draft = _read_draft(
            asked,
            currency=listing.price.currency,
            sector=listing.sector,
            shop_id=listing.shop_id,
            before=listing,
        )
        images = await _read_photo(asked)
        asked.form.check()
    except FormRefused as refused:
        return await _form_page(asked, listing, asked.form, faults=refused.faults)
    return await _publish(asked, replace(draft, listing_id=listing.listing_id, images=images), listing)


async def withdraw_own_listing(asked: Asked) -> GoTo:
    """Withdraw a listing; one that is withdrawn already stays so."""
    listing = await _own_listing(asked)
    if not listing.is_withdrawn:
        place = ListingPlace(sector=listing.sector, listing_id=listing.listing_id)
        await withdraw_listing(asked.node, place)
    return GoTo(f"/desk/listings/{listing.sector}/{listing.listing_id}?said=withdrawn")


async def _publish(asked: Asked, draft: ListingDraft, before: ListingAnswer | None) -> Answer:
    try:
        published = await publish_listing(asked.node, draft)
    except NodeError as error:
        if error.code == "listing_changed":
            return await _changed_page(asked, draft)
        return await _form_page(asked, before, asked.form, refused=error)
    except _REFUSED as error:
        return await _form_page(asked, before, asked.form, refused=error)
    return GoTo(f"/desk/listings/{draft.sector}/{published.listing_id}?said=published")


async def _own_listing(asked: Asked) -> ListingAnswer:
    place = ListingPlace(sector=asked.path["sector"], listing_id=asked.path["listing_id"])
    return await show_listing(asked.node, place)


async def _read_photo(asked: Asked) -> list[str]:
    """Return the photo to publish: the one that came, else the one that was there, unless it is to go."""
    upload = asked.form.upload("photo_file")
    if upload is not None:
        try:
            added = await add_photo(asked.node, PhotoDraft(content=upload.content))
        except NodeError as error:
            if not error.code.startswith("photo_"):
                raise
            asked.form.refuse("photo_file", SENTENCES[error.code])
        else:
            asked.form.put("photo", added.sha256)
            return [added.sha256]
    if asked.form["without_photo"] == "yes":
        return []
    return [asked.form["photo"]] if is_hash(asked.form["photo"]) else []


def _read_draft(
    asked: Asked, *, currency: str, sector: str, shop_id: str, before: ListingAnswer | None = None
) -> ListingDraft:
    draft = read_listing(asked.form, currency=currency, sector=sector, shop_id=shop_id, before=before)
    if not draft.title:
        field = first_field("title", asked.visit.language)
        asked.form.refuse(field, _("Write the title in at least one language."))
    return draft


def _read_shop(asked: Asked, sector: str, shops: list[ShopAnswer]) -> ShopDraft:
    """Return the chosen shop as it is to stand in the sector, or the new one that the form describes."""
    form = asked.form
    known = {shop.shop_id: shop for shop in shops}
    if form["shop"] in known:
        shop = known[form["shop"]]
        return ShopDraft(
            sector=sector,
            shop_id=shop.shop_id,
            name=shop.name,
            about=shop.about,
            pickup=shop.pickup,
            delivery=shop.delivery,
        )
    if form["shop"] not in ("", NEW_SHOP):  # without a shop the form had nothing to choose from
        form.refuse("shop", _("Choose one of the list."))
    names = form.words("shop_name", characters_max=TITLE_CHARACTERS_MAX)
    pickup = form.text("shop_pickup", characters_max=TEXT_CHARACTERS_MAX)[:TEXT_CHARACTERS_MAX]
    if not names:
        form.refuse(
            first_field("shop_name", asked.visit.language), _("Name the shop in at least one language.")
        )
    return ShopDraft(
        sector=sector,
        shop_id=form["new_shop_id"],
        name=names,
        pickup={"und": pickup} if pickup else None,
    )


async def _open_shop(asked: Asked, shop: ShopDraft, shops: list[ShopAnswer]) -> None:
    """A shop stands in each sector that it sells in; where it does already, nothing is said again."""
    if not any((known.sector, known.shop_id) == (shop.sector, shop.shop_id) for known in shops):
        await publish_shop(asked.node, shop)


async def _form_page(
    asked: Asked,
    listing: ListingAnswer | None,
    typed: Form,
    *,
    faults: Mapping[str, str] | None = None,
    refused: BaseException | None = None,
) -> Page:
    shops = (await list_shops(asked.node, ShopsQuery())).shops
    said = report(refused, language=asked.visit.language) if refused else None
    values = {
        "section": "desk",
        "listing": listing,
        "typed": typed,
        "faults": faults or {},
        "refused": said,
        "said": asked.query("said"),
        "shops": list({shop.shop_id: shop for shop in shops}.values()),
        "currency": listing.price.currency if listing else asked.node.genesis.currency,
        "title_max": TITLE_CHARACTERS_MAX,
        "text_max": TEXT_CHARACTERS_MAX,
        "stock_hint": _stock_hint(listing, asked.visit.language),
        "fulfilments": FULFILMENTS,
        **_options(asked.visit.language, shops),
    }
    return Page("desk_listing.html", values, status=422 if faults else said.status if said else 200)


async def _changed_page(asked: Asked, draft: ListingDraft) -> Page:
    """Both versions field by field; to save over them, the same form names the version that was seen here."""
    assert draft.listing_id is not None, "a draft of the desk names its listing"
    theirs = await show_listing(asked.node, ListingPlace(sector=draft.sector, listing_id=draft.listing_id))
    mine = {name: asked.form[name] for name in FIELDS}
    mine["photo"] = draft.images[0] if draft.images else ""
    values = {
        "section": "desk",
        "listing": theirs,
        "mine": mine,
        "fulfilment": asked.form.all("fulfilment"),
        "rows": differences(draft, theirs, asked.visit.language),
    }
    return Page("desk_listing_changed.html", values, status=409)


def _options(language: str, shops: list[ShopAnswer]) -> dict[str, list[tuple[str, str]]]:
    """What the form's lists offer, each value with its words."""
    gettext = catalog(language).gettext
    names = {shop.shop_id: in_language(shop.name, language) for shop in shops}
    return {
        "sector_options": [(sector, say_sector(sector, language)) for sector in SECTORS],
        "unit_options": [(unit, say_unit(unit, language)) for unit in UNITS],
        "scale_options": [(scale, format_quantity(1, int(scale))) for scale in SCALES],
        "availability_options": [(word, say_availability(word, language)) for word in AVAILABILITIES],
        "shop_options": [*names.items(), (NEW_SHOP, gettext("A new shop"))],
    }


def _stock_hint(listing: ListingAnswer | None, language: str) -> str:
    gettext = catalog(language).gettext
    if listing is None or listing.stock_on_hand_steps is None or listing.stock_available_steps is None:
        return gettext("Only you see it. Leave it empty to sell without counting.")
    promised = listing.stock_on_hand_steps - listing.stock_available_steps
    said = say_quantity(promised, listing.quantity_scale, listing.unit_code, language)
    return gettext("Only you see it. {promised} of it is promised to accepted orders.").format(promised=said)


DESK_LISTING_PAGES = (
    PageRoute(method="GET", path="/desk/listings", show=show_listings, needs="shopkeeper"),
    PageRoute(method="GET", path="/desk/listings/new", show=show_new_listing, needs="shopkeeper"),
    PageRoute(method="POST", path="/desk/listings/new", show=publish_new_listing, needs="shopkeeper"),
    PageRoute(
        method="GET", path="/desk/listings/{sector}/{listing_id}", show=show_own_listing, needs="shopkeeper"
    ),
    PageRoute(
        method="POST", path="/desk/listings/{sector}/{listing_id}", show=edit_listing, needs="shopkeeper"
    ),
    PageRoute(
        method="POST",
        path="/desk/listings/{sector}/{listing_id}/withdrawal",
        show=withdraw_own_listing,
        needs="shopkeeper",
    ),
)
