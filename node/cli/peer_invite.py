"""`wildgrass peer invite` and `wildgrass peer pairing`: two ways to trust that is mutual."""

import sys
from gettext import gettext as _
from pathlib import Path

import click

from node.cli.options import given
from node.cli.output import in_words, moment, table
from node.cli.session import Session, command, group, read_file
from node.client import in_path


@command("make", help=_("Make an invite for one other community; its link is shown once."))
@click.option("--label", help=_("For whom, as a note to yourself."))
@click.option("--days", type=int, help=_("For how many days it holds, 1 to 30; without it 7."))
@click.option(
    "--file", "path", type=click.Path(dir_okay=False), help=_("Also write the link into this file.")
)
def make(session: Session, label: str | None, days: int | None, path: str | None) -> None:
    """Make."""
    answer = session.ask("POST", "/invites", given(label=label, days=days))
    if path is not None:
        with Path(path).open("x", encoding="utf-8") as file:
            file.write(answer["link"] + "\n")
    lines = [_("Send this link to the other community's steward; whoever has it can use it once:")]
    lines += ["", answer["link"], ""]
    if not answer["addresses"]:
        lines.append(
            _("This node only dials out: add the other node by its address, or wait until it is found.")
        )
    lines.append(_("It holds until {day}.").format(day=moment(answer["expires_ms"])))
    session.show(answer, *lines)
    if not session.is_json and sys.stdout.isatty():
        import segno

        segno.make(answer["link"].upper(), error="l", micro=False).terminal(compact=True, border=2)


@command("list", help=_("List our invites, and those of others that we accepted."))
def list_invites(session: Session) -> None:
    """List."""
    answer = session.ask("GET", "/invites")
    states = {"open": _("open"), "used": _("used"), "revoked": _("revoked"), "expired": _("expired")}
    ours = [
        [each["label"], states.get(each["state"], each["state"]), moment(each["expires_ms"]), each["invite"]]
        for each in answer["invites"]
    ]
    outcomes = {"waiting": _("waiting for a session"), "done": _("done")}
    theirs = [
        [
            in_words(each["name"]) if each.get("name") else "",
            outcomes.get(each["outcome"], each["outcome"]),
            moment(each["expires_ms"]),
            each["community"],
        ]
        for each in answer["accepted"]
    ]
    lines = table([_("For whom"), _("State"), _("Until"), _("Invite")], ours)
    if theirs:
        lines += ["", *table([_("Accepted from"), _("State"), _("Until"), _("Community")], theirs)]
    session.show(answer, *lines)


@command("revoke", help=_("Let an invite hold no more."))
@click.argument("invite")
def revoke(session: Session, invite: str) -> None:
    """Revoke."""
    session.show(session.ask("POST", f"/invites/{in_path(invite)}/revocation"), _("It holds no more."))


@command("accept", help=_("Accept another community's invite: its link, or - or a file that has it."))
@click.argument("link")
def accept(session: Session, link: str) -> None:
    """Accept."""
    is_file = link == "-" or (":" not in link and Path(link).is_file())
    text = read_file(link).decode("utf-8", "replace") if is_file else link
    answer = session.ask("POST", "/invites/accepted", {"text": text})
    session.show(
        answer,
        _("Accepted. When a session with {community} stands, both follow and vouch for each other.").format(
            community=answer["community"]
        ),
        _("See: wildgrass peer invite list"),
    )


def _pairing_move(name: str, method: str, path: str, help_text: str) -> click.Command:
    """One word about a pairing."""

    def move(session: Session, community: str) -> None:
        answer = session.ask(method, f"/peers/{in_path(community)}/pairing{path}")
        session.show(answer, *_pairing_lines(answer))

    return command(name, help=help_text)(click.argument("community")(move))


def _pairing_lines(answer: dict[str, object]) -> list[str]:
    steps = {
        "none": _("There is no pairing with it."),
        "started": _("Asked. The other steward has to click as well."),
        "offered": _("It asks to compare words. Start the pairing here as well."),
        "revealing": _("The words are being made; look again in a moment."),
        "comparing": _(
            "Compare these words with the other side, by voice. Confirm only where they are the same:"
        ),
        "confirmed": _("Confirmed here. The other side has yet to confirm."),
        "agreed": _("The other side says that these words are the same. Compare them, then confirm:"),
        "trusted": _("Paired: both follow and vouch for each other."),
        "ended": _("The pairing is over: {code}.").format(code=answer.get("code", "")),
    }
    words = answer["words"]
    assert isinstance(words, dict), "words by language"
    return [
        steps.get(str(answer["step"]), str(answer["step"])),
        *("  " + "  ".join(each) for each in words.values()),
    ]


invite = group("invite", _("Make, list, revoke and accept invites."), make, list_invites, revoke, accept)
pairing = group(
    "pairing",
    _("Compare four words with a neighbour, then trust each other."),
    _pairing_move(
        "start", "POST", "", _("Ask a connected neighbour to compare words, or take up its offer.")
    ),
    _pairing_move("show", "GET", "", _("Show where the pairing stands, and the words.")),
    _pairing_move("confirm", "POST", "/confirmation", _("Say that both see the same words.")),
    _pairing_move("cancel", "POST", "/cancellation", _("Break off: the words differ.")),
)
