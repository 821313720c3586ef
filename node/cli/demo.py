"""`wildgrass demo`: communities trade on this machine, share the revenue and are audited."""

from gettext import gettext as _
from pathlib import Path

import click

from node.cli.session import Session, command

_FOLDER = click.Path(path_type=Path, file_okay=False)


@command(
    "demo",
    help=_("Three communities trade, share the revenue and are audited, in folders of their own."),
)
@click.option("--keep", is_flag=True, help=_("Leave the nodes running and print their addresses."))
@click.option(
    "--sabotage", is_flag=True, help=_("Falsify one copy and one share; the audit has to find both.")
)
@click.option("--keep-bundles", type=_FOLDER, help=_("Leave one audit bundle a community in this folder."))
@click.option("--replay", type=_FOLDER, help=_("Replay the orders of this folder's CSV files instead."))
@click.option(
    "--communities", type=click.IntRange(2, 32), default=3, help=_("How many communities replay; default: 3.")
)
def demo(
    session: Session,
    *,
    keep: bool,
    sabotage: bool,
    keep_bundles: Path | None,
    replay: Path | None,
    communities: int,
) -> int:
    """Run it; --folder names a new or empty folder for it, never that of the real node."""
    from node.operations.demo import DemoOptions, run_demo

    if replay is not None and sabotage:
        raise click.UsageError(_("--sabotage belongs to the demo's own story, not to a replay."))
    options = DemoOptions(
        json=session.is_json,
        keep=keep,
        sabotage=sabotage,
        keep_bundles=keep_bundles,
        folder=Path(session.folder) if session.folder else None,
        replay=replay,
        communities=communities,
    )
    if replay is None:
        return run_demo(options)
    from node.operations.replay.run import run_replay

    return run_replay(options)
