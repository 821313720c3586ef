"""`wildgrass member`: who belongs to the community, by pseudonymous ids."""

from gettext import gettext as _

import click

from node.cli.options import given
from node.cli.output import table
from node.cli.session import Session, command, group
from node.client import in_path

ROLES = ("member", "shopkeeper", "steward")


@command("admit", help=_("Admit a member, or give a known one other roles or another key."))
@click.option(
    "--role",
    "roles",
    multiple=True,
    type=click.Choice(ROLES),
    default=["member"],
    help=_("What the member may do."),
)
@click.option("--key", help=_("The member's own public key."))
@click.option("--member", "member_id", help=_("The id of a member who is admitted already."))
def admit(session: Session, roles: tuple[str, ...], key: str | None, member_id: str | None) -> None:
    """Admit."""
    answer = session.ask("POST", "/members", given(roles=list(roles), key=key, member_id=member_id))
    session.show(answer, _("Admitted. Member: {id}").format(id=answer["member_id"]))


@command("release", help=_("Let a member go."))
@click.argument("member_id")
def release(session: Session, member_id: str) -> None:
    """Release."""
    answer = session.ask("POST", f"/members/{in_path(member_id)}/departure")
    session.show(answer, _("Released."))


@command("list", help=_("List the members."))
def list_members(session: Session) -> None:
    """List."""
    answer = session.ask("GET", "/members")
    rows = [
        [known["member_id"], ", ".join(known["roles"]), _("own key") if known["has_key"] else ""]
        for known in answer["members"]
    ]
    session.show(answer, *table([_("Member"), _("Roles"), _("Key")], rows))


member = group("member", _("Admit, release and list members."), admit, release, list_members)
