"""One community in numbers, from the folded state: what a shop owner reads (PROTOCOL.md section 19.6).

totals = Totals(histories, forked); totals.add_state(state, book); totals.of(community, records)
"""

from bisect import insort
from collections import defaultdict
from collections.abc import Collection, Mapping
from operator import itemgetter

import msgspec

from protocol.amounts.entries import DUE, SHARE_PREFIX
from protocol.audit.findings import AdoptedPolicy, Book, CommunityTotals, Money, Owed, RoleShare
from protocol.audit.history import History
from protocol.audit.sums import AuditState, KeptListing
from protocol.identity.keys import to_base32
from protocol.limits import ROLES_LISTED_MAX
from protocol.log.origin import Origin
from protocol.marks import marks_by

_OTHER_ROLES = "other roles"


class _Nothing(msgspec.Struct):
    """Of a row whose key says enough."""


class _Placed(msgspec.Struct):
    seller: bytes
    currency: str
    lines: list[bytes]


class _Placement(msgspec.Struct):
    placed: _Placed


class Totals:
    """Counts and sums by community; strangers whom records merely name are left out."""

    def __init__(self, histories: Mapping[bytes, History], forked: Collection[Origin]) -> None:
        """Take the communities that the audit knows, and the lanes that are proven to have forked."""
        self._histories = histories
        self._forked = forked
        self._counts: dict[tuple[bytes, str], int] = defaultdict(int)
        self._sold: dict[bytes, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._bought: dict[bytes, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._completed: dict[bytes, dict[str, int]] = defaultdict(lambda: defaultdict(int))
        self._shares: dict[bytes, dict[tuple[str, str], int]] = defaultdict(lambda: defaultdict(int))
        self._owed: dict[bytes, dict[tuple[bytes, str], int]] = defaultdict(lambda: defaultdict(int))
        self._policies: dict[bytes, list[tuple[tuple[int, int], AdoptedPolicy]]] = defaultdict(list)

    def add_state(self, state: AuditState, book: Book) -> None:
        """Go through the state once."""
        self._add_market(state)
        self._add_orders(state, book)
        self._add_accounts(state)
        self._add_policies(state)

    def of(self, community: bytes, records: int) -> CommunityTotals:
        """Return the numbers of one community, `records` of which were read."""
        history = self._histories[community]
        epochs = [origin.epoch for origin in self._forked if origin.community == community]
        return CommunityTotals(
            community=to_base32(community),
            name=history.genesis.name,
            marks=tuple(
                marks_by(open_epoch=len(history.seals), fork_epochs=epochs, is_contested=history.is_contested)
            ),
            records=records,
            shops=self._counts[community, "shop"],
            listings=self._counts[community, "listing"],
            listings_withdrawn=self._counts[community, "withdrawn"],
            orders_sold=dict(sorted(self._sold[community].items())),
            orders_bought=dict(sorted(self._bought[community].items())),
            completed=tuple(
                Money(currency=currency, amount_minor=amount)
                for currency, amount in sorted(self._completed[community].items())
            ),
            shares=tuple(
                RoleShare(role=role, currency=currency, amount_minor=amount)
                for (role, currency), amount in sorted(self._shares[community].items())
            ),
            owed=tuple(
                Owed(counterparty=to_base32(other), currency=currency, amount_minor=amount)
                for (other, currency), amount in sorted(self._owed[community].items())
            ),
            policies=tuple(line for _, line in self._policies[community]),
        )

    def _add_policies(self, state: AuditState) -> None:
        """List those that a community came to first, in the order of its charter."""
        for (community, policy), adopted in state.items("adopted_policy"):
            first, lines = adopted.spans[0], self._policies[community]
            line = AdoptedPolicy(
                policy_id=to_base32(policy), adopted_by=adopted.adopted_by, is_in_force=adopted.is_in_force
            )
            insort(lines, ((first.from_epoch, first.from_size), line), key=itemgetter(0))
            del lines[ROLES_LISTED_MAX:]

    def _add_market(self, state: AuditState) -> None:
        for key, _ in state.items("shop", _Nothing):
            self._counts[key[0], "shop"] += 1
        for key, listing in state.items("listing", KeptListing):
            self._counts[key[0], "withdrawn" if listing.is_withdrawn else "listing"] += 1

    def _add_orders(self, state: AuditState, book: Book) -> None:
        for key, placement in state.items("placement", _Placement):
            placed = placement.placed
            book.count("openings", not_opened=len(placed.lines) + 1)
            deal = state.get("deal", (placed.seller, *key))
            status = deal.status if deal else "placed"
            if key[0] in self._histories:
                self._bought[key[0]][status] += 1
            if placed.seller in self._histories:
                self._sold[placed.seller][status] += 1
            if deal and status == "completed":
                gross = sum(total.gross_minor for total in deal.totals)
                self._completed[placed.seller][placed.currency] += gross

    def _add_accounts(self, state: AuditState) -> None:
        for (community, currency, account, counterparty), row in state.items("account"):
            if account == DUE:
                self._owed[community][counterparty, currency] += row.balance_minor
            elif account.startswith(SHARE_PREFIX):
                shares = self._shares[community]
                role = (account.removeprefix(SHARE_PREFIX), currency)
                if role not in shares and len(shares) >= ROLES_LISTED_MAX:
                    role = (_OTHER_ROLES, currency)
                shares[role] -= row.balance_minor
