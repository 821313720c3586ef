"""How communities come to trust each other in the pages: invites, four words to compare, rules, lists of the blocked.

The link of an invite is shown once, in the answer to the form that made it. All of it is for stewards.
"""

import re
from typing import Any

from aiohttp import hdrs, web

from node.actions.block_lists import (
    BlockListQuery,
    BlockListTaken,
    BlockListText,
    export_block_list,
    import_block_list,
)
from node.actions.follow_rules import (
    RuleDraft,
    RuleName,
    RulesQuery,
    add_follow_rule,
    list_follow_rules,
    remove_follow_rule,
)
from node.actions.invites import (
    DAYS,
    DAYS_MAX,
    LABEL_CHARACTERS_MAX,
    LINK_CHARACTERS_MAX,
    InviteDraft,
    InviteName,
    InvitesQuery,
    InviteText,
    accept_invite,
    list_invites,
    make_invite,
    revoke_own_invite,
)
from node.actions.pairing import cancel_pairing, confirm_pairing, show_pairing, start_pairing
from node.actions.peers import PeerName, show_peer
from node.errors import REFUSALS, NodeError, report
from node.locale import marked as _
from node.pages.answering import GoTo, Page
from node.pages.formats import in_language
from node.pages.forms import FormRefused
from node.pages.links import draw_qr
from node.pages.site import Asked, PageRoute
from protocol.error_codes import SENTENCES
from protocol.errors import SessionError
from protocol.lanes.kind import SECTORS

_REGION_CHARACTERS_MAX = 6
_PAIRING_DEEDS = {"start": start_pairing, "confirm": confirm_pairing, "cancel": cancel_pairing}
_HASH = re.compile(r"[a-z2-7]{52}")
_COMMUNITY = f"{{community:{_HASH.pattern}}}"


async def show_invites(asked: Asked) -> Page:
    """List our invites and those that we accepted, with the forms to make and to accept one."""
    return await _invites_page(asked, {})


async def take_invite_draft(asked: Asked) -> Page:
    """Make an invite, and show its link and QR code this once."""
    form = asked.form
    try:
        label = form.text("label", characters_max=LABEL_CHARACTERS_MAX)
        days = form.number("days", low=1, high=DAYS_MAX, default=DAYS)
        form.check()
    except FormRefused as refused:
        return await _invites_page(asked, refused.faults)
    made = await make_invite(asked.node, InviteDraft(label=label, days=days))
    values = {"section": "neighbours", "made": made, "qr": draw_qr(made.link.upper()), "label": label}
    return Page("invite_made.html", values)


async def take_invite(asked: Asked) -> Page | GoTo:
    """Accept another community's invite: pasted, or as the file that has it."""
    form = asked.form
    upload = form.upload("file")
    text = upload.content.decode("utf-8", "replace")[:LINK_CHARACTERS_MAX] if upload else ""
    text = text or form.text("text", characters_max=LINK_CHARACTERS_MAX, is_required=True)
    try:
        form.check()
        await accept_invite(asked.node, InviteText(text=text))
    except FormRefused as refused:
        return await _invites_page(asked, refused.faults)
    except (NodeError, SessionError) as error:
        return await _invites_page(asked, {"text": _told(asked, error)})
    return GoTo("/neighbours/invites#accepted")


async def take_revocation(asked: Asked) -> GoTo:
    """Let an invite hold no more."""
    await revoke_own_invite(asked.node, InviteName(invite=asked.path["invite"]))
    return GoTo("/neighbours/invites")


async def show_pair(asked: Asked) -> Page:
    """Show where the pairing with one neighbour stands, and the four words."""
    name = PeerName(community=asked.path["community"])
    peer, pairing = await show_peer(asked.node, name), await show_pairing(asked.node, name)
    language = asked.visit.language
    words = sorted(pairing.words.items(), key=lambda each: each[0] != language)
    values = {
        "section": "neighbours",
        "peer": peer,
        "name": in_language(peer.name, language) if peer.name else "",
        "pairing": pairing,
        "words": words,
        "why": _sentence(asked, pairing.code) if pairing.code else "",
    }
    return Page("pairing.html", values)


async def do_pair(asked: Asked) -> GoTo:
    """Start, confirm or break off a pairing."""
    deed = _PAIRING_DEEDS.get(asked.form["deed"])
    if deed is None:
        raise NodeError("not_found", asked.form["deed"][:40])
    await deed(asked.node, PeerName(community=asked.path["community"]))
    return GoTo(f"/neighbours/{asked.path['community']}/pair")


async def show_rules(asked: Asked) -> Page:
    """List the rules, and offer the list of the blocked."""
    return await _rules_page(asked, {})


async def take_rule(asked: Asked) -> Page | GoTo:
    """Add a rule."""
    form = asked.form
    sector = form.choice("sector", ("", *SECTORS))
    region = form.text("region", characters_max=_REGION_CHARACTERS_MAX)
    effect, community = form.choice("effect", ("follow", "keep")), form["community"]
    if community and not _HASH.fullmatch(community):
        form.refuse("community", _("This is not the id of a community. Copy it from its card."))
    try:
        form.check()
        draft = RuleDraft(effect=effect, community=community or None, sector=sector, region=region)  # type: ignore[arg-type]  # chosen of the literal
        await add_follow_rule(asked.node, draft)
    except FormRefused as refused:
        return await _rules_page(asked, refused.faults)
    except NodeError as error:
        return await _rules_page(asked, {"region": _told(asked, error)})
    return GoTo("/neighbours/rules")


async def take_rule_removal(asked: Asked) -> GoTo:
    """Take a rule away."""
    await remove_follow_rule(asked.node, RuleName(rule=asked.path["rule"]))
    return GoTo("/neighbours/rules")


async def take_block_list(asked: Asked) -> Page:
    """Block those on a list, or say what that would do."""
    upload, is_dry_run = asked.form.upload("list"), asked.form["dry_run"] == "yes"
    if upload is None:
        return await _rules_page(asked, {"list": _("Choose a file.")})
    text = upload.content.decode("utf-8", "replace")
    try:
        taken = await import_block_list(asked.node, BlockListText(text=text, dry_run=is_dry_run))
    except NodeError as error:
        return await _rules_page(asked, {"list": _told(asked, error)})
    return await _rules_page(asked, {}, taken)


async def give_block_list(asked: Asked) -> web.StreamResponse:
    """Hand out the list of the blocked as a file."""
    listed = await export_block_list(asked.node, BlockListQuery())
    headers = {hdrs.CONTENT_DISPOSITION: 'attachment; filename="blocked.csv"'}
    return web.Response(text=listed.csv, content_type="text/csv", charset="utf-8", headers=headers)


async def _invites_page(asked: Asked, faults: dict[str, str]) -> Page:
    known = await list_invites(asked.node, InvitesQuery())
    values: dict[str, Any] = {
        "section": "neighbours",
        "invites": known.invites,
        "accepted": known.accepted,
        "outcomes": {each.outcome: _sentence(asked, each.outcome) for each in known.accepted},
        "faults": faults,
        "form": asked.form,
        "days": asked.form["days"] or str(DAYS),
        "label_characters_max": LABEL_CHARACTERS_MAX,
        "days_max": DAYS_MAX,
    }
    return Page("invites.html", values, 422 if faults else 200)


async def _rules_page(asked: Asked, faults: dict[str, str], taken: BlockListTaken | None = None) -> Page:
    rules = (await list_follow_rules(asked.node, RulesQuery())).rules
    blocked = (await export_block_list(asked.node, BlockListQuery())).blocked
    values: dict[str, Any] = {
        "section": "neighbours",
        "rules": rules,
        "blocked": blocked,
        "taken": taken,
        "sectors": SECTORS,
        "faults": faults,
        "form": asked.form,
    }
    return Page("follow_rules.html", values, 422 if faults or (taken and taken.errors) else 200)


def _told(asked: Asked, error: Exception) -> str:
    assert isinstance(error, REFUSALS), "only refusals are told"
    said = report(error, language=asked.visit.language)
    return f"{said.sentence} {said.next_step}"


def _sentence(asked: Asked, code: str) -> str:
    """What a code of the protocol says, in the visitor's language; nothing for a word that is no code."""
    return _told(asked, SessionError(code)) if code in SENTENCES else ""


TRUSTING_PAGES = (
    PageRoute(method="GET", path="/neighbours/invites", show=show_invites, needs="steward"),
    PageRoute(method="POST", path="/neighbours/invites", show=take_invite_draft, needs="steward"),
    PageRoute(method="POST", path="/neighbours/invites/accepted", show=take_invite, needs="steward"),
    PageRoute(
        method="POST",
        path="/neighbours/invites/{invite:[a-z2-7]{52}}/revoke",
        show=take_revocation,
        needs="steward",
    ),
    PageRoute(method="GET", path="/neighbours/rules", show=show_rules, needs="steward"),
    PageRoute(method="POST", path="/neighbours/rules", show=take_rule, needs="steward"),
    PageRoute(
        method="POST",
        path="/neighbours/rules/{rule:[0-9]{1,10}}/remove",
        show=take_rule_removal,
        needs="steward",
    ),
    PageRoute(method="POST", path="/neighbours/rules/blocked", show=take_block_list, needs="steward"),
    PageRoute(method="GET", path="/neighbours/rules/blocked.csv", show=give_block_list, needs="steward"),
    PageRoute(method="GET", path=f"/neighbours/{_COMMUNITY}/pair", show=show_pair, needs="steward"),
    PageRoute(method="POST", path=f"/neighbours/{_COMMUNITY}/pair", show=do_pair, needs="steward"),
)
