"""What a shop owner reads at the end: what was sold, who got what of it, who owes whom, who looked it over.

All of it comes from the auditor's report, not from what the demo believes it did.

    for line in summary_lines(report, language="en"): print(line)
"""

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from gettext import gettext as _

from node.cli.output import money, table
from protocol.amounts.money import format_minor
from protocol.audit.findings import CommunityTotals, Report

Names = Mapping[str, str]
"""A community's id -> its name in the reader's language."""


def summary_lines(report: Report, *, language: str) -> Iterator[str]:
    """Yield the lines of the whole summary."""
    names = {totals.community: _in(totals.name, language) for totals in report.communities}
    yield from _section(_("What was sold"), _sold(report.communities, names))
    yield from _section(_("Who got what of it"), _shared(report.communities, names))
    yield from _section(_("Who owes whom"), list(_owed(report.communities, names)))
    yield from _section(_("Who looked it over"), list(_audited(report)))


def _sold(communities: Sequence[CommunityTotals], names: Names) -> list[str]:
    rows = [
        [
            names[totals.community],
            ", ".join(money(sales.amount_minor, sales.currency) for sales in totals.completed),
            ", ".join(f"{_status(status)} {count}" for status, count in totals.orders_sold.items()),
        ]
        for totals in communities
        if totals.orders_sold
    ]
    return table([_("community"), _("completed sales"), _("orders sold")], rows)


def _shared(communities: Sequence[CommunityTotals], names: Names) -> list[str]:
    """A row a role, a column a community that has posted anything."""
    posted = [totals for totals in communities if totals.shares]
    titles = {
        "seller": _("The shops"),
        "tax": _("Tax"),
        "seller_community": _("The community that sells"),
        "buyer_community": _("The community that buys"),
        "commons": _("The commons"),
    }
    amounts: dict[tuple[str, str], dict[str, int]] = defaultdict(dict)
    for totals in posted:
        for share in totals.shares:
            amounts[share.role, share.currency][totals.community] = share.amount_minor
    known = list(titles)
    rows = [
        [
            titles.get(role, role),
            *(format_minor(by_community.get(totals.community, 0), currency) for totals in posted),
            currency,
        ]
        for (role, currency), by_community in sorted(
            amounts.items(), key=lambda item: [*known, item[0][0]].index(item[0][0])
        )
    ]
    return table(["", *(names[totals.community] for totals in posted), ""], rows)


def _owed(communities: Sequence[CommunityTotals], names: Names) -> Iterator[str]:
    """Each debt once, as its creditor has it; that the debtor has the same, the audit checks."""
    for totals in communities:
        for owed in totals.owed:
            if owed.amount_minor > 0:
                yield _("{debtor} owes {creditor} {amount}").format(
                    debtor=names.get(owed.counterparty, owed.counterparty),
                    creditor=names[totals.community],
                    amount=money(owed.amount_minor, owed.currency),
                )


def _audited(report: Report) -> Iterator[str]:
    yield _("An auditor who trusts no node read {copies} copies of {lanes} lanes: {records} records.").format(
        copies=len(report.copies), lanes=len(report.cut), records=report.records
    )
    yield _("{passed} checks passed, {failed} failed.").format(
        passed=sum(check.passed for check in report.checks),
        failed=sum(check.failed for check in report.checks),
    )
    if any(policy.adopted_by == "founder" for totals in report.communities for policy in totals.policies):
        yield _("The policy was adopted by the founders; no vote was held.")


def _section(title: str, lines: Sequence[str]) -> Iterator[str]:
    if lines:
        yield ""
        yield title
        yield from ("  " + line for line in lines)


def _status(status: str) -> str:
    words = {
        "placed": _("placed"),
        "accepted": _("accepted"),
        "rejected": _("rejected"),
        "cancelled": _("cancelled"),
        "fulfilled": _("fulfilled"),
        "completed": _("completed"),
    }
    return words.get(status, status)


def _in(name: Mapping[str, str], language: str) -> str:
    return name.get(language) or next(iter(name.values()), "")
