"""The first run after the founding: kit, first shop, neighbours, ready. One step a page; each can wait.

Who founded the community in this process is let in by the printed link or by the browser that sent the form;
later a steward comes by logging in, and goes on where the last one stopped.
"""

import secrets
from collections.abc import Awaitable, Callable, Mapping

from node.actions.first_run import (
    FirstRunQuery,
    KitProof,
    KitQuery,
    NumberedWord,
    PassedStep,
    Step,
    confirm_kit,
    pass_step,
    show_first_run,
    show_kit,
)
from node.actions.peers import (
    PeerAddress,
    PeerName,
    PeersAnswer,
    PeersQuery,
    add_peer,
    follow_peer,
    list_peers,
    vouch_peer,
)
from node.actions.people import FirstLinkDraft, first_login_link
from node.actions.policies import DEFAULT_POLICY, PoliciesQuery, list_policies
from node.actions.sample_shop import SampleShopDraft, publish_sample_shop
from node.actions.sessions import LinkVisit, redeem_login_link
from node.actions.shapes import is_id, new_id
from node.actions.shops import ShopDraft, ShopsQuery, list_shops, publish_shop
from node.errors import NodeError
from node.locale import marked as _
from node.pages.accounts import session_cookie, user_agent
from node.pages.answering import GoTo, Page
from node.pages.forms import Form, FormRefused, first_field
from node.pages.founding import FOUNDER_COOKIE, FOUNDER_SECONDS, Founder
from node.pages.neighbours import do_once
from node.pages.site import Asked, PageRoute
from protocol.identity.keys import to_base32
from protocol.lanes.kind import SECTORS
from protocol.limits import TITLE_CHARACTERS_MAX

PICKUP_CHARACTERS_MAX = 2_000

_WORDS_ASKED = 2
_WORD_CHARACTERS_MAX = 40
_NEXT: dict[Step, str] = {
    "kit": "/welcome/shop",
    "shop": "/welcome/neighbours",
    "neighbours": "/welcome/ready",
    "ready": "/",
}


def welcome_pages(founder: Founder | None) -> tuple[PageRoute, ...]:
    """Return the pages; `founder` is who founded the community in this process, if it was founded here."""

    async def begin(asked: Asked) -> GoTo:
        """Go to the step that comes next; the browser that founded is logged in first."""
        if not asked.visit.may("steward"):
            if founder is None or not founder.has_mark(asked.http.cookies.get(FOUNDER_COOKIE, "")):
                return GoTo("/login?back=/welcome")
            return await _log_founder_in(asked)
        step = (await show_first_run(asked.node, FirstRunQuery())).step
        return GoTo(f"/welcome/{step}" if step in _NEXT else "/")

    async def show_link(asked: Asked) -> Page:
        """Whoever has the printed link goes on in another browser; a preview of the link opens nothing."""
        _check_link(founder, asked)
        return _page("welcome_link.html", "kit", {"has_steps": False})

    async def redeem_link(asked: Asked) -> GoTo:
        _check_link(founder, asked)
        return await _log_founder_in(asked)

    async def found_twice(asked: Asked) -> GoTo:
        """The form of the founding was sent twice, or looked at again: the community exists, go on with it."""
        _check_link(founder, asked)
        assert founder is not None
        return GoTo("/welcome", ((FOUNDER_COOKIE, founder.browser_mark, FOUNDER_SECONDS),))

    async def finish(asked: Asked) -> GoTo:
        """The first run is over, and its link leads nowhere any more."""
        if founder is not None:
            founder.is_over = True
        await pass_step(asked.node, PassedStep(step="ready"))
        return GoTo("/desk" if asked.form["to"] == "desk" else "/")

    link = "/welcome/{token:[a-z2-7]{52}}"
    return (
        PageRoute(method="GET", path="/welcome", show=begin),
        PageRoute(method="GET", path=link, show=show_link),
        PageRoute(method="POST", path=link, show=redeem_link),
        PageRoute(method="GET", path=link + "/community", show=found_twice),
        PageRoute(method="POST", path=link + "/community", show=found_twice, is_secret_address=True),
        PageRoute(method="GET", path=link + "/recovery", show=found_twice),
        PageRoute(method="POST", path=link + "/recovery", show=found_twice, is_secret_address=True),
        PageRoute(method="POST", path="/welcome/ready", show=finish, needs="steward"),
        *_STEP_PAGES,
    )


def _check_link(founder: Founder | None, asked: Asked) -> None:
    if founder is None or not founder.has_link(asked.path["token"]):
        raise NodeError("link_unknown")


async def _log_founder_in(asked: Asked) -> GoTo:
    link = await first_login_link(asked.node, FirstLinkDraft(language=asked.visit.language))
    opened = await redeem_login_link(asked.node, LinkVisit(token=link.token, user_agent=user_agent(asked)))
    return GoTo("/welcome", (session_cookie(opened.token),))


def _page(template: str, step: Step, values: Mapping[str, object], *, is_refused: bool = False) -> Page:
    return Page(
        template,
        {"step": step, "language_base": "/language/", "faults": {}, **values},
        422 if is_refused else 200,
    )


async def show_kit_page(asked: Asked) -> Page:
    """Show the words to print, and ask for two of them; or say honestly that they are gone."""
    kit = await show_kit(asked.node, KitQuery())
    numbers = (
        sorted(secrets.SystemRandom().sample(range(1, len(kit.words) + 1), _WORDS_ASKED)) if kit.words else []
    )
    return _page("welcome_kit.html", "kit", {"kit": kit, "numbers": numbers, "form": asked.form})


async def take_kit_words(asked: Asked) -> Page | GoTo:
    """Compare the two words; then the node keeps the kit no more."""
    form = asked.form
    numbers = [form.number(name, low=1, high=24) for name in ("number_1", "number_2")]
    texts = [
        form.text(name, characters_max=_WORD_CHARACTERS_MAX, is_required=True)
        for name in ("word_1", "word_2")
    ]
    if numbers[0] == numbers[1]:
        form.refuse("word_2", _("Two different words are wanted. Open this page again."))
    try:
        form.check()
        words = [NumberedWord(number=number, word=text) for number, text in zip(numbers, texts, strict=True)]
        checked = await confirm_kit(asked.node, KitProof(words=words))
        for place, number in enumerate(numbers, start=1):
            if number in checked.wrong:
                form.refuse(
                    f"word_{place}", _("That is another word. Look at the number beside it on the paper.")
                )
        form.check()
    except FormRefused as refused:
        kit = await show_kit(asked.node, KitQuery())
        values = {"kit": kit, "numbers": numbers, "form": form, "faults": refused.faults}
        return _page("welcome_kit.html", "kit", values, is_refused=True)
    await pass_step(asked.node, PassedStep(step="kit"))
    return GoTo("/welcome/shop")


async def show_shop_page(asked: Asked) -> Page:
    """Ask for the first shop, or offer the sample."""
    return await _shop_page(asked, asked.form, {})


async def take_shop(asked: Asked) -> Page | GoTo:
    """Publish the shop; the same form sent twice is one shop."""
    form, language = asked.form, asked.visit.language
    name = form.words("name", characters_max=TITLE_CHARACTERS_MAX)
    if not name:
        form.refuse(first_field("name", language), _("Give the shop a name."))
    sector = form.choice("sector", SECTORS)
    pickup = form.text("pickup", characters_max=PICKUP_CHARACTERS_MAX)
    shop_id = form["shop_id"]
    if not is_id(shop_id):
        form.refuse("shop_id", _("Something of this form was lost on the way. Send it once more."))
    try:
        form.check()
    except FormRefused as refused:
        return await _shop_page(asked, form, refused.faults)
    known = {shop.shop_id for shop in (await list_shops(asked.node, ShopsQuery())).shops}
    if shop_id not in known:
        draft = ShopDraft(
            sector=sector,
            name=name,
            pickup={language: pickup} if pickup else None,
            shop_id=shop_id,
        )
        await publish_shop(asked.node, draft)
    await pass_step(asked.node, PassedStep(step="shop"))
    return GoTo("/welcome/neighbours")


async def take_sample(asked: Asked) -> GoTo:
    """Publish the sample shop."""
    await publish_sample_shop(asked.node, SampleShopDraft())
    await pass_step(asked.node, PassedStep(step="shop"))
    return GoTo("/welcome/neighbours")


async def _shop_page(asked: Asked, form: Form, faults: dict[str, str]) -> Page:
    values = {
        "form": form,
        "faults": faults,
        "shop_id": form["shop_id"] if is_id(form["shop_id"]) else to_base32(new_id(asked.node.clock.now())),
        "sectors": SECTORS,
        "shops": (await list_shops(asked.node, ShopsQuery())).shops,
        "characters_max": TITLE_CHARACTERS_MAX,
        "pickup_characters_max": PICKUP_CHARACTERS_MAX,
    }
    return _page("welcome_shop.html", "shop", values, is_refused=bool(faults))


async def show_neighbours_page(asked: Asked) -> Page:
    """Show who was found on the network, with what one can do about it."""
    known = await list_peers(asked.node, PeersQuery())
    values = {
        "cards": _cards(known),
        "mdns_failure": known.mdns_failure,
        "is_looking": known.looks_around,
    }
    return _page("welcome_neighbours.html", "neighbours", values)


async def take_neighbour(asked: Asked) -> GoTo:
    """Follow a neighbour, and vouch for it where that was the button."""
    known = await list_peers(asked.node, PeersQuery())
    community = asked.form["community"]
    if any(peer.community == community for peer in known.peers):
        await follow_peer(asked.node, PeerName(community=community))
    else:
        address = next((found.address for found in known.neighbours if found.community == community), None)
        if address is None:
            raise NodeError("community_unknown")
        await add_peer(asked.node, PeerAddress(address=address, community=community))
    if asked.form["how"] == "vouch":
        await do_once(vouch_peer, asked.node, PeerName(community=community))
    return GoTo("/welcome/neighbours")


def _cards(known: PeersAnswer) -> list[dict[str, object]]:
    """One card a community: those that were met, then those that only said they are there."""
    met = {peer.community for peer in known.peers}
    cards: list[dict[str, object]] = [
        {
            "community": peer.community,
            "name": peer.name,
            "address": next(iter(peer.addresses), ""),
            "is_connected": peer.is_connected,
            "is_followed": peer.trust == "followed",
            "is_vouched": peer.is_vouched,
        }
        for peer in known.peers
        if peer.trust != "blocked"
    ]
    for found in known.neighbours:
        if found.community not in met:
            card = {"community": found.community, "name": None, "address": found.address}
            cards.append({**card, "is_connected": False, "is_followed": False, "is_vouched": False})
    return cards


async def show_ready_page(asked: Asked) -> Page:
    """Say that the node is ready, and what was left for later."""
    policies = (await list_policies(asked.node, PoliciesQuery())).policies
    is_default = any(known.is_in_force and known.policy == DEFAULT_POLICY for known in policies)
    values = {
        "has_kit": bool((await show_kit(asked.node, KitQuery())).words),
        "has_shop": bool((await list_shops(asked.node, ShopsQuery())).shops),
        "policy": DEFAULT_POLICY if is_default else None,
    }
    return _page("welcome_ready.html", "ready", values)


def _passing(step: Step) -> Callable[[Asked], Awaitable[GoTo]]:
    async def go_on(asked: Asked) -> GoTo:
        """Leave a step for later."""
        await pass_step(asked.node, PassedStep(step=step))
        return GoTo(_NEXT[step])

    return go_on


_STEP_PAGES = (
    PageRoute(method="GET", path="/welcome/kit", show=show_kit_page, needs="steward"),
    PageRoute(method="POST", path="/welcome/kit", show=take_kit_words, needs="steward"),
    PageRoute(method="POST", path="/welcome/kit/later", show=_passing("kit"), needs="steward"),
    PageRoute(method="GET", path="/welcome/shop", show=show_shop_page, needs="steward"),
    PageRoute(method="POST", path="/welcome/shop", show=take_shop, needs="steward"),
    PageRoute(method="POST", path="/welcome/shop/sample", show=take_sample, needs="steward"),
    PageRoute(method="POST", path="/welcome/shop/later", show=_passing("shop"), needs="steward"),
    PageRoute(method="GET", path="/welcome/neighbours", show=show_neighbours_page, needs="steward"),
    PageRoute(method="POST", path="/welcome/neighbours", show=take_neighbour, needs="steward"),
    PageRoute(method="POST", path="/welcome/neighbours/later", show=_passing("neighbours"), needs="steward"),
    PageRoute(method="GET", path="/welcome/ready", show=show_ready_page, needs="steward"),
)
