"""One replay: the files are read, the communities play them, an auditor recomputes it, and the totals are told."""

import asyncio
import os
import shutil
import time
from collections.abc import Sequence
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path

import click
import msgspec

from node.audit import render_report
from node.cli.output import money, print_json, table
from node.errors import NodeError
from node.locale import language_of_environment
from node.operations.demo.auditing import Auditor
from node.operations.demo.display import Display
from node.operations.demo.settling import Holdings
from node.operations.demo.stage import DemoOptions, staged, tell_kept
from node.operations.demo.summary import summary_lines
from node.operations.demo.village import Village
from node.operations.replay.plan import Plan, make_plan
from node.operations.replay.replaying import Replaying, foundings_of
from node.operations.replay.source import CURRENCY, read_source
from node.operations.replay.totals import Totals, audited_totals, planned_totals
from protocol.audit.findings import Report


def run_replay(options: DemoOptions) -> int:
    """Run a replay and return its exit code: that of the audit, or 130 after Ctrl-C.

    Raises `NodeError`: `file_missing` and `replay_malformed` before anything is started, `replay_differs` where
    the audited totals are not those that the files come to, and what `run_demo` raises.
    """
    return staged(options, _perform)


async def _perform(options: DemoOptions, folder: Path, display: Display) -> int:
    assert options.replay is not None
    began = time.monotonic()
    with display.chapter("read", _("The orders of the past are read")) as chapter:
        source = await asyncio.to_thread(read_source, options.replay)
        plan = make_plan(source, communities=options.communities)
        for reason, count in plan.not_replayed.items():
            chapter.note(_("not replayed: {count} × {reason}").format(count=count, reason=_in_words(reason)))
    async with Village(folder, foundings_of(plan.states)) as village:
        auditor = Auditor(folder / "auditor", village.communities, display)

        async def all_of_it() -> tuple[Holdings, tuple[Report, Report]]:
            return await Replaying(plan, village, display).play(), await auditor.audit([])

        holdings, reports = await village.watched(all_of_it())
        seconds = time.monotonic() - began
        worst = max(reports, key=lambda report: report.exit_code)
        totals = audited_totals(plan, [community.id for community in village.communities], worst)
        if options.keep_bundles is not None:
            shutil.copytree(auditor.bundles, options.keep_bundles, dirs_exist_ok=True)
        if options.keep:
            village.leave_running()
            tell_kept(village, display)
    _tell(options, display, _Told(plan, holdings, worst, totals, round(seconds, 2)))
    if worst.exit_code == 0 and totals != planned_totals(plan):
        raise NodeError("replay_differs", f"{totals}, {planned_totals(plan)}")
    return worst.exit_code


@dataclass(frozen=True, slots=True)
class _Told:
    plan: Plan
    holdings: Holdings
    report: Report
    totals: Sequence[Totals]
    seconds: float


def _tell(options: DemoOptions, display: Display, told: _Told) -> None:
    """The totals and the summary for a person, or the two lines for a program."""
    if options.json:
        print_json({"seconds_by_step": display.seconds})
        print_json(
            {
                "communities": len(told.plan.states),
                "listings": len(told.plan.products),
                "orders": len(told.plan.orders),
                "records": told.holdings.records,
                "replicated": told.holdings.replicated,
                "audit": told.report.verdict,
                "seconds": told.seconds,
                "totals": msgspec.to_builtins(told.totals),
                "not_replayed": told.plan.not_replayed,
            }
        )
        return
    language = language_of_environment(os.environ)
    for line in (*_lines(told), *summary_lines(told.report, language=language)):
        click.echo(line)
    if told.report.verdict != "clean":
        click.echo("\n" + render_report(told.report, language))
    rate = len(told.plan.orders) / told.seconds
    click.echo("")
    click.echo(
        _("{orders} orders in {seconds:.1f} s, {rate:.0f} a second, the audit included.").format(
            orders=len(told.plan.orders), seconds=told.seconds, rate=rate
        )
    )


def _lines(told: _Told) -> list[str]:
    rows = [
        [
            str(totals.community),
            str(totals.completed_orders),
            money(totals.completed_minor, CURRENCY),
            " ".join(totals.states),
        ]
        for totals in told.totals
    ]
    headings = [_("community"), _("completed orders"), _("completed sales"), _("states of its sellers")]
    missing = [
        _("not replayed: {count} × {reason}").format(count=count, reason=_in_words(reason))
        for reason, count in told.plan.not_replayed.items()
    ]
    return ["", *table(headings, rows), *missing]


def _in_words(reason: str) -> str:
    words = {
        "customer_missing": _("no row of its customer"),
        "item_malformed": _("an item that cannot be read"),
        "items_missing": _("no items"),
        "order_malformed": _("a row that cannot be read"),
        "order_missing": _("items without the order itself"),
        "order_repeated": _("an order that is there already"),
        "order_too_large": _("more lines or money than one order may have"),
        "seller_missing": _("no row of a seller"),
        "status_unknown": _("a status that is not in the table"),
    }
    return f"{words[reason]} ({reason})"
