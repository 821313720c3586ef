"""`wildgrass relay`: who keeps sealed parts for us, and for whom this node does."""

from gettext import gettext as _
from typing import Any

import click

from node.cli.output import in_words, table
from node.cli.session import Session, command, group
from node.client import in_path


@command("name", help=_("Say where sealed parts for us may be left: communities, the preferred one first."))
@click.argument("communities", nargs=-1)
def name(session: Session, communities: tuple[str, ...]) -> None:
    """Name."""
    answer = session.ask("POST", "/relays", {"relays": list(communities)})
    done = _("Named. See: wildgrass relay list") if communities else _("No relay is named any more.")
    session.show(answer, done)


@command("list", help=_("Show our relays, and for whom this node is one."))
def list_relays(session: Session) -> None:
    """List."""
    answer = session.ask("GET", "/relays")
    session.show(answer, *_relay_lines(answer["relays"]), "", *_recipient_lines(answer))


@command("admit", help=_("Be a relay for a community, whether we follow it or not."))
@click.argument("community")
def admit(session: Session, community: str) -> None:
    """Admit."""
    answer = session.ask("POST", f"/relays/{in_path(community)}/admission")
    session.show(answer, _("This node keeps sealed parts for it once its node asks."))


@command("dismiss", help=_("Be a relay for it no longer, unless we are one for all whom we follow."))
@click.argument("community")
def dismiss(session: Session, community: str) -> None:
    """Dismiss."""
    answer = session.ask("POST", f"/relays/{in_path(community)}/dismissal")
    session.show(answer, _("It is not named any more."))


def _relay_lines(relays: list[dict[str, Any]]) -> list[str]:
    if not relays:
        return [_("We have named no relay. Name one with: wildgrass relay name COMMUNITY")]
    rows = [
        [
            _name(known),
            _("connected") if known["is_connected"] else "",
            _keeps(known),
            str(known["waiting"]),
            known["community"],
        ]
        for known in relays
    ]
    return table([_("Our relay"), _("Session"), _("Keeps"), _("Waiting"), _("Community")], rows)


def _keeps(known: dict[str, Any]) -> str:
    if known["keeps"] == "yes":
        return _("{objects} parts, {days} days").format(objects=known["objects_max"], days=known["days"])
    return _("not asked yet") if known["keeps"] == "unasked" else str(known["keeps"])


def _recipient_lines(answer: dict[str, Any]) -> list[str]:
    rules = {
        "followed": _("This node keeps sealed parts for communities that it follows, and for those named."),
        "named": _("This node keeps sealed parts for the communities named here alone."),
        "off": _("This node keeps sealed parts for nobody."),
    }
    rows = [
        [
            _name(known),
            _("named") if known["is_named"] else "" if known["is_admitted"] else _("not any more"),
            str(known["objects"]),
            str(known["ciphertext_bytes"]),
            known["community"],
        ]
        for known in answer["recipients"]
    ]
    heads = [_("We are a relay for"), _("Admitted"), _("Parts"), _("Bytes"), _("Community")]
    return [rules[answer["relay_for"]], *(["", *table(heads, rows)] if rows else [])]


def _name(known: dict[str, Any]) -> str:
    return in_words(known["name"]) if known.get("name") else ""


relay = group(
    "relay",
    _("Name relays for sealed parts, and say for whom this node is one."),
    name,
    list_relays,
    admit,
    dismiss,
)
