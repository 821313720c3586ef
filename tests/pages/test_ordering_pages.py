"""Search, listing, order and its link on a running node, as a browser without JavaScript sees them."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from tests.pages.browsing import Browser, Seen, up

SHARES = {
    "base": "net",
    "shares": [{"role": "commons", "beneficiary": "seller_community", "share_bp": 500}],
    "same_community": "to_seller",
    "tax_remitter": "seller",
}
TYPED = {"name": "李雷", "contact": "138 0000 0000", "consent": "yes", "quantity": "2", "note": "周六来取"}


@dataclass
class Shop:
    """A running node with one shop and one listing, and a way past the pages."""

    url: str
    token: str
    listing: dict[str, Any] = field(default_factory=dict)
    community: str = ""

    def call(self, method: str, path: str, fields: dict[str, Any] | None = None) -> dict[str, Any]:
        """One request of the API."""
        request = urllib.request.Request(
            f"{self.url}api/v1{path}",
            method=method,
            data=None if fields is None else json.dumps(fields).encode(),
            headers={"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            return json.load(answer)

    def publish(self, title: str, **changed: Any) -> str:
        """Publish one more listing, and return the address of its page."""
        shop_id = self.listing["shop_id"] if self.listing else changed.pop("shop_id")
        fields = {
            "sector": "pets",
            "shop_id": shop_id,
            "title": {"en": title, "zh-Hans": "幼猫粮"},
            "price": {"currency": "EUR", "amount_minor": 5_350},
            "unit_code": "C62",
            "tax": {"tax_class": "food", "rate_bp": 700},
            "fulfilment": ["delivery", "pickup"],
            **changed,
        }
        published = self.call("POST", "/listings", fields)
        return f"{self.url}listings/{self.community}/pets/{published['listing_id']}"

    def orders(self, side: str = "seller") -> list[dict[str, Any]]:
        """What the shop's desk has."""
        return self.call("GET", f"/orders?side={side}")["orders"]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One node for the tests of this file; each publishes what it orders."""
    folder = tmp_path_factory.mktemp("pages") / "node"
    with up(folder, "--name-en", "Ferry", "--currency", "EUR", "--json") as node:
        answer = node.answer()
        shop = Shop(f"http://{answer['http']}/", (folder / "api.token").read_text().strip())
        shop.community = answer["community"]
        shop.call("POST", "/policies", {"policy": SHARES})
        made = shop.call(
            "POST",
            "/shops",
            {"sector": "pets", "name": {"en": "Paws"}, "pickup": {"en": "Saturdays at the pier"}},
        )
        shop.listing = {"shop_id": made["shop_id"]}
        yield shop


def order(browser: Browser, page: str, **typed: str) -> Seen:
    """Fill in the form of a listing's page."""
    seen = browser.get(page)
    form = next(form for form in seen.forms if form.action.endswith("/order"))
    form.fields.pop("consent")
    return browser.send(form, **{"fulfilment": "pickup", **TYPED, **typed})


def test_a_visitor_orders_and_follows_it_by_its_link_alone(shop: Shop) -> None:
    """From the page to the link; another browser with the link sees it move to its end."""
    page = shop.publish("Kitten food")
    seen = order(Browser(), page)
    assert (seen.status, seen.path[:3]) == (200, "/o/")
    assert "107.00" in seen.text
    assert "Waiting for the shop" in seen.text
    assert f">{seen.url}</a>" in seen.text
    assert 'class="qr"' in seen.text
    placed = shop.orders()[0]
    place = f"/orders/{placed['buyer']}/{placed['order_id']}"
    shop.call("POST", f"{place}/acceptance", {})
    shop.call("POST", f"{place}/fulfilment", {})
    other = Browser("zh-Hans")
    shown = other.get(seen.url)
    assert "已交付" in shown.text
    assert "李雷" in shown.text
    shown = other.send(shown.form(f"{shown.path}/receipt"))
    assert shown.status == 200
    assert not [form for form in shown.forms if form.action.endswith("/receipt")]


def test_a_link_that_this_node_did_not_make_shows_nothing(shop: Shop) -> None:
    """What stands in the lane does not make a link: a guessed mark, and that of another order, are refused."""
    page = shop.publish("Kitten food")
    first, second = (order(Browser(), page).path.removeprefix("/o/") for _ in range(2))
    guessed = first[:-26] + "a" * 26
    swapped = first[:27] + second[27:]
    for link in (guessed, swapped, first[:27], "x", first + "a"):
        assert Browser().get(f"{shop.url}o/{link}").status == 404
    assert Browser().get(f"{shop.url}o/{first}").status == 200


def test_a_form_that_cannot_be_used_is_shown_again_with_what_was_typed(shop: Shop) -> None:
    """Each fault stands at its field, and nothing was ordered."""
    before = len(shop.orders())
    seen = order(
        Browser(), shop.publish("Litter"), quantity="much", name="", fulfilment="delivery", note="<b>&"
    )
    assert seen.status == 422
    for name in ("quantity", "name", "address"):
        assert f'aria-describedby="fault-{name}' in seen.text
    assert "&lt;b&gt;&amp;" in seen.text
    assert 'value="much"' in seen.text
    assert len(shop.orders()) == before


def test_an_order_that_is_sent_twice_is_placed_once(shop: Shop) -> None:
    """The second click leads to the same order."""
    browser, page = Browser(), shop.publish("Litter")
    form = next(form for form in browser.get(page).forms if form.action.endswith("/order"))
    before = len(shop.orders())
    typed = {**form.fields, **TYPED, "fulfilment": "pickup"}
    first, second = (browser.post(f"{page}/order", typed) for _ in range(2))
    assert first.path == second.path
    assert len(shop.orders()) == before + 1


def test_an_order_at_a_price_that_has_changed_or_ended_is_not_placed(shop: Shop) -> None:
    """The buyer saw 53.50: at another price, and after the withdrawal, the page says so."""
    browser, page = Browser(), shop.publish("Brush")
    form = next(form for form in browser.get(page).forms if form.action.endswith("/order"))
    typed = {**form.fields, **TYPED, "fulfilment": "pickup"}
    listing_id = page.rsplit("/", 1)[1]
    shop.publish("Brush", listing_id=listing_id, price={"currency": "EUR", "amount_minor": 6_000})
    before = len(shop.orders())
    seen = browser.post(f"{page}/order", typed)
    assert (seen.status, "The price has changed" in seen.text) == (422, True)
    shop.call("POST", f"/listings/{listing_id}/withdrawal", {"sector": "pets"})
    seen = browser.post(f"{page}/order", {**typed, "price_seen": "6000"})
    assert seen.status == 409
    assert Browser().get(page).status == 410
    assert len(shop.orders()) == before


def test_an_order_for_what_is_sold_out_meanwhile_is_refused_in_words(shop: Shop) -> None:
    """The page has no form any more; why the order was not placed stands there all the same."""
    browser, page = Browser(), shop.publish("Brush")
    form = next(form for form in browser.get(page).forms if form.action.endswith("/order"))
    shop.publish("Brush", listing_id=page.rsplit("/", 1)[1], availability="out_of_stock")
    before = len(shop.orders())
    seen = browser.post(f"{page}/order", {**form.fields, **TYPED, "fulfilment": "pickup"})
    assert (seen.status, 'role="alert"' in seen.text, "Sold out" in seen.text) == (409, True, True), seen.text
    assert len(shop.orders()) == before


@pytest.mark.parametrize("foreign", ["no key", "another browser's key", "another origin"])
def test_a_form_from_elsewhere_is_refused(shop: Shop, foreign: str) -> None:
    """Neither a page of another site nor another browser can order for somebody."""
    page = shop.publish("Brush")
    browser, other = Browser(), Browser()
    mine, theirs = (
        next(form for form in one.get(page).forms if form.action.endswith("/order"))
        for one in (browser, other)
    )
    fields = {**mine.fields, **TYPED, "fulfilment": "pickup"}
    headers = {}
    if foreign == "no key":
        del fields["form_key"]
    elif foreign == "another origin":
        headers["Origin"] = "https://elsewhere.example"
    else:
        fields["form_key"] = theirs.fields["form_key"]
    before = len(shop.orders())
    seen = browser.post(f"{page}/order", fields, **headers)
    assert (seen.status, "form_foreign" in seen.text) == (403, True)
    assert len(shop.orders()) == before


def test_words_of_any_kind_can_be_searched_for_and_are_shown_as_they_are(
    shop: Shop, shared_data: Callable[[str], Path]
) -> None:
    """Naughty strings neither break the page nor become part of it."""
    lines = shared_data("hostile/blns.txt").read_text(encoding="utf-8").splitlines()
    words = [line for line in lines if line and not line.startswith("#")]
    browser = Browser()
    for one in words[::5]:
        seen = browser.get(f"{shop.url}?{urlencode({'words': one[:300]})}")
        assert seen.status in (200, 422)
        assert "<script>alert" not in seen.text.lower()


def test_every_page_forbids_what_it_does_not_need(shop: Shop) -> None:
    """The policy of each page allows nothing inline and no other host, whatever it answers."""
    browser = Browser()
    for path in ("", "?words=cat", "nothing", "login", "listings/x/pets/y"):
        headers = browser.get(shop.url + path).headers
        assert "default-src 'none'" in headers["content-security-policy"]
        assert "unsafe" not in headers["content-security-policy"]
        assert headers["x-content-type-options"] == "nosniff"


def test_the_language_is_a_link_away_and_leads_nowhere_else(shop: Shop) -> None:
    """It comes back to the page; an address of another host does not."""
    browser = Browser("en")
    seen = browser.get(f"{shop.url}language/zh-Hans?back=/%3Fwords%3Dcat")
    assert (seen.url, "您想找什么" in seen.text) == (f"{shop.url}?words=cat", True)
    for back in ("//elsewhere.example", "https://elsewhere.example", "/%5Celsewhere.example"):
        assert browser.once("GET", f"{shop.url}language/en?back={back}", None, {}).headers["location"] == "/"


def test_what_a_price_gives_to_whom_stands_on_its_page(shop: Shop) -> None:
    """5 % of 50.00 net goes to the commons fund; the picture has words for who cannot see it."""
    seen = Browser().get(shop.publish("Bed"))
    assert "€2.50" in seen.text
    assert '<svg class="split" role="img"' in seen.text
    assert "Saturdays at the pier" in seen.text


def test_who_asked_to_cancel_an_accepted_order_sees_that_the_shop_answers(shop: Shop) -> None:
    """The page says so at once, before the shop has taken it up, and does not ask a second time."""
    browser = Browser()
    seen = order(browser, shop.publish("Litter"))
    placed = shop.orders()[0]
    place = f"/orders/{placed['buyer']}/{placed['order_id']}"
    shop.call("POST", f"{place}/acceptance", {})
    shown = browser.get(seen.url)
    shown = browser.send(shown.form(f"{shown.path}/cancellation"))
    assert "Cancellation asked for" in shown.text
    assert "A cancellation was asked for: the shop answers" in shown.text
    assert not [form for form in shown.forms if form.action.endswith("/cancellation")]
