"""One run of the demo: folders, processes, the story, the audits, the summary, and nothing left behind."""

import asyncio
import os
import shlex
import shutil
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path

import click

from node.audit import render_findings
from node.cli.output import print_json
from node.errors import NodeError
from node.files import make_folder
from node.locale import language_of_environment
from node.operations.demo.auditing import Auditor
from node.operations.demo.catalog import texts
from node.operations.demo.display import Display
from node.operations.demo.interruption import cancelled_by_signals
from node.operations.demo.orders import load_orders
from node.operations.demo.sabotage import Sabotage
from node.operations.demo.story import Story, Told
from node.operations.demo.summary import summary_lines
from node.operations.demo.village import Founding, Village
from node.operations.samples import load_samples
from protocol.audit.findings import Report

INTERRUPTED = 130


@dataclass(frozen=True, slots=True, kw_only=True)
class DemoOptions:
    """What a person may choose; names are those of the flags.

    `json`: the last line of standard output is one JSON object. `keep`: the nodes go on running. `sabotage`:
    one byte is flipped, one community lies. `keep_bundles`: where to leave the bundles that were audited.
    `folder`: a new or empty folder to do it in, which stays. `replay`: instead of the story, `communities`
    communities replay the orders of this folder.
    """

    json: bool = False
    keep: bool = False
    sabotage: bool = False
    keep_bundles: Path | None = None
    folder: Path | None = None
    replay: Path | None = None
    communities: int = 3


Performance = Callable[[DemoOptions, Path, Display], Coroutine[None, None, int]]


def run_demo(options: DemoOptions) -> int:
    """Run the demo and return its exit code: that of the audit, or 130 after Ctrl-C.

    Raises `NodeError` where a node dies, a step takes too long, or this machine refuses something.
    """
    if options.replay is not None:
        from node.operations.replay.run import run_replay

        return run_replay(options)
    return staged(options, _perform)


def staged(options: DemoOptions, perform: Performance) -> int:
    """Run one performance in a folder of its own, and return its exit code, or 130 after Ctrl-C."""
    return asyncio.run(_stage(options, perform))


async def _stage(options: DemoOptions, perform: Performance) -> int:
    display = Display(sys.stderr, is_terminal=sys.stderr.isatty())
    with cancelled_by_signals() as interruption, _workshop(options) as folder:
        try:
            return await perform(options, folder, display)
        except asyncio.CancelledError:
            if not interruption.came:
                raise
    display.line(_("Stopped. Nothing was left running."))
    return INTERRUPTED


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


@contextmanager
def _workshop(options: DemoOptions) -> Iterator[Path]:
    """Yield an empty folder; a temporary one goes when the demo ends, unless the nodes stay."""
    if options.folder is None:
        folder = Path(tempfile.mkdtemp(prefix="wildgrass-demo-"))
    else:
        folder = options.folder.expanduser().absolute()
        make_folder(folder)
        if any(folder.iterdir()):
            raise NodeError("demo_folder_used", str(folder))
    is_left = False
    try:
        yield folder
        is_left = options.keep
    finally:
        if options.folder is None and not is_left:
            shutil.rmtree(folder, ignore_errors=True)


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


def tell_kept(village: Village, display: Display) -> None:
    """Where the nodes are, how to look at them, and how to end them."""
    display.line()
    display.line(_("The nodes go on running:"))
    for community in village.communities:
        display.line(f"  {community.url}  wildgrass status --folder {shlex.quote(str(community.folder))}")
    pids = " ".join(str(community.process.pid) for community in village.communities)
    display.line(
        _("Stop them and remove their data with: kill {pids}; rm -r {folder}").format(
            pids=pids, folder=shlex.quote(str(village.folder))
        )
    )
