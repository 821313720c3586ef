"""`wildgrass peer`: other communities, and how we stand with them."""

from collections.abc import Sequence
from gettext import gettext as _
from typing import Any

import click

from node.cli.options import given
from node.cli.output import in_words, moment, table
from node.cli.peer_invite import invite, pairing
from node.cli.peer_rule import blocks, rule
from node.cli.session import Session, command, group
from node.client import in_path

TRUSTS = {"followed": _("followed"), "found": _("found"), "blocked": _("blocked")}
FOUND = {
    "added": _("added by a steward"),
    "bootstrap": _("on the bootstrap list"),
    "came": _("it came by itself"),
    "invited": _("by an invite"),
    "nearby": _("on the local network"),
    "told": _("told by"),
}
REACHES = {
    "connected": _("connected"),
    "dials_out": _("it only dials out"),
    "unreached": _("it does not answer"),
    "untried": _("not tried yet"),
}


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


@command("quota", help=_("Keep more or less of a community's lanes: so many bytes of all, and of each."))
@click.argument("community")
@click.argument("bytes_max", type=click.IntRange(min=0), required=False)
def quota(session: Session, community: str, bytes_max: int | None) -> None:
    """Without a number what the settings say holds again."""
    answer = session.ask("PUT", f"/peers/{in_path(community)}/quota", given(bytes_max=bytes_max))
    session.show(
        answer,
        _("{used} of {quota} bytes are used. What was paused goes on where there is room now.").format(
            used=answer["kept_bytes"], quota=answer["quota_bytes"]
        ),
    )


@command("list", help=_("List all communities that this node knows."))
def list_peers(session: Session) -> None:
    """List."""
    answer = session.ask("GET", "/peers")
    rows = [
        [
            in_words(known["name"]) if known.get("name") else "",
            TRUSTS.get(known["trust"], known["trust"]),
            _("connected") if known["is_connected"] else "",
            _vouching(we=known["is_vouched"], they=known["vouches_for_us"]),
            FOUND.get(known.get("sight", {}).get("found", ""), ""),
            known["community"],
        ]
        for known in answer["peers"]
    ]
    session.show(
        answer,
        *table(
            [_("Name"), _("Trust"), _("Session"), _("Vouched"), _("How it was found"), _("Community")], rows
        ),
        *_paused(answer["peers"]),
    )


@command("show", help=_("Show one community: how it was found, where it is, who vouches for it."))
@click.argument("community")
def show(session: Session, community: str) -> None:
    """Show."""
    known = session.ask("GET", f"/peers/{in_path(community)}")
    sight = known.get("sight", {})
    lines = [
        (_("Name"), in_words(known["name"]) if known.get("name") else ""),
        (_("Trust"), TRUSTS.get(known["trust"], known["trust"])),
        (_("Vouched"), _vouching(we=known["is_vouched"], they=known["vouches_for_us"])),
        (
            _("How it was found"),
            f"{FOUND.get(sight.get('found', ''), '')} {_name_or_id(sight, 'told_by')}".strip(),
        ),
        (_("Known since"), moment(sight["found_ms"]) if sight.get("found_ms") else ""),
        (_("Reached"), REACHES.get(sight.get("reach", ""), "")),
        (_("Region"), sight.get("region", "")),
        (_("Sectors"), ", ".join(sight.get("sectors", []))),
        (_("Records stored here"), str(known.get("records", 0))),
        (_("Behind"), _behind(known)),
        (_("Records it says it has"), str(sight.get("says_records", ""))),
        (
            _("Vouched for by"),
            ", ".join(_name_or_id(each, "community", "name") for each in sight.get("vouched_by", [])),
        ),
        (_("Addresses"), ", ".join(known["addresses"])),
        (_("Community"), known["community"]),
    ]
    width = max(len(label) for label, _value in lines)
    session.show(known, *(f"{label:<{width}}  {value}" for label, value in lines if value))


def _name_or_id(answer: dict[str, Any], field: str, name_field: str = "") -> str:
    name = answer.get(name_field or f"{field}_name")
    return in_words(name) if name else str(answer.get(field, ""))


def _behind(known: dict[str, Any]) -> str:
    """What it has not shown to hold of ours, and what we lack of its own, and since when."""
    gaps = []
    if known.get("unseen"):
        since = moment(known["unseen_since_ms"])
        gaps.append(_("{count} of ours not shown since {moment}").format(count=known["unseen"], moment=since))
        shown = moment(known["shown_ms"]) if known.get("shown_ms") else _("never")
        gaps.append(_("showed some last: {moment}").format(moment=shown))
    if known.get("lacking"):
        since = moment(known["lacking_since_ms"])
        gaps.append(_("we lack {count} since {moment}").format(count=known["lacking"], moment=since))
    return ", ".join(gaps)


def _paused(peers: Sequence[dict[str, Any]]) -> list[str]:
    text = _("{lane} of {community} is paused at {size} of {offered} records: its quota is used up.")
    more = _("To keep more of it: wildgrass peer quota {community} BYTES")
    return [
        line
        for known in peers
        for lane in known["paused"]
        for line in (
            text.format(
                lane=lane["lane"],
                community=in_words(known["name"]) if known.get("name") else known["community"],
                size=lane["size"],
                offered=lane["offered_size"],
            ),
            more.format(community=known["community"]),
        )
    ]


def _vouching(*, we: bool, they: bool) -> str:
    if we and they:
        return _("both ways")
    return _("by us") if we else _("by them") if they else ""


peer = group(
    "peer",
    _("Add, follow, vouch for and dismiss other communities."),
    add,
    list_peers,
    show,
    follow,
    unfollow,
    block,
    vouch,
    dismiss,
    invite,
    pairing,
    rule,
    blocks,
    quota,
)
