"""`wildgrass witness`: who cosigns our heads, and who has seen which lane up to where."""

from gettext import gettext as _

import click

from node.cli.options import given
from node.cli.output import table
from node.cli.session import Session, command, group


@command("adopt", help=_("Name the communities that are to cosign our heads; none: no more."))
@click.argument("community", nargs=-1)
@click.option(
    "--http",
    "http",
    nargs=2,
    multiple=True,
    metavar=_("VKEY URL"),
    help=_("Another witness (C2SP tlog-witness): its verifier key and its address. Several times."),
)
@click.option("--threshold", type=int, help=_("How many of them suffice; without it a safe number."))
def adopt(
    session: Session, community: tuple[str, ...], http: tuple[tuple[str, str], ...], threshold: int | None
) -> None:
    """Adopt."""
    others = [{"vkey": vkey, "url": url} for vkey, url in http]
    body = {"witnesses": list(community), "http_witnesses": others, **given(threshold=threshold)}
    session.show(session.ask("POST", "/witnesses", body), _("They are asked from now on."))


@command("list", help=_("List our witnesses, and up to where each has seen our lanes."))
def list_witnesses(session: Session) -> None:
    """List."""
    answer = session.ask("GET", "/witnesses")
    names = [*answer["witnesses"], *(other["name"] for other in answer["http_witnesses"])]
    rows = [
        [lane["lane"], str(lane["epoch"]), *(str(lane["seen"].get(name, 0)) for name in names)]
        for lane in answer["lanes"]
    ]
    quorum = _("{threshold} of {count} suffice; {advice} are safe against one bad witness.").format(
        threshold=answer["threshold"], count=len(names), advice=answer["advice"]
    )
    session.show(answer, quorum, *table([_("Lane"), _("Epoch"), *names], rows))


witness = group("witness", _("Name who cosigns our heads, and see who has seen what."), adopt, list_witnesses)
