"""Where an auditor reads: bundles, addresses of nodes, or the node that runs on the folder.

A token goes to an address in a header only. One on the command line shows in the list of processes, so a file
is the better way: one token, or a line `ADDRESS TOKEN` for each node.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from gettext import gettext as _
from typing import TYPE_CHECKING, Any

import click

from node.cli.session import Session, read_file

if TYPE_CHECKING:
    from node.audit import OpenSource


def token_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --token and --token-file."""
    function = click.option(
        "--token-file", help=_("A file with the auditor's token, or with lines: ADDRESS TOKEN.")
    )(function)
    return click.option("--token", help=_("The auditor's token; other users may see it here."))(function)


@contextmanager
def opened(
    session: Session, locations: Sequence[str], *, token: str | None, token_file: str | None
) -> Iterator[list["OpenSource"]]:
    """Yield the sources at these locations, or the running node where none is named.

    Raises `AuditError` where one cannot be opened, and `node_not_running` where there is none to read.
    """
    from node.audit import open_source

    tokens = _tokens(token, token_file)
    named = [(location, tokens.get(location) or tokens.get("")) for location in locations]
    with ExitStack() as stack:
        yield [
            stack.enter_context(open_source(location, its_token))
            for location, its_token in named or [_own_node(session)]
        ]


def _tokens(token: str | None, token_file: str | None) -> dict[str, str]:
    """Tokens by address; under the empty one the token for all others."""
    found = {"": token} if token else {}
    if token_file is None:
        return found
    try:
        lines = read_file(token_file).decode("ascii").split("\n")
    except UnicodeDecodeError as error:
        raise click.BadParameter(_("the file of tokens is no plain text")) from error
    for line in filter(None, map(str.strip, lines)):
        address, _blank, its_token = line.rpartition(" ")
        found[address.strip()] = its_token
    return found


def _own_node(session: Session) -> tuple[str, str]:
    from node.api_token import read_token
    from node.errors import NodeError
    from node.operations.lifecycle import running_node

    folder = session.sources().folder
    running = running_node(folder)
    if running is None:
        raise NodeError("node_not_running", str(folder))
    return f"http://{running.http}", read_token(folder)
