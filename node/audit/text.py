"""The words of an audit: a report as a shop owner reads it, in the person's language (PROTOCOL.md section 19.6).

print(render_report(report, language="zh-Hans"))
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import partial

from node.audit.verifying import Verification
from node.locale import ENGLISH, translate
from protocol.amounts.money import format_minor
from protocol.audit.findings import CheckName, CommunityTotals, Finding, Place, Report, Waits
from protocol.audit.witnessed import SeenBy
from protocol.error_codes import SENTENCES
from protocol.marks import Mark

_WAITS_SHOWN_MAX = 5
_SHORT_ID = 8

Words = Callable[[str], str]


def render_report(report: Report, language: str = ENGLISH) -> str:
    """Return the report as text of some lines, without an empty last one."""
    _ = partial(translate, language=language)
    names = {totals.community: _name(totals, language) for totals in report.communities}
    lines = [_verdict(report, _), ""]
    for totals in report.communities:
        lines += [*_community(totals, names, _), ""]
    lines += [
        *_seen(report, names, _),
        *_checks(report, _),
        *_findings(report, names, _),
        *_waiting(report, names, _),
    ]
    return _printable("\n".join(lines))


def render_findings(report: Report, language: str = ENGLISH) -> str:
    """Return only what is wrong, each with its place, its file and its rule; nothing where all of it holds."""
    _ = partial(translate, language=language)
    names = {totals.community: _name(totals, language) for totals in report.communities}
    return _printable("\n".join(_findings(report, names, _)).strip("\n"))


def render_verification(verification: Verification, language: str = ENGLISH) -> str:
    """Return what was found out about one file, as text of some lines."""
    _ = partial(translate, language=language)
    kinds = {
        "bundle": _("This is a bundle. Audit it: wildgrass audit."),
        "checkpoint": _("This is the signed head of a lane."),
        "fork": _("This is a fork proof: two signed heads of one lane that contradict each other."),
        "receipt": _("This is the receipt of one record."),
    }
    verdicts = {
        "holds": _("It holds."),
        "fails": _("It does not hold."),
        "not_opened": _(
            "Nothing was proven: no log key is known. Give a bundle or an address with the charter."
        ),
    }
    lines = [kinds[verification.kind]]
    if verification.kind != "bundle":
        lines.append(verdicts[verification.verdict])
    if (verification.kind, verification.verdict) == ("fork", "holds"):
        lines.append(
            _(
                "The community's log key has signed two histories of this lane. Only who holds that key could do "
                "so: the community itself, an old backup of it, or a thief. Trade with it no further until it has "
                "closed this epoch with a successor note, and ask its stewards what happened."
            )
        )
    if verification.code is not None:
        lines.append(_detailed(_(SENTENCES[verification.code]), verification.detail))
    if verification.seen is not None:
        lines.append(say_seen(verification.seen, _))
    stated = (
        (_("community"), verification.community),
        (_("lane"), verification.lane),
        (_("epoch"), verification.epoch),
        (_("records in the lane"), verification.size),
        (_("records in the other history"), verification.other_size),
        (_("record number, from 0"), verification.index),
        (_("record id"), verification.record_id),
        (_("kind of record"), verification.record_kind),
    )
    lines += [f"  {label}: {value}" for label, value in stated if value is not None]
    return _printable("\n".join(lines))


def _verdict(report: Report, _: Words) -> str:
    verdicts = {
        "clean": _("The audit is clean: everything that could be checked holds."),
        "findings": _("The audit has findings: not everything holds."),
        "unreadable": _("Nothing could be audited: no source could be read."),
    }
    counts = _(
        "{records} records, {communities} communities, {copies} copies of lanes, {sources} sources."
    ).format(
        records=report.records,
        communities=len(report.communities),
        copies=len(report.copies),
        sources=len(report.sources),
    )
    return f"{verdicts[report.verdict]} {counts}"


def _community(totals: CommunityTotals, names: Mapping[str, str], _: Words) -> Iterator[str]:
    yield names[totals.community]
    yield f"  {_('community id')}: {totals.community}"
    for mark in totals.marks:
        yield f"  {mark}: {mark_words(_)[mark]}"
    yield f"  {_('records')}: {totals.records}"
    yield _("  shops: {shops}; listings on offer: {listings}, withdrawn: {withdrawn}").format(
        shops=totals.shops, listings=totals.listings, withdrawn=totals.listings_withdrawn
    )
    for label, orders in ((_("orders sold"), totals.orders_sold), (_("orders bought"), totals.orders_bought)):
        if orders:
            yield f"  {label}: {say_orders(orders, _)}"
    if totals.completed:
        amounts = (_money(each.amount_minor, each.currency) for each in totals.completed)
        yield f"  {_('completed sales')}: {', '.join(amounts)}"
    if totals.shares:
        shares = (f"{each.role} {_money(each.amount_minor, each.currency)}" for each in totals.shares)
        yield f"  {_('shares')}: {', '.join(shares)}"
    for owed in totals.owed:
        label = _("is owed by {name}") if owed.amount_minor >= 0 else _("owes {name}")
        other = names.get(owed.counterparty, owed.counterparty[:_SHORT_ID])
        yield f"  {label.format(name=other)}: {_money(abs(owed.amount_minor), owed.currency)}"
    for policy in totals.policies:
        how = {"founder": _("adopted by founder, no vote")}.get(policy.adopted_by, policy.adopted_by)
        force = _("in force") if policy.is_in_force else _("retired")
        yield f"  {_('policy')} {policy.policy_id[:_SHORT_ID]}: {how}, {force}"


def say_seen(seen: SeenBy, _: Words) -> str:
    """Return how many witnesses have seen a record."""
    counts = _("Seen by {by} of {of} witnesses; {threshold} suffice.")
    return counts.format(by=seen.by, of=seen.of, threshold=seen.threshold)


def _seen(report: Report, names: Mapping[str, str], _: Words) -> Iterator[str]:
    """Of each lane of which witnesses are named, who has seen all of it, and up to where enough have."""
    heads = [head for head in report.cut if head.witnesses]
    for head in heads:
        by = sum(size >= head.size for size in head.seen_sizes.values())
        place = say_place(Place(community=head.community, lane=head.lane, epoch=head.epoch), names, _)
        yield f"{place}: " + _(
            "all {size} records seen by {by} of {of} witnesses; by the {threshold} that suffice: {witnessed}"
        ).format(
            size=head.size,
            by=by,
            of=head.witnesses,
            threshold=head.threshold,
            witnessed=head.witnessed_size,
        )
    if heads:
        yield ""


def check_words(_: Words) -> dict[CheckName, str]:
    """Return what each check looks at."""
    return {
        "sources": _("sources and their indexes"),
        "genesis": _("founding records"),
        "succession": _("changes of log keys"),
        "checkpoints": _("signed heads"),
        "cosignatures": _("cosignatures of witnesses"),
        "copies": _("copies of lanes, byte for byte"),
        "copies_agree": _("copies that agree with each other"),
        "forks": _("lanes without a proven fork"),
        "records": _("records with effect"),
        "member_signatures": _("signatures of members"),
        "statements": _("daily statements of lanes"),
        "postings": _("postings by the pinned split"),
        "splits": _("orders whose shares sum to their total"),
        "accounts": _("balances that are the sum of postings"),
        "dues": _("dues that mirror each other"),
        "openings": _("sealed order lines and details"),
    }


def mark_words(_: Words) -> dict[Mark, str]:
    """Return what each mark says, as it stands beside a community everywhere."""
    return {
        "CONTESTED": _("Contested: two notes claim its keys"),
        "FORKED": _("Forked: it signed two histories"),
        "RETIRED-KEY-MISUSED": _("A retired key of it was misused"),
    }


def _checks(report: Report, _: Words) -> Iterator[str]:
    labels = check_words(_)
    yield f"{_('checks'):<44}{_('pass'):>9}{_('fail'):>9}{_('not opened'):>12}"
    for check in report.checks:
        yield f"  {labels[check.name]:<42}{check.passed:>9}{check.failed:>9}{check.not_opened:>12}"


def _findings(report: Report, names: Mapping[str, str], _: Words) -> Iterator[str]:
    if not report.by_code:
        return
    yield ""
    yield _("findings: {count}").format(count=sum(report.by_code.values()))
    listed: dict[str, int] = {}
    for finding in report.findings:
        listed[finding.code] = listed.get(finding.code, 0) + 1
        yield from _finding(finding, names, _)
    for code, count in report.by_code.items():
        if count > listed[code]:
            yield "  " + _("{count} more: {code}").format(count=count - listed[code], code=code)


def _finding(finding: Finding, names: Mapping[str, str], _: Words) -> Iterator[str]:
    yield f"- {_detailed(_(finding.sentence), finding.detail)}"
    yield f"  {finding.code}, PROTOCOL.md {finding.rule}"
    if finding.place != Place():
        yield f"  {say_place(finding.place, names, _)}"
    if finding.path is not None:
        yield f"  {_('file')}: {finding.path}"
    if finding.source is not None:
        yield f"  {_('source')}: {finding.source}"


def _waiting(report: Report, names: Mapping[str, str], _: Words) -> Iterator[str]:
    if report.pending.count:
        yield ""
        yield _("records that wait for what is not here, no fault: {count}").format(
            count=report.pending.count
        )
        yield from _waits(report.pending.listed, names, _)
    if report.awaited.count:
        yield ""
        yield _("postings still to be made, no fault: {count}").format(count=report.awaited.count)
        yield from _waits(report.awaited.listed, names, _)
    if report.unknown_kinds:
        yield ""
        kinds = ", ".join(f"{kind} {count}" for kind, count in report.unknown_kinds.items())
        yield _("records of kinds that this version does not know: {kinds}").format(kinds=kinds)


def _waits(listed: Iterable[Waits], names: Mapping[str, str], _: Words) -> Iterator[str]:
    for number, waits in enumerate(listed):
        if number == _WAITS_SHOWN_MAX:
            yield "  ..."
            return
        line = say_place(waits.place, names, _)
        if waits.party is not None:
            line += "; " + _("to be posted by {name}").format(name=names.get(waits.party, waits.party))
        if waits.waits_for is not None:
            line += "; " + _("waits for {place}").format(place=say_place(waits.waits_for, names, _))
        yield f"  {line}"


def say_place(place: Place, names: Mapping[str, str], _: Words) -> str:
    """Return where something stands, communities by their names as far as `names` has them."""
    parts = [
        None if place.community is None else names.get(place.community, place.community),
        place.lane,
        None if place.epoch is None else _("epoch {number}").format(number=place.epoch),
        None if place.index is None else _("record {number}").format(number=place.index),
        place.record_id,
    ]
    return ", ".join(part for part in parts if part is not None)


def say_orders(orders: Mapping[str, int], _: Words) -> str:
    """Return how many orders have which status."""
    words = {
        "placed": _("placed"),
        "accepted": _("accepted"),
        "rejected": _("rejected"),
        "cancelled": _("cancelled"),
        "fulfilled": _("fulfilled"),
        "completed": _("completed"),
    }
    return ", ".join(f"{words.get(status, status)} {count}" for status, count in orders.items())


def _detailed(sentence: str, detail: str) -> str:
    return f"{sentence} ({detail})" if detail else sentence


def _money(amount_minor: int, currency: str) -> str:
    return f"{format_minor(amount_minor, currency)} {currency}"


def _name(totals: CommunityTotals, language: str) -> str:
    """The community's name in that language, else in the first that it has."""
    by_start = {tag.partition("-")[0]: name for tag, name in totals.name.items()}
    first = next(iter(totals.name.values()))
    return totals.name.get(language) or by_start.get(language.partition("-")[0]) or first


def _printable(text: str) -> str:
    """What strangers wrote must not move the cursor of whoever reads it."""
    return "".join(character if character.isprintable() or character == "\n" else "?" for character in text)
