"""From a split to double entry: one side's account lines for some allocations (PROTOCOL.md section 14.2)."""

from collections import defaultdict
from collections.abc import Iterable
from typing import Annotated

import msgspec
from msgspec import Meta

from protocol.amounts.split import Allocation, Side
from protocol.limits import AMOUNT_MINOR_MAX

COLLECTED = "collected"
DUE = "due"
SHARE_PREFIX = "share/"


class AccountEntry(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """One line of a posting: debits are positive, credits negative."""

    account: Annotated[str, Meta(pattern=r"\A(collected|due|share/[a-z][a-z0-9_]{0,31})\Z")]
    amount_minor: Annotated[int, Meta(ge=-AMOUNT_MINOR_MAX, le=AMOUNT_MINOR_MAX)]


def account_entries(
    allocations: Iterable[Allocation], *, sides: frozenset[Side], collector: Side
) -> list[AccountEntry]:
    """Return the lines of the community that stands on `sides`, sorted by account; zero lines are left out.

    Own shares are credits. The collector debits `collected` with the whole and owes the other side what
    belongs there; the other side's `due` is the mirror of it, so the two cancel out. A community that is
    both sides of an order has nothing due.
    """
    sums: dict[str, int] = defaultdict(int)
    own = other = 0
    for allocation in allocations:
        if allocation.beneficiary in sides:
            sums[SHARE_PREFIX + allocation.role] -= allocation.amount_minor
            own += allocation.amount_minor
        else:
            other += allocation.amount_minor
    if collector in sides:
        sums[COLLECTED] = own + other
        sums[DUE] = -other
    else:
        sums[DUE] = own
    return [AccountEntry(account, sums[account]) for account in sorted(sums) if sums[account]]
