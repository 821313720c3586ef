"""`wildgrass continue-alone`: sign though the neighbours were not reached."""

from gettext import gettext as _

from node.cli.session import Session, command


@command(
    "continue-alone",
    help=_("Sign without waiting for the neighbours any longer. Never do so after restoring a copy."),
)
def continue_alone(session: Session) -> None:
    """Go on."""
    answer = session.ask("POST", "/writing/alone", {})
    session.show(answer, _("The node signs again. The charter records that it went on alone."))
