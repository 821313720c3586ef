"""The pages under real hands: with the mouse, with keys alone, without script; and how much a first load weighs.

What holds of every page by itself is looked at in `test_every_page_in_chromium.py`.
"""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.browser.chromium import Page, chromium, chromium_program
from tests.browser.looking import DESKTOP, PHONE, look
from tests.pages.browsing import up
from tests.pages.test_ordering_pages import SHARES, Shop

pytestmark = pytest.mark.skipif(chromium_program() is None, reason="no Chromium on this machine")

EYES = [("en-GB", "light", PHONE), ("zh-CN", "dark", DESKTOP)]
TABS_MAX = 60


@dataclass
class OpenShop(Shop):
    """A shop, and the link that logs its steward in, once."""

    login_link: str = ""

    async def keeper(self, page: Page) -> Page:
        """Log the steward in, and go to the desk."""
        if self.login_link:
            await page.open(self.login_link)
            await page.click("main form button")
            self.login_link = ""
        await page.open(f"{self.url}desk")
        return page


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[OpenShop]:
    """One node with a shop."""
    folder = tmp_path / "node"
    names = ("--name-en", "Ferry", "--name-zh", "渡口合作社", "--currency", "EUR", "--json")
    with up(folder, *names) as node:
        answer = node.answer()
        shop = OpenShop(f"http://{answer['http']}/", (folder / "api.token").read_text().strip())
        shop.login_link = answer["login_link"]
        shop.community = answer["community"]
        shop.call("POST", "/policies", {"policy": SHARES})
        made = shop.call("POST", "/shops", {"sector": "pets", "name": {"en": "Paws", "zh-Hans": "毛孩子"}})
        shop.listing = {"shop_id": made["shop_id"]}
        yield shop


@asynccontextmanager
async def looked_at(*, language: str = "en-GB", has_script: bool = True) -> AsyncIterator[tuple[Page, Page]]:
    """A buyer's page and a keeper's; at the end no script has failed and nothing forbidden was asked for."""
    async with chromium() as browser:
        yield (
            await browser.page(language=language, has_script=has_script),
            await browser.page(language=language, has_script=has_script),
        )
        assert browser.complaints == []


async def order(page: Page, quantity: str) -> None:
    """Fill in the form of a listing and send it."""
    await page.type("#quantity", quantity)
    await page.type("#name", "李雷")
    await page.type("#contact", "138 0000 0000")
    await page.tick("input[value=pickup]")
    if not await page.say("document.querySelector('[name=consent]').checked"):
        await page.tick("[name=consent]")
    await page.click("form[action$='/order'] button")


async def test_a_visitor_searches_orders_and_sees_the_order_move(shop: OpenShop) -> None:
    """Search, listing, a refused form, the order, and the shop's answer without opening the page again."""
    shop.publish("Kitten food")
    for language, scheme, width in EYES:
        async with looked_at(language=language) as (page, _):
            await page.see(width=width, scheme=scheme)
            await page.open(shop.url)
            await page.type("#words", "幼猫粮")
            await page.click("form[role=search] button")
            await look(page, f"journey-found-{language}")
            await page.click(".card h3 a")
            await order(page, "much")
            await look(page, f"journey-refused-{language}")
            await order(page, "2")
            assert "/o/" in await page.url()
            placed = shop.orders()[0]
            shop.call("POST", f"/orders/{placed['buyer']}/{placed['order_id']}/acceptance", {})
            await page.appears("Accepted by the shop" if language == "en-GB" else "商家已接单")
            await look(page, f"journey-accepted-{language}")


async def test_without_script_an_order_goes_from_the_search_to_its_completion(shop: OpenShop) -> None:
    """Every step is a link or a form, and what the other side did is there when the page is opened again."""
    shop.publish("Kitten food")
    async with looked_at(has_script=False) as (buyer, keeper):
        await shop.keeper(keeper)
        await buyer.open(shop.url)
        await buyer.type("#words", "kitten")
        await buyer.click("form[role=search] button")
        await buyer.click(".card h3 a")
        await order(buyer, "2")
        assert "Waiting for the shop" in await buyer.text()
        await keeper.open(await keeper.url())
        await keeper.click("form[action$='/acceptance'] button")
        await buyer.open(await buyer.url())
        assert "Accepted by the shop" in await buyer.text()
        await keeper.click("form[action$='/fulfilment'] button")
        await buyer.open(await buyer.url())
        await buyer.click("form[action$='/receipt'] button")
        while "the shares are posted" not in await buyer.text():
            await buyer.open(await buyer.url())
    assert [sale["status"] for sale in shop.orders()] == ["completed"]


async def test_keys_alone_lead_from_a_listing_to_the_order_and_its_acceptance(shop: OpenShop) -> None:
    """Tab, Space and Enter, no mouse; whatever has the focus can be seen."""
    listing = shop.publish("Keyboard food")
    async with looked_at() as (buyer, keeper):
        await buyer.open(listing)
        await buyer.key("Tab", 9)
        assert await buyer.say("document.activeElement.className") == "skip"
        await tab_to(buyer, "[name=quantity]")
        typed = {"quantity": "1", "name": "李雷", "contact": "138", "address": "Ferry Road 1"}
        while not await buyer.say("document.activeElement.matches('[name=consent]')"):
            name = await buyer.say("document.activeElement.name")
            if name in typed:
                await buyer.call("Input.insertText", text=typed[name])
            await tab(buyer)
        await buyer.key(" ", 32)
        await tab_to(buyer, "form[action$='/order'] button")
        async with buyer.leads_on():
            await buyer.key("Enter", 13)
        assert "Waiting for the shop" in await buyer.text()
        assert len(shop.orders()) == 1
        await shop.keeper(keeper)
        await tab_to(keeper, "form[action$='/acceptance'] button")
        async with keeper.leads_on():
            await keeper.key("Enter", 13)
        assert [sale["status"] for sale in shop.orders()] == ["accepted"]


async def tab(page: Page) -> None:
    """Go one further by the key, to something that is seen to have the focus."""
    await page.key("Tab", 9)
    outline = await page.say("getComputedStyle(document.activeElement).outlineStyle")
    assert outline != "none", await page.say("document.activeElement.outerHTML")


async def tab_to(page: Page, selector: str) -> None:
    """Go on by the key until something has the focus."""
    for _ in range(TABS_MAX):
        await tab(page)
        if await page.say(f'document.activeElement.matches("{selector}")'):
            return
    raise AssertionError(f"no way by keys to {selector}")


async def test_a_first_load_is_small(shop: OpenShop) -> None:
    """The first page with all that it loads is at most 30 kB on the wire."""
    async with looked_at() as (page, _):
        await page.open(shop.url)
        sizes = await page.say(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".map(one => one.transferSize)"
        )
        assert len(sizes) > 1
        assert sum(sizes) <= 30_000
