"""`wildgrass audit`: recompute everything from the lanes, trusting no node."""

import os
import sys
from gettext import gettext as _
from typing import TYPE_CHECKING

import click

from node.cli.session import Session, command
from node.cli.sources import opened, token_options
from node.locale import language_of_environment

if TYPE_CHECKING:
    from node.audit import Stage


@command(
    "audit", help=_("Audit bundles and nodes: files, directories, addresses. Without any, the own node.")
)
@click.argument("sources", nargs=-1)
@token_options
def audit(session: Session, sources: tuple[str, ...], token: str | None, token_file: str | None) -> int:
    """Audit; the exit code is 0 clean, 1 findings, 2 unreadable."""
    import msgspec

    from node.audit import audit_sources, render_report

    with opened(session, sources, token=token, token_file=token_file) as found:
        report = audit_sources(found, _progress if sys.stderr.isatty() else None)
    words = "" if session.is_json else render_report(report, language_of_environment(os.environ))
    session.show(msgspec.to_builtins(report), words)
    return report.exit_code


def _progress(stage: "Stage", done: int, total: int) -> None:
    """One line that is written over, on a terminal only."""
    names = {"reading": _("reading"), "folding": _("recomputing"), "summing": _("adding up")}
    click.echo(f"\r\x1b[K{names[stage]} {done} / {total}", nl=False, err=True)
    if stage == "summing" and done == total:
        click.echo("\r\x1b[K", nl=False, err=True)
