"""Postings: what a completed order, or a refund after it, does to one community's accounts (section 14).

Both sides post under the same move of the seller's trade lane. The entries follow from the move alone, so a
posting that says anything else is void, and whoever folds the lanes sees it.
"""

from typing import Annotated, Self

import msgspec
from msgspec import UNSET, Meta, UnsetType

from protocol.amounts.entries import DUE, AccountEntry, account_entries
from protocol.amounts.money import CURRENCY_EXPONENTS
from protocol.errors import RecordVoid
from protocol.fields import Attributes, CommunityId, Currency
from protocol.lanes.kind import LEDGER, Change, Entry, Put, Reader, RecordKind, Reference, Remove, Tables
from protocol.lanes.trade.orders import Move, OrderKey, Placement, cited_move, sides_of
from protocol.limits import ENTRIES_MAX
from protocol.log.record import Body


class PostingMade(Body, frozen=True, kw_only=True):
    """`posting.made`: one community's entries for one move, sorted by account; they sum to zero."""

    order: OrderKey
    move: Reference
    currency: Currency
    entries: Annotated[list[AccountEntry], Meta(min_length=2, max_length=ENTRIES_MAX)]
    counterparty: CommunityId | UnsetType = UNSET
    attributes: Attributes | UnsetType = UNSET

    def __post_init__(self) -> None:
        """The currency is one of the table."""
        if self.currency not in CURRENCY_EXPONENTS:
            raise ValueError(f"currency {self.currency} is not in the table")


class Posting(msgspec.Struct, frozen=True, gc=False):
    """A posting that counts, and where it stands."""

    order: OrderKey
    currency: str
    entries: tuple[AccountEntry, ...]
    epoch: int
    index: int


class Account(msgspec.Struct, frozen=True, gc=False):
    """The sum of all entries of one account; `due` accounts are kept per counterparty.

    Kept as decimal text: ten thousand of the largest orders outgrow what an encoded integer can hold.
    """

    balance: str

    @classmethod
    def of(cls, balance_minor: int) -> Self:
        """Return the account with this balance."""
        return cls(str(balance_minor))

    @property
    def balance_minor(self) -> int:
        """Debits less credits, in minor units."""
        return int(self.balance)


TABLES: Tables = {"posting": Posting, "account": Account}


def posting_for(
    move: Move, placement: Placement, community: bytes, reference: Reference
) -> PostingMade | None:
    """Return the posting that `community` owes for `move`, or None where it has nothing to post."""
    order, placed = move.order, placement.placed
    entries = account_entries(
        move.allocations, sides=sides_of(community, move.seller, order.buyer), collector=placed.collector
    )
    if not entries:
        return None
    if order.buyer == move.seller:
        return PostingMade(order=order, move=reference, currency=placed.currency, entries=entries)
    counterparty = move.seller if community == order.buyer else order.buyer
    return PostingMade(
        order=order, move=reference, currency=placed.currency, entries=entries, counterparty=counterparty
    )


def step_made(read: Reader, entry: Entry) -> list[Change]:
    """The entries are exactly those that follow from the cited move; each side posts once."""
    body, community = entry.record.body, entry.position.community
    move = cited_move(read, body.move)
    if move.order != body.order or not move.allocations:
        raise RecordVoid("posting_move_refused")
    if community not in (move.seller, move.order.buyer):
        raise RecordVoid("posting_not_party")
    key = (community, *body.move.position)
    if read.get("posting", key):
        raise RecordVoid("posting_made_already")
    placement = read.get("placement", (move.order.buyer, move.order.order_id))
    _verify_entries(body, posting_for(move, placement, community, body.move))
    position = entry.position
    posting = Posting(body.order, body.currency, tuple(body.entries), position.epoch, position.index)
    return [Put("posting", key, posting), Remove("awaited", key), *_account_changes(read, community, body)]


def account_key(
    community: bytes, currency: str, account: str, counterparty: bytes
) -> tuple[bytes | str, ...]:
    """Return the key of an account's balance; only `due` accounts are kept per counterparty."""
    return (community, currency, account, counterparty if account == DUE else b"")


def _verify_entries(body: PostingMade, expected: PostingMade | None) -> None:
    if sum(line.amount_minor for line in body.entries):
        raise RecordVoid("posting_unbalanced")
    if expected is None:
        raise RecordVoid("posting_move_refused")
    if (body.currency, body.counterparty) != (expected.currency, expected.counterparty):
        raise RecordVoid("posting_mismatch", "another currency or counterparty than the order's")
    if body.entries != expected.entries:
        raise RecordVoid("posting_mismatch", _first_difference(body.entries, expected.entries))


def _first_difference(said: list[AccountEntry], expected: list[AccountEntry]) -> str:
    said_sums = {line.account: line.amount_minor for line in said}
    for line in expected:
        if said_sums.get(line.account) != line.amount_minor:
            return f"{line.account} is {said_sums.get(line.account)}, the split gives {line.amount_minor}"
    return "an account that the split does not have, or another order of accounts"


def _account_changes(read: Reader, community: bytes, body: PostingMade) -> list[Change]:
    counterparty = b"" if body.counterparty is UNSET else body.counterparty
    changes: list[Change] = []
    for line in body.entries:
        key = account_key(community, body.currency, line.account, counterparty)
        before = read.get("account", key)
        balance = line.amount_minor + (before.balance_minor if before else 0)
        changes.append(Put("account", key, Account.of(balance)))
    return changes


KINDS = (RecordKind("posting.made", LEDGER, PostingMade, step_made),)
