"""From two empty folders to a sale between neighbours, by clicks alone: what a new user does on the first evening."""

import asyncio
import re
from pathlib import Path
from urllib.parse import urljoin

import pytest

from tests.browser.chromium import Chromium, Page, chromium, chromium_program
from tests.browser.looking import look
from tests.pages.browsing import UpProcess, up

pytestmark = pytest.mark.skipif(chromium_program() is None, reason="no Chromium on this machine")

CLICKS_MAX = 25
ORDER_AT_DESK = "main a[href^='/desk/orders/']"


async def first_steps(page: Page, node: UpProcess, eyes: str, *, language: str, name: str) -> None:
    """The wizard up to the founding, and the emergency kit with two of its words."""
    link = re.search(r"http://\S+/welcome/\S+", node.line_with("/welcome/"))
    assert link is not None
    await page.open(link.group())
    await look(page, f"welcome-language-{eyes}")
    await page.click(f"a[hreflang='{language}']")
    await look(page, f"welcome-community-{eyes}")
    await page.type("#name_zh" if language == "zh-Hans" else "#name_en", name)
    await page.choose("#currency", "EUR")
    await page.click("main form button")
    await look(page, f"welcome-kit-{eyes}")
    words = dict(re.findall(r"(\d+)\.\s+(\S+)", await page.text(".kit")))
    for place in (1, 2):
        number = await page.say(f"document.querySelector('[name=number_{place}]').value")
        await page.type(f"#word_{place}", words[number])
    await page.click("main form button[type=submit]")
    await look(page, f"welcome-shop-{eyes}")


async def open_shop(page: Page, eyes: str) -> None:
    """A shop and its first listing."""
    await page.type("#name_en", "Pier Bakery")
    await page.type("#pickup", "Saturdays at the pier")
    await page.click("main form button")
    await look(page, f"welcome-neighbours-{eyes}")
    await page.click("form[action$='/later'] button")
    await look(page, f"welcome-ready-{eyes}")
    await page.click("button[value=desk]")
    await look(page, f"desk-empty-{eyes}")
    await page.click("a[href='/desk/listings/new']")
    await page.type("#title_en", "Rye bread")
    await page.type("#title_zh", "黑麦面包")
    await page.type("#price", "4.80")
    await page.type("#tax", "7")
    await page.type("#stock", "20")
    await look(page, f"new-listing-{eyes}")
    await page.click("form[enctype] button")
    await look(page, f"listing-published-{eyes}")


async def until(page: Page, url: str, selector: str) -> None:
    """Look at a page again and again until it has something, as a person would press reload."""
    async with asyncio.timeout(60):
        await page.open(url)
        while not await page.has(selector):
            await asyncio.sleep(0.2)
            await page.open(url)


async def trust(page: Page, url: str, address: str, eyes: str) -> None:
    """Add a neighbour by its address, where one is given, and vouch for it."""
    if address:
        await page.open(f"{url}neighbours")
        await page.type("#address", address)
        await page.click("form[action='/neighbours'] button")
    elif not await page.has("form[action$='/vouch']"):
        await until(page, f"{url}neighbours", "form[action$='/follow'] button, form[action$='/vouch'] button")
        if await page.has("form[action$='/follow'] button"):
            await page.click("form[action$='/follow'] button")
    await until(page, f"{url}neighbours", "form[action$='/vouch'] button")
    await look(page, f"neighbours-{eyes}")
    await page.click("form[action$='/vouch'] button")
    await look(page, f"neighbours-vouched-{eyes}")


async def test_two_new_nodes_come_to_a_sale_between_them(tmp_path: Path) -> None:
    """Found, publish, meet, vouch, order, accept, hand over, receive: at most 25 clicks up to the split."""
    with up(tmp_path / "pier") as pier, up(tmp_path / "hill") as hill:
        async with chromium() as browser:
            seller = await browser.page(width=320, language="en-GB")
            buyer = await browser.page(width=1100, language="zh-CN", scheme="dark")
            await first_steps(seller, pier, "seller", language="en", name="Pier Co-op")
            await open_shop(seller, "seller")
            await first_steps(buyer, hill, "buyer", language="zh-Hans", name="山坡合作社")
            await buyer.click("form[action$='/shop/later'] button")
            await buyer.click("form[action$='/later'] button")
            await buyer.click("button[value=search]")
            pier_url, hill_url = urljoin(await seller.url(), "/"), urljoin(await buyer.url(), "/")
            await trust(buyer, hill_url, await federation_address(seller, pier_url), "buyer")
            await trust(seller, pier_url, "", "seller")
            await until(buyer, f"{hill_url}?words=黑麦", ".card h3 a")
            await look(buyer, "found-neighbour")
            await buyer.click(".card h3 a")
            await look(buyer, "listing-of-neighbour")
            assert await buyer.has("svg.split")
            assert buyer.clicks + seller.clicks <= CLICKS_MAX
            await sale(browser, seller, buyer, pier_url)


async def sale(browser: Chromium, seller: Page, buyer: Page, pier_url: str) -> None:
    """Order, accept, hand over, receive; each side hears of the other without opening its page again."""
    await seller.open(f"{pier_url}desk")
    await buyer.type("#quantity", "2")
    await buyer.type("#name", "李雷")
    await buyer.type("#contact", "138 0000 0000")
    await buyer.tick("input[value=pickup]")
    await buyer.tick("[name=consent]")
    await buyer.click("form[action$='/order'] button")
    await look(buyer, "order-placed")
    await seller.shows(ORDER_AT_DESK)
    await look(seller, "desk-with-order")
    await seller.click(ORDER_AT_DESK)
    await look(seller, "sale")
    await seller.click("form[action$='/acceptance'] button")
    await buyer.appears("商家已接单")
    await seller.click("form[action$='/fulfilment'] button")
    await buyer.shows("form[action$='/receipt'] button")
    await buyer.click("form[action$='/receipt'] button")
    await buyer.appears("已收货，双方账本均已记入分成")
    await look(buyer, "order-completed")
    await seller.open(await seller.url())
    await look(seller, "sale-completed")
    assert browser.complaints == []


async def federation_address(page: Page, url: str) -> str:
    """What the steward of a node tells a neighbour: it stands on the neighbours' page."""
    await page.open(f"{url}neighbours")
    found = re.search(r"\b[\d.]+:\d{4,5}\b", await page.text("main"))
    assert found is not None, await page.text("main")
    return found.group()
