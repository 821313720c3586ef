"""`wildgrass bundle`: a copy of lanes as a directory or an archive, for an auditor or for safe keeping."""

from dataclasses import asdict
from gettext import gettext as _
from pathlib import Path
from typing import Any

import click

from node.cli.session import Session, command
from node.cli.sources import opened, token_options


@command("bundle", help=_("Write all lanes of a node or bundle into a new directory, .tar or .tar.gz."))
@click.argument("destination", type=click.Path(path_type=Path))
@click.option("--from", "source", help=_("An address or another bundle; without it, the own node."))
@click.option("--community", "communities", multiple=True, help=_("Only this community, several times."))
@token_options
def bundle(
    session: Session, destination: Path, source: str | None, communities: tuple[str, ...], **tokens: Any
) -> None:
    """Write."""
    from node.audit import write_bundle
    from protocol.identity.keys import HASH_BYTES, from_base32

    chosen = [from_base32(text, HASH_BYTES) for text in communities] or None
    with opened(session, [source] if source else [], **tokens) as (found,):
        summary = write_bundle(found, destination, chosen)
    line = _("{lanes} lanes with {records} records are in {destination}.")
    session.show(
        {"bundle": str(destination), **asdict(summary)},
        line.format(lanes=summary.lanes, records=summary.records, destination=destination),
    )
