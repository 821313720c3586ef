"""What every command has: --json, --folder, and a way to the running node.

@command("list")
def list_shops(session: Session) -> None: ...
"""

import functools
import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from node.cli.output import print_json

if TYPE_CHECKING:
    from node.client import Client
    from node.config import Sources

HELP = {"help_option_names": ["-h", "--help"], "max_content_width": 100}


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One use of the command line."""

    folder: str | None
    is_json: bool

    def sources(self, **flags: Any) -> "Sources":
        """Return the settings' sources with these flags besides --folder."""
        from node.config import read_sources

        return read_sources(flags={"folder": self.folder, **flags}, environment=os.environ)

    def client(self) -> "Client":
        """Return a client of the node that runs on the folder, or raise `node_not_running`."""
        from node.client import connect

        return connect(self.sources().folder)

    def ask(self, method: str, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        """Return the running node's answer to one request."""
        with self.client() as client:
            return client.call(method, path, fields)

    def show(self, answer: dict[str, Any], *lines: str) -> None:
        """Print the answer as JSON, or the lines for a person."""
        if self.is_json:
            print_json(answer)
        else:
            for line in lines:
                click.echo(line)


def command(name: str, **given: Any) -> Callable[[Callable[..., Any]], click.Command]:
    """Make a click command whose function gets a `Session` first."""

    def make(function: Callable[..., Any]) -> click.Command:
        @functools.wraps(function)
        def with_session(*, folder: str | None, as_json: bool, **options: Any) -> Any:
            return function(Session(folder=folder, is_json=as_json), **options)

        folder_option = click.option("--folder", metavar=_("FOLDER"), help=_("Where the node's data lies."))
        json_option = click.option(
            "--json", "as_json", is_flag=True, help=_("Answer with one JSON object on the last line.")
        )
        make_command: Callable[[Callable[..., Any]], click.Command] = click.command(
            name, context_settings=HELP, **given
        )
        return make_command(json_option(folder_option(with_session)))

    return make


def group(name: str, help_text: str, *commands: click.Command) -> click.Group:
    """Make a noun of its verbs."""
    return click.Group(
        name, help=help_text, context_settings=HELP, no_args_is_help=True, commands=list(commands)
    )


def read_file(path: str) -> bytes:
    """Return the content of a file, or of standard input for `-`."""
    if path == "-":
        return sys.stdin.buffer.read()
    return Path(path).read_bytes()
