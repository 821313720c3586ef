"""`wildgrass peer`: other communities, and how we stand with them."""

from gettext import gettext as _

import click

from node.cli.options import given
from node.cli.output import in_words, table
from node.cli.peer_invite import invite, pairing
from node.cli.peer_rule import blocks, rule
from node.cli.session import Session, command, group
from node.client import in_path


@command("add", help=_("Dial another node from now on: host:port."))
@click.argument("address")
@click.option("--community", help=_("Accept only this community there."))
def add(session: Session, address: str, community: str | None) -> None:
    """Add."""
    answer = session.ask("POST", "/peers", given(address=address, community=community))
    session.show(
        answer, _("{address} is dialled from now on. See: wildgrass peer list").format(address=address)
    )


def _peer_move(name: str, path: str, help_text: str, done: str) -> click.Command:
    """One word about a community."""

    def move(session: Session, community: str) -> None:
        session.show(session.ask("POST", f"/peers/{in_path(community)}/{path}"), done)

    return command(name, help=help_text)(click.argument("community")(move))


follow = _peer_move(
    "follow", "following", _("Keep a copy of what a community lets us read."), _("Followed from now on.")
)
unfollow = _peer_move(
    "unfollow", "unfollowing", _("Fetch nothing new of a community."), _("Followed no longer.")
)
block = _peer_move(
    "block", "block", _("Neither talk to a community nor fetch anything of it."), _("Blocked.")
)
vouch = _peer_move(
    "vouch",
    "vouch",
    _("Let a community read our trade and ledger."),
    _("Vouched for."),
)
dismiss = _peer_move("dismiss", "dismissal", _("Let it read them no longer."), _("Dismissed."))


@command("list", help=_("List all communities that this node knows."))
def list_peers(session: Session) -> None:
    """List."""
    answer = session.ask("GET", "/peers")
    trusts = {"followed": _("followed"), "found": _("found"), "blocked": _("blocked")}
    rows = [
        [
            in_words(known["name"]) if known.get("name") else "",
            trusts.get(known["trust"], known["trust"]),
            _("connected") if known["is_connected"] else "",
            _vouching(we=known["is_vouched"], they=known["vouches_for_us"]),
            known["community"],
        ]
        for known in answer["peers"]
    ]
    session.show(answer, *table([_("Name"), _("Trust"), _("Session"), _("Vouched"), _("Community")], rows))


def _vouching(*, we: bool, they: bool) -> str:
    if we and they:
        return _("both ways")
    return _("by us") if we else _("by them") if they else ""


peer = group(
    "peer",
    _("Add, follow, vouch for and dismiss other communities."),
    add,
    list_peers,
    follow,
    unfollow,
    block,
    vouch,
    dismiss,
    invite,
    pairing,
    rule,
    blocks,
)
