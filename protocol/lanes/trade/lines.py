"""What is sealed beside an order: its lines and the buyer's details (PROTOCOL.md section 13.6).

Neither stands in a lane. Each line, and the details, is one canonical payload behind one commitment of
`order.placed`; the seller opens them, and an auditor opens those that it was given.
"""

from collections import defaultdict
from collections.abc import Iterable, Sequence
from typing import Annotated, TypeVar

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.amounts.quantity import line_total_minor
from protocol.amounts.split import TaxTotal
from protocol.encoding import decode
from protocol.errors import AmountError, SealingError
from protocol.fields import AmountMinor, ObjectId, Title
from protocol.lanes.kind import Reference
from protocol.lanes.market.listings import Fulfilment, ListingPublished
from protocol.lanes.trade.orders import OrderPlaced
from protocol.limits import (
    BASIS_POINTS,
    CONTACT_CHARACTERS_MAX,
    NOTE_CHARACTERS_MAX,
    QUANTITY_STEPS_MAX,
    RECORD_BYTES_MAX,
)
from protocol.log.record import Body

Payload = TypeVar("Payload", bound=Body)


class OrderLine(Body, frozen=True, kw_only=True):
    """One line: `steps` of a listing as it was published, or a charge (delivery, say) with a label.

    `total_minor` is the gross of the line; for a listing it is price times steps, half-even.
    """

    total_minor: AmountMinor
    tax_class: Annotated[str, Meta(pattern=r"\A[a-z0-9_]{1,32}\Z")]
    rate_bp: Annotated[int, Meta(ge=0, le=BASIS_POINTS)]
    listing: Reference | UnsetType = UNSET
    listing_id: ObjectId | UnsetType = UNSET
    steps: Annotated[int, Meta(ge=1, le=QUANTITY_STEPS_MAX)] | UnsetType = UNSET
    label: Title | UnsetType = UNSET

    def __post_init__(self) -> None:
        """A listing comes with its id and steps, a charge with a label; never both."""
        goods = [self.listing is not UNSET, self.listing_id is not UNSET, self.steps is not UNSET]
        if any(goods) != all(goods) or all(goods) == (self.label is not UNSET):
            raise ValueError("a line names a listing with id and steps, or a label")


class BuyerDetails(Body, frozen=True, kw_only=True):
    """Who buys, and how it reaches them. Readers: the two communities."""

    fulfilment: Fulfilment
    member_id: ObjectId | UnsetType = UNSET
    name: Annotated[str, Meta(max_length=CONTACT_CHARACTERS_MAX)] | UnsetType = UNSET
    contact: Annotated[str, Meta(max_length=CONTACT_CHARACTERS_MAX)] | UnsetType = UNSET
    address: Annotated[str, Meta(max_length=CONTACT_CHARACTERS_MAX)] | UnsetType = UNSET
    note: Annotated[str, Meta(max_length=NOTE_CHARACTERS_MAX)] | UnsetType = UNSET


def open_line(payload: bytes) -> OrderLine:
    """Return the line in an opened payload, or raise `SealingError`, `EncodingError`."""
    return _open(payload, OrderLine)


def open_details(payload: bytes) -> BuyerDetails:
    """Return the details in an opened payload, or raise `SealingError`, `EncodingError`."""
    return _open(payload, BuyerDetails)


def line_of(listing: ListingPublished, reference: Reference, steps: int) -> OrderLine:
    """Return the line for `steps` of a listing at its published price."""
    return OrderLine(
        total_minor=line_total_minor(
            price_minor=listing.price.amount_minor, steps=steps, scale=listing.quantity_scale
        ),
        tax_class=listing.tax.tax_class,
        rate_bp=listing.tax.rate_bp,
        listing=reference,
        listing_id=listing.listing_id,
        steps=steps,
    )


def totals_of(lines: Iterable[OrderLine]) -> list[TaxTotal]:
    """Return the gross totals per tax class, sorted; one class has one rate.

    Raises `SealingError` for two rates of a class, `AmountError` for a sum beyond every amount.
    """
    sums: dict[str, int] = defaultdict(int)
    rates: dict[str, int] = {}
    for line in lines:
        sums[line.tax_class] += line.total_minor
        if rates.setdefault(line.tax_class, line.rate_bp) != line.rate_bp:
            raise SealingError("lines_mismatch", f"two rates in tax class {line.tax_class}")
    return [
        TaxTotal(tax_class=tax_class, rate_bp=rates[tax_class], gross_minor=sums[tax_class])
        for tax_class in sorted(sums)
    ]


def verify_totals(placed: OrderPlaced, lines: Sequence[OrderLine]) -> None:
    """Raise `SealingError` unless the opened lines come to the totals of `order.placed`."""
    try:
        totals = totals_of(lines)
    except AmountError as error:
        raise SealingError("lines_mismatch", str(error)) from error
    if totals != placed.totals:
        raise SealingError("lines_mismatch", "the lines do not add up to the order's totals")


def verify_line_price(line: OrderLine, listing: ListingPublished) -> None:
    """Raise `SealingError` unless the line is what `listing`, the cited record, says it costs."""
    if not _is_at_price(line, listing):
        raise SealingError("lines_mismatch", "a line is not at the price of the listing it cites")


def _is_at_price(line: OrderLine, listing: ListingPublished) -> bool:
    if line.steps is UNSET or line.listing is UNSET:
        return False
    try:
        return line == line_of(listing, line.listing, line.steps)
    except AmountError:
        return False  # no line can be so large


def _open(payload: bytes, kind: type[Payload]) -> Payload:
    value = decode(payload, bytes_max=RECORD_BYTES_MAX)
    try:
        return msgspec.convert(value, kind, builtin_types=(bytes,))  # else text passes as the base64 of bytes
    except msgspec.ValidationError as error:
        raise SealingError("payload_refused", str(error)) from error
