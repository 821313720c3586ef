"""`wildgrass auditor`: who may read what is not public."""

from gettext import gettext as _

import click

from node.cli.options import given
from node.cli.output import moment, table
from node.cli.session import Session, command, group


@command("admit", help=_("Admit an auditor; the token is shown once."))
@click.argument("label")
@click.option("--lane", "lanes", multiple=True, help=_("Only these lanes, such as trade and ledger."))
@click.option("--days", type=int, help=_("For how long."))
def admit(session: Session, label: str, lanes: tuple[str, ...], days: int | None) -> None:
    """Admit."""
    answer = session.ask("POST", "/auditors", given(label=label, lanes=list(lanes), days=days))
    until = _("Valid until {time}. It is not shown again.").format(time=moment(answer["expires_ms"]))
    session.show(answer, _("Token: {token}").format(token=answer["token"]), until)


@command("revoke", help=_("Close every open token of an auditor."))
@click.argument("label")
def revoke(session: Session, label: str) -> None:
    """Revoke."""
    answer = session.ask("POST", "/auditors/revocation", {"label": label})
    session.show(answer, _("Closed tokens: {count}").format(count=answer["revoked"]))


@command("list", help=_("List all admissions."))
def list_auditors(session: Session) -> None:
    """List."""
    answer = session.ask("GET", "/auditors")
    rows = [
        [
            known["label"],
            _("revoked")
            if known.get("revoked_ms")
            else _("until {time}").format(time=moment(known["expires_ms"])),
            ", ".join(known["lanes"]),
        ]
        for known in answer["auditors"]
    ]
    session.show(answer, *table([_("Auditor"), _("State"), _("Lanes")], rows))


auditor = group("auditor", _("Admit and revoke auditors."), admit, revoke, list_auditors)
