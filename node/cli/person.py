"""`wildgrass person`: who may log in to the pages; whoever sits at the machine can always make a link."""

from gettext import gettext as _
from typing import Any

import click

from node.cli.options import given
from node.cli.output import moment, table
from node.cli.session import Session, command, group
from node.client import in_path
from node.errors import NodeError

ROLES = ("member", "shopkeeper", "steward")


@command("admit", help=_("Let a person log in from now on; give them a link next."))
@click.argument("name")
@click.option(
    "--role", type=click.Choice(ROLES), default="member", help=_("What the person may do in the pages.")
)
def admit(session: Session, name: str, role: str) -> None:
    """Admit."""
    answer = session.ask("POST", "/people", {"name": name, "role": role})
    session.show(answer, _("Admitted. Person: {id}").format(id=answer["person_id"]))


@command("list", help=_("List who may log in, and who may not any more."))
def list_people(session: Session) -> None:
    """List."""
    answer = session.ask("GET", "/people")
    rows = [
        [known["name"], _role(known["role"]), _state(known), known["person_id"]] for known in answer["people"]
    ]
    session.show(answer, *table([_("Name"), _("Role"), _("State"), _("Person")], rows))


@command("link", help=_("Make a link that logs a person in, once; PERSON is a name or an id."))
@click.argument("person")
@click.option("--hours", type=int, help=_("How long the link waits to be used: 24 hours, at most 168."))
def link(session: Session, person: str, hours: int | None) -> None:
    """Link."""
    from node.operations.lifecycle import running_node

    person_id = _find(session, person)
    answer = session.ask("POST", f"/people/{in_path(person_id)}/login-link", given(hours=hours))
    running = running_node(session.sources().folder)
    if running is None:
        raise NodeError("node_not_running")
    answer["url"] = running.url + answer["path"]
    until = _("Valid once, until {time}. It is not shown again.").format(time=moment(answer["expires_ms"]))
    session.show(answer, _("Log in once:  {link}").format(link=answer["url"]), until)


@command("role", help=_("Give a person another role; PERSON is a name or an id."))
@click.argument("person")
@click.argument("role", type=click.Choice(ROLES))
def change_role(session: Session, person: str, role: str) -> None:
    """Give a role."""
    answer = session.ask("POST", f"/people/{in_path(_find(session, person))}/role", {"role": role})
    session.show(answer, _("{name}: {role}").format(name=answer["name"], role=_role(answer["role"])))


@command("dismiss", help=_("Let a person in no more, and end their sessions; PERSON is a name or an id."))
@click.argument("person")
def dismiss(session: Session, person: str) -> None:
    """Dismiss."""
    answer = session.ask("POST", f"/people/{in_path(_find(session, person))}/dismissal")
    session.show(answer, _("Dismissed: {name}").format(name=answer["name"]))


def _find(session: Session, person: str) -> str:
    """The id of a person by id or name; dismissed ones are found by their id alone."""
    people = session.ask("GET", "/people")["people"]
    wanted = " ".join(person.casefold().split())
    for known in people:
        if known["person_id"] == person or (
            known["name"].casefold() == wanted and not known.get("dismissed_ms")
        ):
            return str(known["person_id"])
    raise NodeError("not_found", person[:60])


def _role(role: str) -> str:
    return {"steward": _("Steward"), "shopkeeper": _("Shopkeeper"), "member": _("Member")}[role]


def _state(known: dict[str, Any]) -> str:
    if known.get("dismissed_ms"):
        return _("dismissed {time}").format(time=moment(known["dismissed_ms"]))
    return _("has a password") if known["has_password"] else _("by link only")


person = group(
    "person",
    _("Admit, dismiss and list the people who log in; make login links."),
    *(admit, list_people, link, change_role, dismiss),
)
