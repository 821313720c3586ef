"""`wildgrass audit`: recompute everything from the lanes, trusting no node."""

import os
import sys
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING

import click

from node.cli.session import Session, command
from node.cli.sources import opened, token_options
from node.locale import language_of_environment

if TYPE_CHECKING:
    from node.audit import Report, Stage


@command(
    "audit", help=_("Audit bundles and nodes: files, directories, addresses. Without any, the own node.")
)
@click.argument("sources", nargs=-1)
@click.option(
    "--proofs",
    "proofs_folder",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path(),
    help=_("Where the proof of a fork is written, if one is found; without it, here."),
)
@token_options
def audit(
    session: Session,
    sources: tuple[str, ...],
    proofs_folder: Path,
    token: str | None,
    token_file: str | None,
) -> int:
    """Audit; the exit code is 0 clean, 1 findings, 2 unreadable."""
    import msgspec

    from node.audit import audit_sources, render_report

    with opened(session, sources, token=token, token_file=token_file) as found:
        report = audit_sources(found, _progress if sys.stderr.isatty() else None)
    files = _write_proofs(report, proofs_folder)
    words = "" if session.is_json else render_report(report, language_of_environment(os.environ))
    line = _("A fork is proven by {path}. Anyone checks it with: wildgrass verify {path} --from BUNDLE")
    answer = {**msgspec.to_builtins(report), "proof_files": files}
    session.show(answer, words, *(line.format(path=path) for path in files))
    return report.exit_code


def _write_proofs(report: "Report", folder: Path) -> list[str]:
    """Return the files that were written; a disk that takes none does not hide the report."""
    from node.audit import write_proofs

    try:
        return [str(path) for path in write_proofs(report.forks, folder)]
    except OSError as error:
        line = _("The proof of a fork was not written: {error}. It stands in the report with --json.")
        click.echo(line.format(error=error), err=True)
        return []


def _progress(stage: "Stage", done: int, total: int) -> None:
    """One line that is written over, on a terminal only."""
    names = {"reading": _("reading"), "folding": _("recomputing"), "summing": _("adding up")}
    click.echo(f"\r\x1b[K{names[stage]} {done} / {total}", nl=False, err=True)
    if stage == "summing" and done == total:
        click.echo("\r\x1b[K", nl=False, err=True)
