"""Money checked a second time, by adding up what the fold let stand (PROTOCOL.md section 19.5).

The fold computes every posting from its move. Here nothing is computed from a rule: shares are summed against
the gross of their order, entries against the balances, dues of two communities against each other.

    sums = add_up(state, book)
"""

from collections import defaultdict
from collections.abc import Iterator
from typing import Any, Protocol

import msgspec

from protocol.amounts.entries import DUE
from protocol.audit.findings import Book, Place
from protocol.fold import TABLES as FOLD_TABLES
from protocol.identity.keys import to_base32
from protocol.lanes.kind import LEDGER, Key, Position, Tables
from protocol.lanes.ledger.postings import Posting, account_key
from protocol.lanes.trade.orders import OrderKey, deal_key
from protocol.waiting import State

SUMS_HELD_MAX = 10_000


class GrossSum(msgspec.Struct, frozen=True):
    """What the shares of one order come to, over its moves so far."""

    amount_minor: int


class AccountSum(msgspec.Struct, frozen=True):
    """What the entries of one account come to, in decimal: a sum may be larger than any one amount."""

    amount_minor: str


TABLES: Tables = {**FOLD_TABLES, "gross_sum": GrossSum, "account_sum": AccountSum}


class _Amount(msgspec.Struct):
    amount_minor: int


class MoveBrief(msgspec.Struct):
    """What is read of a move: decoding the rest of every row would take longer than adding up."""

    order: OrderKey
    seller: bytes
    allocations: tuple[_Amount, ...] = ()


class _Gross(msgspec.Struct):
    gross_minor: int


class DealBrief(msgspec.Struct):
    """What is read of a deal."""

    status: str
    totals: tuple[_Gross, ...]


class _KeptPublished(msgspec.Struct, array_like=True, frozen=True, gc=False):
    shop_id: bytes


class KeptListing(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """What steps and sums read of a listing again: not its words and pictures, most of all bytes of a market."""

    published: _KeptPublished
    time_ms: int
    is_withdrawn: bool

    @classmethod
    def of(cls, listing: Any) -> "KeptListing":
        """Return what is kept of a listing, kept before or not."""
        return cls(_KeptPublished(listing.published.shop_id), listing.time_ms, listing.is_withdrawn)


KEPT = {"listing": KeptListing}  # a state of any size may keep rows of these tables as `of` them


class AuditState(State, Protocol):
    """A state of any size that can also be gone through; tables of the fold and of this module."""

    def items(self, table: str, brief: type[msgspec.Struct] | None = None) -> Iterator[tuple[Any, Any]]:
        """Yield key (a tuple) and struct of every row of a table, which must not change meanwhile.

        With `brief` it is enough to yield structs that have its fields.
        """


class Dues:
    """What is owed between communities, by (creditor, counterparty, currency), and who posted how far."""

    def __init__(self) -> None:
        """Begin empty."""
        self.mirrored: dict[tuple[bytes, bytes, str], int] = defaultdict(int)
        self.posted_up_to: dict[tuple[bytes, bytes], tuple[int, int]] = {}

    def add(self, state: AuditState, community: bytes, position: Position, posting: Posting) -> None:
        """Take one posting of `community` for the seller's move at `position`."""
        seller, buyer = position.community, posting.order.buyer
        party = (community, seller)
        self.posted_up_to[party] = max(self.posted_up_to.get(party, (0, 0)), (position.epoch, position.index))
        other = seller if community == buyer else buyer
        if other != community and state.get("posting", (other, *position)) is not None:
            due = sum(line.amount_minor for line in posting.entries if line.account == DUE)
            self.mirrored[community, other, posting.currency] += due


def add_up(state: AuditState, book: Book) -> Dues:
    """Check shares against gross, postings against balances, and dues against dues; return the dues."""
    _check_splits(state, book)
    dues = _check_postings(state, book)
    _check_dues(dues, book)
    return dues


def _check_splits(state: AuditState, book: Book) -> None:
    """The shares of a completed order, with those of its later refunds, sum to what it comes to now."""
    held: dict[Key, int] = defaultdict(int)
    for _, move in state.items("move", MoveBrief):
        if move.allocations:
            held[deal_key(move.seller, move.order)] += sum(share.amount_minor for share in move.allocations)
            if len(held) >= SUMS_HELD_MAX:
                _put_shares(state, held)
    for key, deal in state.items("deal", DealBrief):
        if deal.status != "completed":
            continue
        gross = sum(total.gross_minor for total in deal.totals)
        is_equal = gross == held.get(key, 0) + _put_before(state, key)
        book.count("splits", passed=is_equal, failed=not is_equal)
        if not is_equal:
            place = Place(community=to_base32(key[0]))
            book.find("posting_unshared", f"order {key[2].hex()}: {gross} in all", place=place)


def _put_shares(state: AuditState, held: dict[Key, int]) -> None:
    for key, amount in held.items():
        state.put("gross_sum", key, GrossSum(amount + _put_before(state, key)))
    held.clear()


def _put_before(state: AuditState, key: Key) -> int:
    shares: GrossSum | None = state.get("gross_sum", key)
    return shares.amount_minor if shares else 0


def _check_postings(state: AuditState, book: Book) -> Dues:
    """Every posting sums to zero, and every balance is the sum of its entries."""
    dues = Dues()
    held: dict[Key, int] = defaultdict(int)
    for key, posting in state.items("posting"):
        community, position = key[0], Position(*key[1:])
        book.count("postings", passed=1)
        if sum(line.amount_minor for line in posting.entries):
            place = Place(
                community=to_base32(community), lane=LEDGER, epoch=posting.epoch, index=posting.index
            )
            book.find("posting_unbalanced", place=place)
        dues.add(state, community, position, posting)
        counterparty = position.community if community == posting.order.buyer else posting.order.buyer
        for line in posting.entries:
            held[account_key(community, posting.currency, line.account, counterparty)] += line.amount_minor
        if len(held) >= SUMS_HELD_MAX:
            _put_sums(state, held)
    _put_sums(state, held)
    _check_accounts(state, book)
    return dues


def _put_sums(state: AuditState, held: dict[Key, int]) -> None:
    for key, amount in held.items():
        before = state.get("account_sum", key)
        state.put("account_sum", key, AccountSum(str(amount + (int(before.amount_minor) if before else 0))))
    held.clear()


def _check_accounts(state: AuditState, book: Book) -> None:
    for key, account in state.items("account"):
        found: AccountSum | None = state.get("account_sum", key)
        _compare_balance(key, account.balance_minor, int(found.amount_minor) if found else 0, book)
    for key, found in state.items("account_sum"):
        if state.get("account", key) is None:
            _compare_balance(key, 0, int(found.amount_minor), book)


def _compare_balance(key: tuple[Any, ...], balance: int, total: int, book: Book) -> None:
    community, currency, account, _ = key
    book.count("accounts", passed=balance == total, failed=balance != total)
    if balance != total:
        detail = f"{account} in {currency}: balance {balance}, sum of postings {total}"
        book.find("balance_mismatch", detail, place=Place(community=to_base32(community), lane=LEDGER))


def _check_dues(dues: Dues, book: Book) -> None:
    """What A says it is owed by B and what B says it is owed by A cancel out, where both have posted."""
    for (community, other, currency), due in sorted(dues.mirrored.items()):
        if community > other:
            continue
        mirror = dues.mirrored.get((other, community, currency), 0)
        book.count("dues", passed=due + mirror == 0, failed=due + mirror != 0)
        if due + mirror:
            detail = f"{due} and {mirror} {currency} with {to_base32(other)}"
            book.find("due_unmirrored", detail, place=Place(community=to_base32(community), lane=LEDGER))
