"""The revenue-share policy and the split of one order's money by it (PROTOCOL.md section 12).

The seller is the remainder, never a share, so every split sums to the gross to the last minor unit.
Nothing here knows communities by id: a side is `seller` or `buyer`, and the caller knows who that is.

    split(policy, [TaxTotal(tax_class="food", rate_bp=700, gross_minor=10_700)], "EUR",
          same_community=False, collector="seller")
"""

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Literal

from msgspec import UNSET, Struct, UnsetType

from protocol.amounts.money import check_amount, check_currency
from protocol.amounts.rounding import divide_half_even, largest_remainder
from protocol.encoding import encode
from protocol.errors import AmountError
from protocol.fields import Attributes, Text, check_attributes
from protocol.limits import (
    AMOUNT_MINOR_MAX,
    BASIS_POINTS,
    FIXED_CURRENCIES_MAX,
    SHARES_MAX,
    TAX_CLASSES_MAX,
)

Side = Literal["seller", "buyer"]

SELLER_ROLE = "seller"
TAX_ROLE = "tax"

_TAX_CLASS = re.compile(r"[a-z0-9_]{1,32}")
_ROLE = re.compile(r"[a-z][a-z0-9_]{0,31}")
_POLICY_ATTRIBUTES_DEPTH = 3  # record, body, policy


class TaxTotal(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """What an order comes to in one tax class, tax included."""

    tax_class: str
    rate_bp: int
    gross_minor: int

    def __post_init__(self) -> None:
        """Raise `AmountError` for a malformed class, a rate outside 0..10000 or an amount out of range."""
        if _TAX_CLASS.fullmatch(self.tax_class) is None:
            raise AmountError("tax_class_malformed", repr(self.tax_class[:40]))
        if not 0 <= self.rate_bp <= BASIS_POINTS:
            raise AmountError("tax_rate_out_of_range", f"{self.rate_bp} basis points")
        check_amount(self.gross_minor)

    @property
    def net_minor(self) -> int:
        """The gross without its tax, half-even."""
        return divide_half_even(self.gross_minor * BASIS_POINTS, BASIS_POINTS + self.rate_bp)


class Share(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """What one role gets: `share_bp` of the base, or a fixed amount in each currency that the map names."""

    role: str
    beneficiary: Literal["seller_community", "buyer_community"]
    share_bp: int | UnsetType = UNSET
    fixed_minor: dict[str, int] | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Raise `AmountError` unless the role is a free name and exactly one kind of share is legal."""
        if _ROLE.fullmatch(self.role) is None or self.role in (SELLER_ROLE, TAX_ROLE):
            raise AmountError("role_refused", repr(self.role[:40]))
        if (self.share_bp is UNSET) == (self.fixed_minor is UNSET):
            raise AmountError("share_malformed", f"role {self.role}: share_bp or fixed_minor, not both")
        if self.share_bp is not UNSET and not 1 <= self.share_bp <= BASIS_POINTS:
            raise AmountError("share_malformed", f"role {self.role}: {self.share_bp} basis points")
        if self.fixed_minor is not UNSET:
            _check_fixed(self.role, self.fixed_minor)

    @property
    def side(self) -> Side:
        """Whose community keeps this share."""
        return "seller" if self.beneficiary == "seller_community" else "buyer"


class Policy(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True, gc=False):
    """How the money of an order is shared; what a vote adopts and every order pins by `policy_id`."""

    base: Literal["net", "gross"]
    shares: tuple[Share, ...]
    same_community: Literal["keep", "to_seller_community", "to_seller"]
    tax_remitter: Literal["seller", "collector"]
    terms: Text | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET

    def __post_init__(self) -> None:
        """Raise `AmountError` for repeated roles or too large shares; attributes as in section 8."""
        if len(self.shares) > SHARES_MAX:
            raise AmountError("shares_too_many", f"{len(self.shares)} shares, at most {SHARES_MAX}")
        if len({share.role for share in self.shares}) < len(self.shares):
            raise AmountError("role_repeated")
        if sum(_weights(self)) > BASIS_POINTS:
            raise AmountError("shares_exceed_whole", f"{sum(_weights(self))} basis points")
        if self.attributes is not UNSET:
            check_attributes(self.attributes, depth=_POLICY_ATTRIBUTES_DEPTH)


class Allocation(Struct, frozen=True, kw_only=True, gc=False):
    """What one role gets out of an order; below zero only in a `difference`."""

    role: str
    beneficiary: Side
    amount_minor: int


def policy_id(policy: Policy) -> bytes:
    """Return the 32 bytes by which orders and votes name a policy; no community or time is in them."""
    return sha256(b"wildgrass/v1/policy\n" + encode(policy)).digest()


def check_totals(totals: Sequence[TaxTotal]) -> int:
    """Return the gross of all classes; refuse too few or many, a repeated (class, rate), too large a sum."""
    if not 1 <= len(totals) <= TAX_CLASSES_MAX:
        raise AmountError("tax_classes_out_of_range", f"{len(totals)} tax classes")
    if len({(total.tax_class, total.rate_bp) for total in totals}) < len(totals):
        raise AmountError("tax_class_repeated")
    gross_minor = sum(total.gross_minor for total in totals)
    check_amount(gross_minor)
    return gross_minor


def split(
    policy: Policy, totals: Sequence[TaxTotal], currency: str, *, same_community: bool, collector: Side
) -> tuple[Allocation, ...]:
    """Return who gets what: the policy's roles as declared, then `tax` when the base is net, the seller last.

    Every role is present, with zero if need be, so that two splits by one policy compare role by role.
    The amounts are not negative and sum exactly to the gross of all totals.
    """
    check_currency(currency)
    gross_minor = check_totals(totals)
    is_net = policy.base == "net"
    base_minor = sum(total.net_minor for total in totals) if is_net else gross_minor
    amounts, seller_minor = _share_out(policy, base_minor, currency)
    if same_community:
        seller_minor += _fold_buyer_shares(policy, amounts)
    allocations = [
        Allocation(role=share.role, beneficiary=share.side, amount_minor=amount_minor)
        for share, amount_minor in zip(policy.shares, amounts, strict=True)
    ]
    if is_net:
        remitter: Side = collector if policy.tax_remitter == "collector" else "seller"
        allocations.append(
            Allocation(role=TAX_ROLE, beneficiary=remitter, amount_minor=gross_minor - base_minor)
        )
    allocations.append(Allocation(role=SELLER_ROLE, beneficiary="seller", amount_minor=seller_minor))
    return tuple(allocations)


def difference(new: Sequence[Allocation], old: Sequence[Allocation]) -> tuple[Allocation, ...]:
    """Return what a refund posts: role by role, `new` minus `old`, two splits of one order.

    A role may move by one minor unit against the direction of the total: largest remainders do that.
    """
    return tuple(_subtract(now, before) for now, before in zip(new, old, strict=True))


def _subtract(now: Allocation, before: Allocation) -> Allocation:
    assert (now.role, now.beneficiary) == (before.role, before.beneficiary)
    return Allocation(
        role=now.role, beneficiary=now.beneficiary, amount_minor=now.amount_minor - before.amount_minor
    )


def _share_out(policy: Policy, base_minor: int, currency: str) -> tuple[list[int], int]:
    """Return the amounts of the shares as declared, and the seller's: fixed ones first, then by weight."""
    amounts = [0] * len(policy.shares)
    left_minor = base_minor
    for position, share in enumerate(policy.shares):
        if share.fixed_minor is not UNSET:
            amounts[position] = min(share.fixed_minor.get(currency, 0), left_minor)
            left_minor -= amounts[position]
    weights = list(_weights(policy))
    *by_weight, seller_minor = largest_remainder(left_minor, [*weights, BASIS_POINTS - sum(weights)])
    remaining = iter(by_weight)
    for position, share in enumerate(policy.shares):
        if share.share_bp is not UNSET:
            amounts[position] = next(remaining)
    return amounts, seller_minor


def _fold_buyer_shares(policy: Policy, amounts: list[int]) -> int:
    """Move the buyer community's amounts as the policy says, in place; return what goes to the seller."""
    if policy.same_community == "keep":
        return 0
    moved_minor = 0
    for position, share in enumerate(policy.shares):
        if share.side == "buyer":
            moved_minor += amounts[position]
            amounts[position] = 0
    if policy.same_community == "to_seller_community":
        for position, share in enumerate(policy.shares):
            if share.side == "seller":
                amounts[position] += moved_minor
                return 0
    return moved_minor


def _weights(policy: Policy) -> Iterator[int]:
    return (share.share_bp for share in policy.shares if share.share_bp is not UNSET)


def _check_fixed(role: str, fixed_minor: dict[str, int]) -> None:
    if not 1 <= len(fixed_minor) <= FIXED_CURRENCIES_MAX:
        raise AmountError("share_malformed", f"role {role}: {len(fixed_minor)} currencies")
    for currency, amount_minor in fixed_minor.items():
        check_currency(currency)
        if not 1 <= amount_minor <= AMOUNT_MINOR_MAX:
            raise AmountError("amount_out_of_range", f"role {role}: {amount_minor}")
