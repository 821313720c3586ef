"""One run of the demo: processes, the story, the audits, and the summary."""

import os
import shutil
import time
from gettext import gettext as _
from pathlib import Path

import click

from node.audit import render_findings
from node.cli.output import print_json
from node.locale import language_of_environment
from node.operations.demo.auditing import Auditor
from node.operations.demo.catalog import texts
from node.operations.demo.display import Display
from node.operations.demo.orders import load_orders
from node.operations.demo.sabotage import Sabotage
from node.operations.demo.stage import DemoOptions, staged, tell_kept
from node.operations.demo.story import Story, Told
from node.operations.demo.summary import summary_lines
from node.operations.demo.village import Founding, Village
from node.operations.samples import load_samples
from protocol.audit.findings import Report


def run_demo(options: DemoOptions) -> int:
    """Run the demo and return its exit code: that of the audit, or 130 after Ctrl-C.

    Raises `NodeError` where a node dies, a step takes too long, or this machine refuses something.
    """
    return staged(options, _perform)


async def _perform(options: DemoOptions, folder: Path, display: Display) -> int:
    began = time.monotonic()
    samples = load_samples()
    foundings = [Founding(sample.key, texts(sample.name), sample.currency) for sample in samples]
    async with Village(folder, foundings) as village:
        auditor = Auditor(folder / "auditor", village.communities, display)
        story = Story(village, samples, load_orders(), display)
        sabotage = Sabotage(village, folder, display) if options.sabotage else None

        async def all_of_it() -> tuple[Told, tuple[Report, Report]]:
            told = await story.tell()
            if sabotage is not None:
                await sabotage.commit()
            return told, await auditor.audit([] if sabotage is None else sabotage.sources)

        told, reports = await village.watched(all_of_it())
        seconds = time.monotonic() - began
        worst = max(reports, key=lambda report: report.exit_code)
        if sabotage is not None:
            sabotage.check(reports)
        if options.keep_bundles is not None:
            shutil.copytree(auditor.bundles, options.keep_bundles, dirs_exist_ok=True)
        _tell(options, display, told, worst, seconds=seconds)
        if options.keep:
            tell_kept(village, display)
            village.leave_running()
    return worst.exit_code


def _tell(options: DemoOptions, display: Display, told: Told, report: Report, *, seconds: float) -> None:
    """The auditor's findings and the summary for a person, or the two lines for a program."""
    if options.json:
        print_json({"seconds_by_step": display.seconds})
        print_json(
            {
                "communities": told.communities,
                "listings": told.listings,
                "orders": len(told.orders),
                "records": told.holdings.records,
                "replicated": told.holdings.replicated,
                "audit": report.verdict,
                "seconds": round(seconds, 2),
            }
        )
        return
    language = language_of_environment(os.environ)
    for line in summary_lines(report, language=language):
        click.echo(line)
    click.echo("")
    if report.verdict != "clean":
        click.echo(render_findings(report, language) + "\n")
    click.echo(_("{seconds:.1f} s from the first folder to the audited split.").format(seconds=seconds))
