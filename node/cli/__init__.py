"""The command `wildgrass`: noun, verb, options; every refusal is a cause and a next step.

Commands are imported when they are used, so that `wildgrass --help` is there at once and an auditor needs no
server's libraries. With `--json` the last line of standard output is one JSON object, `{"error": ...}` for a
refusal.
"""

import os
import sys
from collections.abc import Sequence

import click

from node.errors import REFUSALS, NodeError, Report, report
from node.locale import language_of_environment, speak

INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return its exit code; a bug of ours is left to show itself."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    language = language_of_environment(os.environ)
    speak(language)
    from node.cli.groups import wildgrass

    try:
        given = [_as_utf8(argument) for argument in given]
        code = wildgrass.main(args=given, prog_name="wildgrass", standalone_mode=False)
    except click.exceptions.Exit as exit_asked:
        return exit_asked.exit_code
    except (click.Abort, KeyboardInterrupt):
        return INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # whoever read us has seen enough
        return 0
    except click.ClickException as error:
        return _refuse(_usage_report(error, language), given)
    except REFUSALS as error:
        return _refuse(report(error, language=language), given)
    return code if isinstance(code, int) else 0


def _as_utf8(argument: str) -> str:
    """Read an argument as UTF-8 whatever the locale says: names are Chinese on machines that speak C."""
    try:
        return os.fsencode(argument).decode("utf-8")
    except UnicodeDecodeError as error:
        raise NodeError("usage_refused", f"{argument!r}: {error.reason}") from error


def _usage_report(error: click.ClickException, language: str) -> Report:
    context = getattr(error, "ctx", None)
    where = f"{context.command_path}: " if context is not None else ""
    return report(NodeError("usage_refused", where + error.format_message()), language=language)


def _refuse(said: Report, given: Sequence[str]) -> int:
    """Tell a person on standard error, and a program, where one asks, on standard output."""
    detail = f" ({said.detail})" if said.detail else ""
    click.echo(f"wildgrass: {said.sentence}{detail}\n  → {said.next_step}", err=True)
    if "--json" in given:
        from node.cli.output import print_json

        print_json({"error": said.as_json()})
    return said.exit_code
