"""Which orders the demo's communities place, and how each is to end: `orders.toml`, read strictly.

Two orders want the same last piece, so one of them cannot be accepted. `cancelled` and `kept` are the
cancellations that cross an acceptance: the seller agrees to the one, and refuses the other.
"""

import tomllib
from collections.abc import Iterable, Mapping
from importlib.resources import files
from typing import Annotated, Any, Literal

import msgspec

from node.operations.samples import Fulfilment, Key, Price, SampleCommunity, SampleListing
from protocol.amounts.money import parse_amount
from protocol.fields import Code

Ending = Literal["accepted", "cancelled", "completed", "kept", "rejected"]

CROSSED: frozenset[Ending] = frozenset({"cancelled", "kept"})


class OrderPlan(msgspec.Struct, frozen=True, forbid_unknown_fields=True, kw_only=True):
    """One order: who buys what from whom, and its ending.

    `ending` is `accepted` (still being worked on), `cancelled`, `completed`, `kept` (a cancellation was
    refused, then it is completed) or `rejected`. `returned` is the money that goes back after completion.
    `code` is the seller's reason for whatever needs one.
    """

    buyer: Key
    seller: Key
    items: Annotated[dict[str, Annotated[int, msgspec.Meta(ge=1)]], msgspec.Meta(min_length=1)]
    way: Fulfilment
    member: str
    note: str
    ending: Ending
    collector: Literal["buyer", "seller"] = "seller"
    returned: Price | None = None
    code: Code | None = None

    def __post_init__(self) -> None:
        """A reason is there exactly where the seller has to give one."""
        needs_code = self.ending in CROSSED or self.ending == "rejected" or self.returned is not None
        if needs_code != (self.code is not None):
            raise ValueError(f"{self.buyer} at {self.seller}: a code for a refusal or refund, and only there")
        if self.returned is not None and not self.is_completed:
            raise ValueError(f"{self.buyer} at {self.seller}: money goes back after completion only")

    @property
    def is_completed(self) -> bool:
        """Whether goods and money change hands in the end."""
        return self.ending in ("completed", "kept")

    @property
    def is_accepted(self) -> bool:
        """Whether the seller accepts it at first."""
        return self.ending != "rejected"


def load_orders() -> list[OrderPlan]:
    """Return the orders of the demo, always in the same sequence; a malformed file is a bug and raises."""
    raw = (files(__package__) / "orders.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(raw), _OrdersFile).orders


def find_listings(samples: Iterable[SampleCommunity]) -> Mapping[tuple[str, str], SampleListing]:
    """Return the listings by community and English title, as `orders.toml` names them."""
    return {
        (community.key, listing.title.en): listing for community in samples for listing in community.listings
    }


def remaining_totals(totals: list[dict[str, Any]], returned: str, currency: str) -> list[dict[str, Any]]:
    """Return an order's totals after money goes back, taken from the largest first."""
    left_minor = parse_amount(returned, currency)
    remaining = {total["tax_class"]: total["gross_minor"] for total in totals}
    for tax_class in sorted(remaining, key=lambda name: -remaining[name]):
        taken_minor = min(left_minor, remaining[tax_class])
        remaining[tax_class] -= taken_minor
        left_minor -= taken_minor
    return [{**total, "gross_minor": remaining[total["tax_class"]]} for total in totals]


class _OrdersFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    orders: list[OrderPlan]
