"""`wildgrass status`: what the running node says of itself, and where each setting comes from."""

from gettext import gettext as _
from typing import TYPE_CHECKING, Any

from node.cli.output import in_words, moment, table
from node.cli.session import Session, command
from node.errors import UNREACHABLE
from node.files import KIT_FILE

if TYPE_CHECKING:
    from node.operations.lifecycle import RunningNode


@command("status", help=_("Show how the node is and where its settings come from."))
def status(session: Session) -> int:
    """Show the running node, or what a start would take; exit code 3 where none runs."""
    from node.client import client_of
    from node.operations.lifecycle import running_node

    sources = session.sources()
    running = running_node(sources.folder)
    if running is None:
        settings = sources.settings().shown()
        answer = {"running": False, "folder": str(sources.folder), "settings": settings}
        session.show(
            answer, _("No node is running on {folder}.").format(folder=sources.folder), *_settings(settings)
        )
        return UNREACHABLE
    with client_of(sources.folder, running) as client:
        node = client.call("GET", "/status")
    kit_file = sources.folder / KIT_FILE
    answer = {
        "running": True,
        "folder": str(sources.folder),
        "pid": running.pid,
        "url": running.url,
        "federation": running.federation,
        "node": node,
        "kit_file": str(kit_file) if kit_file.exists() else None,
        "settings": running.settings,
    }
    session.show(
        answer, *_lines(running, node), *_behind(node), *_warnings(answer), *_settings(running.settings)
    )
    return 0


def _lines(running: "RunningNode", node: dict[str, Any]) -> list[str]:
    known = [("community", _("Community")), ("listings", _("Listings")), ("pending", _("Records that wait"))]
    known += [("awaited", _("Postings awaited")), ("void", _("Records without effect"))]
    known += [("version", _("Version"))]
    rows = [[label, str(node[name])] for name, label in known if name in node]
    rows.append([_("Reached by others"), _reached(node)])
    return [
        f"{in_words(running.name)}  {running.url}",
        _("The node reads and writes.")
        if node.get("writing") == "yes"
        else _("The node reads, but does not write: {code}").format(code=node.get("writing")),
        "",
        *table(["", ""], rows)[1:],
        "",
        *table(
            [_("Lane"), _("Community"), _("Size"), _("Folded")],
            [
                [lane["lane"], lane["community"][:8], str(lane["size"]), str(lane["folded_size"])]
                for lane in node.get("lanes", [])
            ],
        ),
        "",
    ]


def _behind(node: dict[str, Any]) -> list[str]:
    """Who lacks records of ours, and since when."""
    if not node.get("behind"):
        return []
    rows = [
        [
            in_words(known["name"]) if known.get("name") else known["community"][:8],
            str(known["unseen"]),
            moment(known["unseen_since_ms"]),
            moment(known["shown_ms"]) if known.get("shown_ms") else _("never"),
            _("yes") if known["is_connected"] else _("no"),
        ]
        for known in node["behind"]
    ]
    heads = [_("Behind"), _("Records not shown"), _("Not shown since"), _("Showed some last"), _("Connected")]
    return [*table(heads, rows), ""]


def _reached(node: dict[str, Any]) -> str:
    """Whether the node only dials out, and whether that matters."""
    if node.get("dialled_ms") is not None:
        return _("by dialling")
    if node.get("relays_keeping"):
        return _("by its own dialling out alone; sealed parts wait at its relays, nothing is amiss")
    if node.get("relays"):
        return _("by its own dialling out alone; its relays keep nothing for it yet: wildgrass relay list")
    return _("by its own dialling out alone so far; if it stays so, name a relay: wildgrass relay name")


def _warnings(answer: dict[str, Any]) -> list[str]:
    if answer["kit_file"] is None:
        return []
    text = _("The emergency kit still lies in {file}. Print it, keep it elsewhere, then delete the file.")
    return [text.format(file=answer["kit_file"]), ""]


def _settings(settings: dict[str, Any]) -> list[str]:
    origins = {
        "flag": _("flag"),
        "environment": _("environment"),
        "file": _("config.toml"),
        "pages": _("pages"),
        "default": _("default"),
    }
    rows = [[name, _text(setting["value"]), origins[setting["origin"]]] for name, setting in settings.items()]
    return table([_("Setting"), _("Value"), _("From")], rows)


def _text(value: Any) -> str:
    return ", ".join(value) if isinstance(value, list) else str(value)
