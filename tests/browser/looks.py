"""The table of pages that are looked at: who sees it, where, and what is done there first."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from urllib.parse import urlsplit

from tests.browser.chromium import Page
from tests.browser.whole_site import WholeSite

Steps = Callable[[Page], Awaitable[None]]

# Addresses of the route table that show no page of their own.
NO_PAGES = {
    "/static/{mark}/{name}": "what pages load",
    "/photos/{sha256}": "what pages load",
    "/live": "a stream",
    "/neighbours/rules/blocked.csv": "a file",
    "/language/{language}": "leads back",
    "/welcome": "leads to the next step",
    "/welcome/{token}/community": "leads on: the community exists",
    "/welcome/{token}/recovery": "leads on: the community exists",
}


@dataclass(frozen=True, slots=True)
class Look:
    """One page."""

    name: str
    who: str
    path: Callable[[WholeSite], str]
    then: Steps | None = None

    def url(self, site: WholeSite) -> str:
        """Where it is."""
        path = self.path(site)
        return path if urlsplit(path).scheme else site.url.rstrip("/") + path


def _at(path: str) -> Callable[[WholeSite], str]:
    return lambda _site: path


def _sending(button: str, **typed: str) -> Steps:
    """Fill in fields by their ids, and press a button."""

    async def send(page: Page) -> None:
        await page.say("document.querySelectorAll('details').forEach(one => { one.open = true })")
        for field, words in typed.items():
            await page.type(f"#{field}", words)
        await page.click(button)

    return send


async def _order_with_mistakes(page: Page) -> None:
    await page.tick("[name=consent]")
    await _sending("form[action$='/order'] button", quantity="much", name="Li Lei", contact="138")(page)


async def _save_what_changed_meanwhile(page: Page) -> None:
    await page.say("document.querySelector('[name=seen_published_ms]').value = '1'")
    await _sending("form[enctype] button", title_en="Kitten food, a kilo", price="49.90")(page)


async def _send_a_foreign_form(page: Page) -> None:
    await page.say("document.querySelector('[name=form_key]').value = 'x'")
    await _sending("main form button", name="Tom", password="one two three")(page)


def _orders() -> tuple[Look, ...]:
    states = (
        *("placed", "rejected", "accepted", "wished", "refused wish", "cancelled"),
        *("fulfilled", "completed", "refunded", "received"),
    )
    looks = []
    for state in states:
        name = state.replace(" ", "-")
        looks.append(Look(f"order-{name}", "", lambda site, state=state: site.order_link(state)))
        looks.append(Look(f"sale-{name}", "shopkeeper", lambda site, state=state: site.orders[state]))
    return tuple(looks)


LOOKS = (
    Look("search", "", _at("/")),
    Look("search-found", "", _at("/?words=kitten&page=1")),
    Look("search-page-2", "member", _at("/?words=%E5%B9%BC%E7%8C%AB%E7%B2%AE&page=2&sector=pets")),
    Look("search-nothing", "", _at("/?words=zeppelin")),
    Look("search-limited", "", _at("/?words=rather")),
    Look("sector-unknown", "", _at("/?words=rice&sector=gold")),
    Look("listing", "", lambda site: site.listing("photo")),
    Look("listing-limited", "", lambda site: site.listing("limited")),
    Look("listing-sold-out", "", lambda site: site.listing("sold out")),
    Look("listing-withdrawn", "", lambda site: site.listing("withdrawn")),
    Look("listing-refused", "", lambda site: site.listing("photo"), _order_with_mistakes),
    *_orders(),
    Look("my-orders", "member", _at("/orders")),
    Look("my-orders-none", "shopkeeper", _at("/orders")),
    Look("login", "", _at("/login")),
    Look("login-refused", "", _at("/login"), _sending("main form button", name="Tom", password="wrong one")),
    Look("login-foreign", "", _at("/login"), _send_a_foreign_form),
    Look("login-link", "", lambda site: site.links["login"]),
    Look("login-link-unknown", "", _at("/login/" + "b" * 52)),
    Look("account", "member", _at("/account")),
    Look("account-steward", "steward", _at("/account")),
    Look(
        "account-refused",
        "member",
        _at("/account"),
        _sending("form[action='/account/password'] button", password="one two three", again="other"),
    ),
    Look("people", "steward", _at("/people")),
    Look("people-refused", "steward", _at("/people"), _sending("form[action='/people'] button", name="Tom")),
    Look("person-link", "steward", _at("/people"), _sending("form[action='/people/link'] button")),
    Look("desk", "shopkeeper", _at("/desk")),
    Look("desk-orders", "shopkeeper", _at("/desk/orders")),
    Look("desk-orders-rejected", "shopkeeper", _at("/desk/orders?status=rejected")),
    Look("desk-listings", "shopkeeper", _at("/desk/listings?sector=pets")),
    Look("desk-listings-none", "steward", _at("/desk/listings?sector=food")),
    Look("desk-new", "shopkeeper", _at("/desk/listings/new")),
    Look(
        "desk-new-refused",
        "shopkeeper",
        _at("/desk/listings/new"),
        _sending("form[enctype] button", price="cheap", tax="much", stock="many"),
    ),
    Look("desk-listing", "shopkeeper", lambda site: site.desk_listing("photo")),
    Look(
        "desk-listing-published", "shopkeeper", lambda site: site.desk_listing("limited") + "?said=published"
    ),
    Look("desk-listing-withdrawn", "shopkeeper", lambda site: site.desk_listing("withdrawn")),
    Look(
        "desk-listing-changed",
        "shopkeeper",
        lambda site: site.desk_listing("photo"),
        _save_what_changed_meanwhile,
    ),
    Look(
        "sale-refund-refused",
        "shopkeeper",
        lambda site: site.orders["completed"],
        _sending("form[action$='/refund'] button", amount="9999"),
    ),
    Look("neighbours", "", _at("/neighbours")),
    Look("neighbours-member", "member", _at("/neighbours")),
    Look("neighbours-steward", "steward", _at("/neighbours?said=added")),
    Look(
        "neighbours-refused",
        "steward",
        _at("/neighbours"),
        _sending("form[action='/neighbours'] button", address="no address"),
    ),
    Look("invites", "steward", _at("/neighbours/invites")),
    Look(
        "invite-made",
        "steward",
        _at("/neighbours/invites"),
        _sending("form[action='/neighbours/invites'] button", label="the mill"),
    ),
    Look(
        "invite-refused",
        "steward",
        _at("/neighbours/invites"),
        _sending("form[action='/neighbours/invites/accepted'] button", text="half a link"),
    ),
    Look("follow-rules", "steward", _at("/neighbours/rules")),
    Look(
        "follow-rules-refused",
        "steward",
        _at("/neighbours/rules"),
        _sending("form[action='/neighbours/rules'] button", region="x"),
    ),
    Look("pairing", "steward", lambda site: f"/neighbours/{site.neighbour}/pair"),
    Look(
        "pairing-started",
        "steward",
        lambda site: f"/neighbours/{site.neighbour}/pair",
        _sending("main form button"),
    ),
    Look("audit-clean", "steward", lambda site: f"/neighbours/{site.own}/audit"),
    Look("audit-findings", "steward", lambda site: f"/neighbours/{site.neighbour}/audit"),
    Look("keys", "steward", _at("/keys")),
    Look("key-choice", "steward", _at("/keys/choice")),
    Look("nowhere", "", _at("/nothing")),
    Look("order-unknown", "", _at("/o/nothing")),
    Look("role-missing", "member", _at("/desk")),
    Look("welcome-link", "", lambda site: site.links["first run"]),
    Look("welcome-kit", "steward", _at("/welcome/kit")),
    Look(
        "welcome-kit-refused",
        "steward",
        _at("/welcome/kit"),
        _sending("main form button[type=submit]", word_1="one", word_2="two"),
    ),
    Look("welcome-shop", "steward", _at("/welcome/shop")),
    Look("welcome-shop-refused", "steward", _at("/welcome/shop"), _sending("main form button[type=submit]")),
    Look("welcome-neighbours", "steward", _at("/welcome/neighbours")),
    Look("welcome-ready", "steward", _at("/welcome/ready")),
    Look("founding-language", "", lambda site: site.founding_url),
    Look("founding-community", "", lambda site: site.founding_url + "/community"),
    Look(
        "founding-community-refused",
        "",
        lambda site: site.founding_url + "/community",
        _sending("main form button"),
    ),
    Look("founding-recovery", "", lambda site: site.founding_url + "/recovery"),
    Look("founding-refused", "", lambda site: site.founding_url + "/language/tlh"),
    Look("founding-stranger", "", lambda site: site.founding_url[:-1]),
)

# After the kit was taken away, and audits cannot be made any more.
LOOKS_AT_RUINS = (
    Look("welcome-kit-gone", "steward", _at("/welcome/kit")),
    Look("audit-broken-off", "steward", lambda site: f"/neighbours/{site.own}/audit"),
    Look("audit-never", "steward", lambda site: f"/neighbours/{site.neighbour}/audit"),
)
