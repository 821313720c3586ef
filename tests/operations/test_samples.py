"""The sample catalogs are believable, complete and legal as records."""

import re
from decimal import Decimal
from typing import get_args

import msgspec
import pytest

from node.operations.samples import SampleCommunity, SampleText, Sector, load_samples, read_community
from protocol import limits
from protocol.encoding import encode

COMMUNITIES = load_samples()
LISTINGS = [listing for community in COMMUNITIES for listing in community.listings]
RATES_BP = {"standard": 1300, "reduced": 900, "services": 600}
UNITS = {"C62", "KGM", "LTR", "HUR", "DAY", "MON", "SET", "PR", "MTK"}
REQUIRED = {
    "fresh-food/1": {"origin", "storage", "best_before_days"},
    "frozen/1": {"origin", "net_grams", "cold_chain", "max_celsius"},
    "fashion/1": {"size", "color"},
    "beauty/1": {"ingredients", "net_grams", "pao_months"},
    "pets/1": {"species"},
    "maternity-baby/1": {"age_months_from", "safety"},
    "automotive/1": {"fitment"},
    "residential/1": set(),
    "asset/1": {"asset_id"},
}
GOOD = """
key = "a"
name = { zh-Hans = "甲", en = "A" }
about = { zh-Hans = "甲", en = "A" }
currency = "CNY"
[[shops]]
key = "s"
name = { zh-Hans = "店", en = "S" }
about = { zh-Hans = "店", en = "S" }
sectors = ["food"]
[[listings]]
shop = "s"
sector = "food"
title = { zh-Hans = "米", en = "Rice" }
text = { zh-Hans = "米", en = "Rice" }
price = "9.60"
unit = "KGM"
tax_class = "reduced"
rate_bp = 900
stock = 3
fulfilment = ["pickup"]
attributes = { origin = "CN-ZJ" }
"""


def texts() -> list[SampleText]:
    named = [item for community in COMMUNITIES for item in (community, *community.shops)]
    return [text for item in named for text in (item.name, item.about)] + [
        text for listing in LISTINGS for text in (listing.title, listing.text)
    ]


def test_three_communities_offer_at_least_sixty_six_listings_in_all_nine_sectors():
    """Every sector has several listings; every community has several shops, all one currency."""
    assert len(COMMUNITIES) == 3
    assert len(LISTINGS) >= 66
    for sector in get_args(Sector):
        assert sum(listing.sector == sector for listing in LISTINGS) >= 4, sector
    assert {community.currency for community in COMMUNITIES} == {"CNY"}
    for community in COMMUNITIES:
        assert len(community.shops) >= 4
        stocked = {(listing.shop, listing.sector) for listing in community.listings}
        assert stocked == {(shop.key, sector) for shop in community.shops for sector in shop.sectors}


def test_every_text_stands_in_both_languages():
    """Chinese text has Chinese characters, English text has none, and neither has stray blanks."""
    han = re.compile("[一-鿿]")
    for text in texts():
        assert han.search(text.zh_hans), text
        assert text.en.strip(), text
        assert not han.search(text.en), text
        assert text.en == text.en.strip()
        assert text.zh_hans == text.zh_hans.strip()
        assert set(msgspec.to_builtins(text)) == {"zh-Hans", "en"}


def test_prices_are_exact_positive_decimals_with_two_places():
    """Decimal text and minor units turn into each other without loss."""
    for listing in LISTINGS:
        minor = Decimal(listing.price) * 100
        assert minor == int(minor)
        assert 0 < minor <= limits.AMOUNT_MINOR_MAX
        assert f"{int(minor) // 100}.{int(minor) % 100:02}" == listing.price


def test_titles_and_shop_names_are_unique_in_each_language():
    """A person can tell any two listings, and any two shops, of the demo apart by name."""
    shops = [shop for community in COMMUNITIES for shop in community.shops]
    for group in ([listing.title for listing in LISTINGS], [shop.name for shop in shops]):
        for language in ("zh_hans", "en"):
            names = [getattr(text, language) for text in group]
            assert len(names) == len(set(names))


def test_everything_fits_the_limits_of_the_protocol():
    """Titles, texts and attributes are below what PROTOCOL.md section 3 allows."""
    for listing in LISTINGS:
        for words in (listing.title.zh_hans, listing.title.en):
            assert len(words) <= limits.TITLE_CHARACTERS_MAX
        for words in (listing.text.zh_hans, listing.text.en):
            assert len(words) <= limits.TEXT_CHARACTERS_MAX
        assert len(listing.attributes) <= limits.ATTRIBUTES_MAX
        assert len(encode(listing.attributes)) <= limits.ATTRIBUTES_BYTES_MAX
        assert all(len(name.encode()) <= limits.ATTRIBUTE_NAME_BYTES_MAX for name in listing.attributes)
    for community in COMMUNITIES:
        for item in (community, *community.shops):
            assert max(len(item.name.en), len(item.name.zh_hans)) <= limits.TITLE_CHARACTERS_MAX


def test_units_tax_and_attributes_are_believable():
    """Units are known codes, a tax class has one rate, a profile has what it asks for."""
    for listing in LISTINGS:
        assert listing.unit in UNITS, listing.title.en
        assert listing.rate_bp == RATES_BP[listing.tax_class], listing.title.en
        assert listing.attributes, listing.title.en
        if listing.profile is not None:
            assert REQUIRED[listing.profile] <= set(listing.attributes), listing.title.en
        if listing.attributes.get("cold_chain") == "frozen":
            assert not {"ship", "onsite"} & set(listing.fulfilment), listing.title.en


def test_the_catalogs_hold_one_offs_services_and_goods_for_businesses():
    """The kinds of offer that the demo shows are all there, not only goods on a shelf."""
    assert sum(listing.stock == 1 for listing in LISTINGS) >= 5
    assert sum(listing.stock is None for listing in LISTINGS) >= 12
    assert sum(listing.attributes.get("customer") == "business" for listing in LISTINGS) >= 4
    assert {listing.tax_class for listing in LISTINGS} == set(RATES_BP)


def test_a_well_formed_catalog_reads():
    """The text that the next test spoils is legal before it is spoilt."""
    assert isinstance(read_community(GOOD), SampleCommunity)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ('price = "9.60"', "price = 9.60"),
        ('price = "9.60"', 'price = "9.6"'),
        ('price = "9.60"', 'price = "9.60\\n"'),
        ('price = "9.60"', 'price = "-9.60"'),
        ("stock = 3", "stock = 0"),
        ("stock = 3", "stock = 3.5"),
        ("stock = 3", "stocks = 3"),
        ('origin = "CN-ZJ"', "origin = true"),
        ('origin = "CN-ZJ"', "origin = 1.5"),
        ('en = "Rice"', 'en = ""'),
        ('zh-Hans = "米", ', ""),
        ('sector = "food"', 'sector = "pets"'),
        ('sector = "food"', 'sector = "weapons"'),
        ('shop = "s"', 'shop = "t"'),
        ('["pickup"]', "[]"),
        ('["pickup"]', '["teleport"]'),
        ('["pickup"]', '["pickup", "delivery"]'),
        ('["pickup"]', '["pickup", "pickup"]'),
        ('"CNY"', '"cny"'),
        ('[[shops]]\nkey = "s"', '[[shops]]\nkey = "S"'),
    ],
)
def test_a_malformed_catalog_is_refused(old, new):
    """Wrong types, unknown names, empty texts and listings without a shop never become a sample."""
    assert old in GOOD
    with pytest.raises(msgspec.ValidationError):
        read_community(GOOD.replace(old, new))


def test_two_shops_under_one_key_are_refused():
    """A listing's shop key must mean one shop."""
    shop = GOOD[GOOD.index("[[shops]]") : GOOD.index("[[listings]]")]
    with pytest.raises(msgspec.ValidationError, match="same key"):
        read_community(GOOD + shop)
