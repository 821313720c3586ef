"""The sample catalogs of the demo: three invented communities in Chinese and English.

Written for this project; one TOML file a community beside this module. Prices are decimal text with two
places, in the community's currency, tax included; all three trade in one currency, so that any of them
can order from any other. The demo turns them into records of PROTOCOL.md section 11 through its actions.

    for community in load_samples():
        print(community.name.en, len(community.listings))
"""

import tomllib
from importlib.resources import files
from typing import Annotated, Literal

import msgspec

Sector = Literal[
    "food", "frozen", "fashion", "beauty", "pets", "family", "automotive", "residential", "assets"
]
Fulfilment = Literal["pickup", "delivery", "ship", "onsite"]
TaxClass = Literal["standard", "reduced", "services"]

Key = Annotated[str, msgspec.Meta(pattern=r"\A[a-z]+(-[a-z]+)*\Z")]
Words = Annotated[str, msgspec.Meta(min_length=1)]
Price = Annotated[str, msgspec.Meta(pattern=r"\A(0|[1-9][0-9]*)\.[0-9]{2}\Z")]
Unit = Annotated[str, msgspec.Meta(pattern=r"\A[A-Z0-9]{2,3}\Z")]

_FILES = ("willow_creek.toml", "stonebridge_lane.toml", "north_ferry.toml")


class SampleText(msgspec.Struct, frozen=True, forbid_unknown_fields=True, rename={"zh_hans": "zh-Hans"}):
    """One text in both languages; `msgspec.to_builtins` gives the map from language tag to text."""

    zh_hans: Words
    en: Words


class SampleShop(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A shop; `key` names it within its community, `sectors` are the markets that it sells in."""

    key: Key
    name: SampleText
    about: SampleText
    sectors: Annotated[tuple[Sector, ...], msgspec.Meta(min_length=1)]


class SampleListing(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """An offer at a fixed price for one `unit` (a UN/CEFACT Recommendation 20 code), tax included.

    `stock` counts units and is None where nothing is kept in stock: services, rentals, work to order.
    `fulfilment` is sorted, each way once. `profile` names the meaning of `attributes`; it is
    None where no profile fits.
    """

    shop: Key
    sector: Sector
    title: SampleText
    text: SampleText
    price: Price
    unit: Unit
    tax_class: TaxClass
    rate_bp: Literal[600, 900, 1300]
    stock: Annotated[int, msgspec.Meta(ge=1)] | None = None
    fulfilment: Annotated[tuple[Fulfilment, ...], msgspec.Meta(min_length=1)]
    profile: Annotated[str, msgspec.Meta(pattern=r"\A[a-z-]+/[1-9]\Z")] | None = None
    attributes: dict[str, int | str]

    def __post_init__(self) -> None:
        """Ways of fulfilment are sorted, each once, as a listing's record wants them."""
        if list(self.fulfilment) != sorted(set(self.fulfilment)):
            raise ValueError(f"{self.title.en}: fulfilment must be sorted, each once")


class SampleCommunity(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A community with its shops and listings; raises ValueError where a listing fits no shop of it."""

    key: Key
    name: SampleText
    about: SampleText
    currency: Annotated[str, msgspec.Meta(pattern=r"\A[A-Z]{3}\Z")]
    shops: tuple[SampleShop, ...]
    listings: tuple[SampleListing, ...]

    def __post_init__(self) -> None:
        """Shop keys are unique, and every listing stands in a sector of a shop that exists."""
        sectors = {shop.key: shop.sectors for shop in self.shops}
        if len(sectors) != len(self.shops):
            raise ValueError(f"two shops of {self.key} have the same key")
        for listing in self.listings:
            if listing.sector not in sectors.get(listing.shop, ()):
                raise ValueError(f"{listing.title.en}: no shop {listing.shop} in sector {listing.sector}")


def load_samples() -> list[SampleCommunity]:
    """Return the three communities, always in the same order; a malformed file is a bug and raises."""
    return [read_community((files(__name__) / name).read_text("utf-8")) for name in _FILES]


def read_community(toml: str) -> SampleCommunity:
    """Return one TOML text's community, or raise `tomllib.TOMLDecodeError` or `msgspec.ValidationError`."""
    return msgspec.convert(tomllib.loads(toml), SampleCommunity, strict=True)
