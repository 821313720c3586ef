"""Founding a community from the command line; `init` and the first `up` both do it here."""

import os
import sys
from collections.abc import Callable
from dataclasses import dataclass
from gettext import gettext as _
from pathlib import Path
from typing import Any

import click

from node.cli.options import words, words_of
from node.errors import NodeError
from node.files import KIT_FILE
from node.locale import CHINESE, LANGUAGES, language_of_environment


@dataclass(frozen=True, slots=True, kw_only=True)
class Founded:
    """What `init` has to tell. `words` are None where the kit went into a file."""

    community: str
    folder: Path
    kit_file: Path | None
    words: str | None
    page: str | None

    def as_json(self) -> dict[str, Any]:
        """Return what a program is told."""
        kit_file = None if self.kit_file is None else str(self.kit_file)
        return {
            "community": self.community,
            "folder": str(self.folder),
            "founded": True,
            "kit_file": kit_file,
            "words": self.words,
        }


def founding_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add the options with which a community is founded."""
    for add in (
        click.option(
            "--kit-file",
            type=click.Path(path_type=Path, dir_okay=False),
            help=_("Write the emergency kit into this new file instead of showing it."),
        ),
        click.option(
            "--language",
            type=click.Choice(LANGUAGES),
            help=_("The language of the kit and its words."),
        ),
        click.option(
            "--currency", help=_("The currency the community keeps its books in, such as EUR or CNY.")
        ),
        words("name", _("The community's name.")),
    ):
        function = add(function)
    return function


def found(folder: Path, options: dict[str, Any], *, may_ask: bool, must_file: bool) -> Founded:
    """Found a community in a folder that this process holds; `options` are those of `founding_options`.

    `may_ask` says that a person sits in front of it, `must_file` that what is printed may end in a log: then
    the kit goes into a file of the folder.
    """
    from node.files import make_folder, write_new
    from node.vault.found import found_community
    from node.vault.kit import Kit, kit_text
    from node.vault.vault import has_vault
    from node.writer.clock import system_clock
    from protocol.identity.keys import to_base32

    if has_vault(folder):
        raise NodeError("vault_exists", str(folder))
    language = options["language"] or language_of_environment(os.environ)
    kit_file = options["kit_file"] or (folder / KIT_FILE if must_file else None)

    def keep_kit(kit: Kit) -> None:
        if kit_file is not None:
            make_folder(kit_file.absolute().parent)
            write_new(kit_file, kit_text(kit, language).encode())

    kit = found_community(
        folder,
        name=words_of(dict(options), "name") or _ask_name(language, may_ask=may_ask),
        currency=options["currency"] or ("CNY" if language == CHINESE else "EUR"),
        words_language=language,
        now_ms=system_clock(),
        keep_kit=keep_kit,
    )
    return Founded(
        community=to_base32(kit.community),
        folder=folder,
        kit_file=kit_file,
        words=kit.words if kit_file is None else None,
        page=kit_text(kit, language) if kit_file is None else None,
    )


def show_kit(founded: Founded) -> None:
    """Print the kit once, or where it was put."""
    if founded.page is not None:
        click.echo(founded.page)
    else:
        click.echo(
            _("The emergency kit is in {file}. Print it, keep it elsewhere, then delete the file.").format(
                file=founded.kit_file
            )
        )


def is_person_there() -> bool:
    """Tell whether somebody can read and answer."""
    return sys.stdin.isatty() and sys.stdout.isatty()


def _ask_name(language: str, *, may_ask: bool) -> dict[str, str]:
    """Ask for the name, or take a plain one; the machine's own name is nobody's business."""
    plain = _("New community")
    name = click.prompt(_("Name of your community"), default=plain) if may_ask else plain
    return {language: str(name)}
