"""`wildgrass up`: start the node, making what is missing, and say where it is; twice, it shows what runs."""

from collections.abc import Callable
from gettext import gettext as _
from typing import TYPE_CHECKING, Any

import click

from node.cli.founding import found, founding_options, is_person_there, show_kit
from node.cli.output import in_words, print_json
from node.cli.session import Session, command
from node.config import LISTED, Sources

if TYPE_CHECKING:
    from node.config import Settings
    from node.operations.lifecycle import Listening, RunningNode


def setting_options(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add one option for each setting; language is among those of the founding already."""
    for key in reversed(LISTED):
        if key.name != "language":
            function = click.option("--" + key.name.replace("_", "-"), key.name, help=_(key.summary))(
                function
            )
    return function


FOUNDING_OPTIONS = (
    "name_zh",
    "name_en",
    "currency",
    "kit_file",
)  # with one of them, nobody is asked in the pages


@command("up", help=_("Start this community's node; the first start makes everything it needs."))
@setting_options
@founding_options
@click.option(
    "--qr/--no-qr", default=None, help=_("Show the address as a QR code; by default on a terminal.")
)
def up(session: Session, *, qr: bool | None, **options: Any) -> None:
    """Start, or show what runs."""
    from node.errors import NodeError
    from node.operations.lifecycle import running_node

    sources = session.sources(**{key.name: options[key.name] for key in LISTED})
    try:
        if running_node(sources.folder) is None:
            _start(session, sources, options, qr=is_person_there() if qr is None else qr)
            return
    except NodeError as error:
        if error.code != "node_running":
            raise
    running = running_node(sources.folder)
    if running is None:
        raise NodeError("node_running", str(sources.folder))  # it starts or stops just now
    lines = [_("The node is running already."), *_lines(running, sources, "")]
    session.show(_as_json(running, sources, already=True, login_link=""), *lines)


def _start(session: Session, sources: Sources, options: dict[str, Any], *, qr: bool) -> None:
    from node.app import run
    from node.operations.lifecycle import claim_folder
    from node.vault.vault import has_vault

    may_ask = is_person_there() and not session.is_json
    is_told = session.is_json or any(options[name] for name in FOUNDING_OPTIONS)
    if is_told and not has_vault(sources.folder):
        with claim_folder(sources.folder):
            founded = found(sources.folder, options, may_ask=may_ask, must_file=not may_ask)
        if not session.is_json:
            show_kit(founded)

    founded_here: list[str] = []

    def announce(running: "RunningNode", settings: "Settings", login_link: str) -> None:
        if session.is_json:
            print_json(_as_json(running, sources, already=False, login_link=login_link))
            return
        for line in [*_moves(running, settings), *_lines(running, sources, login_link)]:
            click.echo(line)
        if qr and not founded_here:
            _print_qr(login_link or running.url)

    def announce_founding(link: str, http: "Listening") -> None:
        founded_here.append(link)
        for line in [*_moved(http.wanted.port, http.bound.port), *_founding_lines(link, sources)]:
            click.echo(line)
        if qr:
            _print_qr(link)

    run(
        sources,
        announce=announce,
        announce_founding=announce_founding,
        with_login_link=session.is_json or is_person_there(),
    )


def _as_json(running: "RunningNode", sources: Sources, *, already: bool, login_link: str) -> dict[str, Any]:
    return {
        "running": True,
        "already": already,
        "community": running.community,
        "url": running.url,
        "http": running.http,
        "federation": running.federation,
        "folder": str(sources.folder),
        "pid": running.pid,
        "login_link": login_link,
    }


def _moves(running: "RunningNode", settings: "Settings") -> list[str]:
    return [
        *_moved(settings.listen_http.port, int(running.http.rpartition(":")[2])),
        *_moved(settings.listen_federation.port, int(running.federation.rpartition(":")[2])),
    ]


def _moved(wanted: int, bound: int) -> list[str]:
    moved = _("Port {wanted} is in use; {bound} was taken instead.")
    return [moved.format(wanted=wanted, bound=bound)] if wanted not in (0, bound) else []


def _lines(running: "RunningNode", sources: Sources, login_link: str) -> list[str]:
    lines = [
        "",
        _("Community:    {name}").format(name=in_words(running.name)),
        _("Open:         {url}").format(url=running.url),
        _("Other nodes:  {address}").format(address=running.address),
        _("Data:         {folder}").format(folder=sources.folder),
        "",
        _("Stop it with Ctrl-C. Keep it running: wildgrass service --print"),
    ]
    if login_link:
        lines.insert(3, _("Log in once:  {link}").format(link=login_link))
    return lines


def _founding_lines(link: str, sources: Sources) -> list[str]:
    return [
        "",
        _("This node is new. Set it up in a browser on this network:"),
        link,
        _("Keep this link to yourself: whoever opens it founds the community and is its steward."),
        "",
        _("Data:         {folder}").format(folder=sources.folder),
        "",
        _("Stop it with Ctrl-C. Keep it running: wildgrass service --print"),
    ]


def _print_qr(text: str) -> None:
    import sys

    import segno

    click.echo("")
    segno.make(text, error="l", micro=False).terminal(out=sys.stdout, compact=True, border=2)
