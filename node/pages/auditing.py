"""The audit of a neighbour by one button, and its report in words."""

from functools import partial
from typing import Any

from node.actions.audits import AuditAnswer, report_of_audit, show_audit, start_audit
from node.actions.peers import PeerName
from node.audit.text import check_words, render_report, say_orders, say_place
from node.errors import SENTENCES, NodeError, parted
from node.locale import translate
from node.pages.answering import GoTo, Page
from node.pages.formats import in_language, tag_of
from node.pages.site import Asked, PageRoute
from node.pages.split_drawing import say_share
from protocol.audit.findings import CommunityTotals, Finding, Place, Report
from protocol.error_codes import SENTENCES as PROTOCOL_SENTENCES
from storage.errors import SENTENCES as STORAGE_SENTENCES

_NOTICES = {"clean": "", "findings": "bad", "unreadable": "bad"}


async def begin_audit(asked: Asked) -> GoTo:
    """Start the audit; where this very one runs already, go to see how far it is."""
    name = PeerName(community=asked.path["community"])
    try:
        await start_audit(asked.node, name)
    except NodeError as error:
        shown = await show_audit(asked.node, name)
        if error.code != "audit_running" or shown.state != "running":
            raise
    return GoTo(f"/neighbours/{name.community}/audit")


async def show_audit_page(asked: Asked) -> Page:
    """Show how far an audit is, or its report."""
    language = asked.visit.language
    name = PeerName(community=asked.path["community"])
    audit = await show_audit(asked.node, name)
    report = report_of_audit(asked.node, name) if audit.state == "done" else None
    values: dict[str, Any] = {
        "section": "neighbours",
        "audit": audit,
        "subject": in_language(audit.name, language),
        "subject_tag": tag_of(audit.name, language),
        "failure": _failure(audit, language),
        "report": report,
        "own": asked.node.genesis.name,
        **(_words_of(report, audit.community, language) if report else {}),
    }
    return Page("audit.html", values)


def _words_of(report: Report, subject: str, language: str) -> dict[str, Any]:
    """What the template shows of a report, in words: no ids but in the text for auditors."""
    words = partial(translate, language=language)
    names = {totals.community: in_language(totals.name, language) for totals in report.communities}
    first = [totals for totals in report.communities if totals.community == subject]
    others = [totals for totals in report.communities if totals.community != subject]
    labels = check_words(words)
    return {
        "notice": _NOTICES[report.verdict],
        "findings": [_finding(finding, names, language) for finding in report.findings],
        "findings_count": sum(report.by_code.values()),
        "names": names,
        "totals": [*first, *others],
        "orders_of": partial(_orders, language=language),
        "share_of": lambda role: say_share(role, language),
        "checks": [(labels[check.name], check) for check in report.checks],
        "text": render_report(report, language),
    }


def _finding(finding: Finding, names: dict[str, str], language: str) -> dict[str, str]:
    cause, next_step = parted(translate(finding.sentence, language))
    place = finding.place
    where = Place(community=place.community, lane=place.lane, epoch=place.epoch, index=place.index)
    return {
        "cause": cause,
        "next_step": next_step,
        "where": say_place(where, names, partial(translate, language=language)),
        "code": finding.code,
        "rule": finding.rule,
        "detail": finding.detail,
        "record_id": place.record_id or "",
        "path": finding.path or "",
    }


def _orders(totals: CommunityTotals, side: str, *, language: str) -> str:
    orders = totals.orders_sold if side == "sold" else totals.orders_bought
    return say_orders(orders, partial(translate, language=language))


def _failure(audit: AuditAnswer, language: str) -> tuple[str, str] | None:
    if audit.failure_code is None:
        return None
    tables = (SENTENCES, STORAGE_SENTENCES, PROTOCOL_SENTENCES)
    known = (table[audit.failure_code] for table in tables if audit.failure_code in table)
    return parted(translate(next(known, SENTENCES["audit_broken_off"]), language))


AUDITING_PAGES = (
    PageRoute(
        method="GET", path="/neighbours/{community:[a-z2-7]{52}}/audit", show=show_audit_page, needs="steward"
    ),
    PageRoute(
        method="POST", path="/neighbours/{community:[a-z2-7]{52}}/audit", show=begin_audit, needs="steward"
    ),
)
