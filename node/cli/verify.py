"""`wildgrass verify`: whether one file that somebody handed over holds, offline."""

import os
from gettext import gettext as _
from pathlib import Path
from typing import Any

import click

from node.cli.session import Session, command
from node.cli.sources import opened, token_options
from node.errors import OK, REFUSED, UNREADABLE
from node.locale import language_of_environment

EXIT_CODES = {"holds": OK, "fails": REFUSED, "not_opened": UNREADABLE}


@command(
    "verify",
    help=_("Check a receipt, a checkpoint or a fork proof against the keys of its community's charter."),
)
@click.argument("path", type=click.Path(path_type=Path))
@click.option("--from", "locations", multiple=True, help=_("Where the charter is: an address or a bundle."))
@click.option("--key", "keys", multiple=True, help=_("A log key that you know already: name+id+key."))
@token_options
def verify(
    session: Session, path: Path, locations: tuple[str, ...], keys: tuple[str, ...], **tokens: Any
) -> int:
    """Check; the exit code is 0 holds, 1 does not hold, 2 not to be judged."""
    import msgspec

    from node.audit import KnownKeys, render_verification, verify_file

    if not locations and keys:
        found = verify_file(path, KnownKeys(vkeys=keys))
    else:
        with opened(session, locations, **tokens) as sources:
            found = verify_file(path, KnownKeys(sources, keys))
    words = "" if session.is_json else render_verification(found, language_of_environment(os.environ))
    session.show(msgspec.to_builtins(found), words)
    return EXIT_CODES[found.verdict]
