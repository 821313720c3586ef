"""`wildgrass init`: found a community and show its emergency kit, once."""

from gettext import gettext as _
from typing import Any

from node.cli.founding import found, founding_options, is_person_there, show_kit
from node.cli.session import Session, command


@command("init", help=_("Found a community in the folder. Run twice, it changes nothing and says so."))
@founding_options
def init(session: Session, **options: Any) -> None:
    """Found, or say what is there."""
    from node.operations.lifecycle import claim_folder
    from node.vault.vault import has_vault, open_vault

    folder = session.sources().folder
    if has_vault(folder):
        community = open_vault(folder).community_text
        known = {
            "community": community,
            "folder": str(folder),
            "founded": False,
            "kit_file": None,
            "words": None,
        }
        session.show(
            known, _("The folder {folder} holds a community already.").format(folder=folder), community
        )
        return
    with claim_folder(folder):
        founded = found(folder, options, may_ask=is_person_there() and not session.is_json, must_file=False)
    if not session.is_json:
        show_kit(founded)
    session.show(
        founded.as_json(), _("Founded in {folder}. Start it with: wildgrass up").format(folder=folder)
    )
