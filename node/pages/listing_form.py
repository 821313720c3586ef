"""The form of a listing: from what was typed to a draft, from a listing to what the form shows, and both in words.

Unit, steps and shop of a listing stay as they are once orders may name it; the other words may change.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from msgspec.structs import replace

from node.actions.listings import ListingAnswer, ListingDraft
from node.locale import CHINESE, ENGLISH, catalog
from node.locale import marked as _
from node.pages.formats import say_availability, say_fulfilment, say_money, say_quantity
from node.pages.forms import LANGUAGE_FIELDS, Form, language_fields
from protocol.amounts.money import format_minor
from protocol.amounts.quantity import format_quantity, parse_quantity
from protocol.errors import AmountError
from protocol.fields import Text
from protocol.lanes.market.listings import FixedPrice, Tax
from protocol.limits import BASIS_POINTS, TEXT_CHARACTERS_MAX, TITLE_CHARACTERS_MAX

UNITS = ("C62", "KGM", "GRM", "LTR", "MLT", "PR", "SET", "MTR", "MTK", "HUR", "DAY", "MON")
SCALES = ("0", "1", "2", "3")
FULFILMENTS = ("pickup", "delivery", "ship", "onsite")
AVAILABILITIES = ("in_stock", "limited", "on_demand", "out_of_stock")
FIELDS = (
    "title_zh",
    "title_en",
    "text_zh",
    "text_en",
    "price",
    "tax",
    "availability",
    "stock",
    "photo",
)
_TAX_DIGITS = 2


@dataclass(frozen=True, slots=True)
class Difference:
    """One field of two versions in words; `photos` are hashes instead."""

    name: str
    mine: str
    theirs: str
    is_photo: bool = False

    @property
    def differs(self) -> bool:
        """Whether the two say different things."""
        return self.mine != self.theirs


def typed_of(listing: ListingAnswer) -> Form:
    """Return a form filled in with a listing as it stands."""
    titles, texts = listing.title, listing.text or {}
    on_hand = listing.stock_on_hand_steps
    fields = {
        "title_zh": titles.get(CHINESE, ""),
        "title_en": titles.get(ENGLISH, ""),
        "text_zh": texts.get(CHINESE, ""),
        "text_en": texts.get(ENGLISH, ""),
        "price": format_minor(listing.price.amount_minor, listing.price.currency),
        "tax": _tax_text(listing.tax.rate_bp),
        "availability": listing.availability,
        "stock": "" if on_hand is None else stock_text(on_hand, listing.quantity_scale),
        "photo": listing.images[0].sha256 if listing.images else "",
        "seen_published_ms": str(listing.published_ms),
        "seen_stock_steps": str(on_hand or 0),
    }
    values = {name: [value] for name, value in fields.items()}
    return Form({**values, "fulfilment": list(listing.fulfilment)}, {})


def read_listing(
    form: Form, *, currency: str, sector: str, shop_id: str, before: ListingAnswer | None = None
) -> ListingDraft:
    """Return what the form says, as a draft without photo; without a title where both its fields are empty.

    `before` is the version that stands there, None for a new listing. `form.check()` tells whether the draft
    may be used.
    """
    scale = before.quantity_scale if before else _read_scale(form)
    tax = _read_tax(form)
    draft = ListingDraft(
        sector=sector,
        shop_id=shop_id,
        title=_read_words(form, "title", TITLE_CHARACTERS_MAX, before.title if before else None),
        text=_read_words(form, "text", TEXT_CHARACTERS_MAX, before.text if before else None) or None,
        price=FixedPrice(currency=currency, amount_minor=form.money("price", currency)),
        unit_code=before.unit_code if before else form.choice("unit", UNITS),
        quantity_scale=scale,
        tax=before.tax if before and before.tax.rate_bp == tax.rate_bp else tax,
        availability=form.choice("availability", AVAILABILITIES),  # type: ignore[arg-type]  # one of them, or refused
        fulfilment=_read_fulfilment(form),  # type: ignore[arg-type]  # as above
        stock_steps=_read_stock(form, scale),
        profile=before.profile if before else None,
        attributes=before.attributes if before else None,
        seen_published_ms=_read_seen(form, "seen_published_ms"),
        seen_stock_steps=_read_seen(form, "seen_stock_steps"),
    )
    return draft if before is None else _without_old_count(draft, before)


def differences(mine: ListingDraft, theirs: ListingAnswer, language: str) -> list[Difference]:
    """Return both versions field by field, in words."""
    gettext = catalog(language).gettext
    stock = theirs.stock_on_hand_steps
    mine_stock = stock if mine.stock_steps is None else mine.stock_steps

    def count(steps: int | None) -> str:
        if steps is None:
            return gettext("Not counted")
        return say_quantity(steps, theirs.quantity_scale, theirs.unit_code, language)

    titles = {CHINESE: gettext("Title in Chinese"), ENGLISH: gettext("Title in English")}
    texts = {CHINESE: gettext("Text in Chinese"), ENGLISH: gettext("Text in English")}
    rows = [
        *(
            Difference(titles[tag], mine.title.get(tag, ""), theirs.title.get(tag, ""))
            for _ending, tag in language_fields(language)
        ),
        *(
            Difference(texts[tag], _in(mine.text, tag), _in(theirs.text, tag))
            for _ending, tag in language_fields(language)
        ),
        Difference(gettext("Price"), _price(mine.price, language), _price(theirs.price, language)),
        Difference(gettext("Tax rate in %"), _tax_text(mine.tax.rate_bp), _tax_text(theirs.tax.rate_bp)),
        Difference(
            gettext("Availability"),
            say_availability(mine.availability, language),
            say_availability(theirs.availability, language),
        ),
        Difference(
            gettext("How buyers get it"), _ways(mine.fulfilment, language), _ways(theirs.fulfilment, language)
        ),
        Difference(gettext("On hand"), count(mine_stock), count(stock)),
        Difference(
            gettext("Photo"),
            mine.images[0] if mine.images else "",
            theirs.images[0].sha256 if theirs.images else "",
            is_photo=True,
        ),
        Difference(
            gettext("Offered"),
            gettext("Yes"),
            gettext("Withdrawn") if theirs.is_withdrawn else gettext("Yes"),
        ),
    ]
    return [row for row in rows if row.mine or row.theirs]


def stock_text(steps: int, scale: int) -> str:
    """Return a count as the form takes it; nothing left is 0."""
    return format_quantity(steps, scale) if steps else "0"


def _read_words(form: Form, name: str, characters_max: int, before: Mapping[str, str] | None) -> Text:
    """Both languages of the form, and those that it does not show as they were."""
    kept = {tag: text for tag, text in (before or {}).items() if tag not in LANGUAGE_FIELDS.values()}
    return kept | form.words(name, characters_max=characters_max, is_one_line=name == "title")


def _read_tax(form: Form) -> Tax:
    """The rate as percent. Its class is named by the rate, so that one class never has two rates in an order."""
    text = form["tax"].replace(",", ".").removesuffix("%").strip()
    try:
        rate_bp = _steps(text, _TAX_DIGITS)
    except AmountError:
        rate_bp = -1
    if not 0 <= rate_bp <= BASIS_POINTS:
        form.refuse("tax", _("Write the rate in percent, such as 7 or 0."))
        rate_bp = 0
    return Tax(tax_class=f"rate_{rate_bp}", rate_bp=rate_bp)


def _read_fulfilment(form: Form) -> list[str]:
    chosen = [way for way in form.all("fulfilment") if way in FULFILMENTS]
    if not chosen:
        form.refuse("fulfilment", _("Choose at least one way."))
    return sorted(set(chosen))


def _read_stock(form: Form, scale: int) -> int | None:
    if not form["stock"]:
        return None
    try:
        return _steps(form["stock"].replace(",", "."), scale)
    except AmountError:
        form.refuse("stock", _("Write how many there are, no finer than it is sold; or leave it empty."))
        return None


def _read_scale(form: Form) -> int:
    chosen = form.choice("scale", SCALES)
    return int(chosen) if chosen in SCALES else 0


def _read_seen(form: Form, name: str) -> int:
    text = form[name]
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else 0  # noqa: PLR2004  ms fit


def _without_old_count(draft: ListingDraft, before: ListingAnswer) -> ListingDraft:
    """Leave the stock alone where the shop did not change it: an order may have taken of it meanwhile."""
    is_untouched = draft.stock_steps is None or (
        before.stock_on_hand_steps is not None and draft.stock_steps == draft.seen_stock_steps
    )
    return replace(draft, stock_steps=None, seen_stock_steps=None) if is_untouched else draft


def _steps(text: str, scale: int) -> int:
    if text.isascii() and text and not text.strip("0."):
        return 0
    return parse_quantity(text, scale)


def _tax_text(rate_bp: int) -> str:
    return stock_text(rate_bp, _TAX_DIGITS)


def _price(price: FixedPrice, language: str) -> str:
    return say_money(price.amount_minor, price.currency, language)


def _ways(ways: Sequence[str], language: str) -> str:
    return ", ".join(say_fulfilment(way, language) for way in sorted(ways))


def _in(words: Text | None, tag: str) -> str:
    return (words or {}).get(tag, "")
