"""The stage of a demo or a replay: what was chosen, a folder, Ctrl-C, and what is said of nodes that stay.

exit_code = staged(options, perform)     # perform(options, folder, display) -> exit code
"""

import asyncio
import shlex
import shutil
import sys
import tempfile
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path

from node.errors import NodeError
from node.files import make_folder
from node.operations.demo.display import Display
from node.operations.demo.interruption import cancelled_by_signals
from node.operations.demo.village import Village

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
