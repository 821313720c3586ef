"""The pages in a real Chromium: nothing complains, nothing is too wide, axe-core finds nothing, keys suffice.

axe-core is asked where `.cache/axe.min.js` is (`.ci/run` puts it there) or WILDGRASS_AXE names it. With
WILDGRASS_SCREENSHOTS naming a folder every page that is looked at is kept there as a picture.
"""

import json
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.browser.chromium import Page, chromium, chromium_program
from tests.pages.browsing import up
from tests.pages.test_ordering_pages import SHARES, Shop

pytestmark = pytest.mark.skipif(chromium_program() is None, reason="no Chromium on this machine")

AXE_FILE = Path(os.environ.get("WILDGRASS_AXE") or Path(__file__).parents[2] / ".cache" / "axe.min.js")
AXE = AXE_FILE.read_text(encoding="utf-8") if AXE_FILE.is_file() else ""
SCREENSHOTS = os.environ.get("WILDGRASS_SCREENSHOTS")
EYES = [
    (language, scheme, width)
    for language in ("en-GB", "zh-CN")
    for scheme in ("light", "dark")
    for width in (320, 1100)
]


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    """One node with a shop."""
    folder = tmp_path_factory.mktemp("chromium") / "node"
    names = ("--name-en", "Ferry", "--name-zh", "渡口合作社", "--currency", "EUR", "--json")
    with up(folder, *names) as node:
        answer = node.answer()
        shop = Shop(f"http://{answer['http']}/", (folder / "api.token").read_text().strip())
        shop.community = answer["community"]
        shop.call("POST", "/policies", {"policy": SHARES})
        made = shop.call("POST", "/shops", {"sector": "pets", "name": {"en": "Paws", "zh-Hans": "毛孩子"}})
        shop.listing = {"shop_id": made["shop_id"]}
        yield shop


@asynccontextmanager
async def looked_at(*, language: str, scheme: str, width: int) -> AsyncIterator[Page]:
    """A page for one kind of eyes; at the end no script has failed and nothing forbidden was asked for."""
    async with chromium() as browser:
        yield await browser.page(width=width, scheme=scheme, language=language)
        assert browser.complaints == []


async def look(page: Page, name: str) -> None:
    """What holds of every page."""
    if SCREENSHOTS:
        _keep(f"{name}.png", await page.screenshot())
    assert await page.say("document.documentElement.scrollWidth <= innerWidth"), f"{name} is too wide"
    assert await page.say("document.querySelectorAll('h1').length") == 1
    if AXE:
        await page.say(f"{AXE}; true")
        found = await page.say(
            "axe.run(document).then(all => all.violations.map(one =>"
            " one.id + ': ' + one.nodes.map(node => node.target.join(' ')).join(' | ')))"
        )
        assert found == [], f"{name}: {json.dumps(found, indent=1)}"


@pytest.mark.parametrize(("language", "scheme", "width"), EYES)
async def test_a_visitor_searches_orders_and_sees_the_order_move(
    shop: Shop, language: str, scheme: str, width: int
) -> None:
    """Search, listing, a refused form, the order, and the shop's answer without opening the page again."""
    shop.publish("Kitten food")
    eyes = f"{language}-{scheme}-{width}"
    async with looked_at(language=language, scheme=scheme, width=width) as page:
        await page.open(shop.url)
        await look(page, f"search-{eyes}")
        await page.type("#words", "幼猫粮")
        await page.click("form[role=search] button")
        await look(page, f"found-{eyes}")
        await page.click(".card h3 a")
        await look(page, f"listing-{eyes}")
        await page.type("#quantity", "much")
        await page.type("#name", "李雷")
        await page.type("#contact", "138 0000 0000")
        await page.tick("input[value=pickup]")
        await page.tick("[name=consent]")
        await page.click("form[action$='/order'] button")
        await look(page, f"refused-{eyes}")
        await page.type("#quantity", "2")
        await page.click("form[action$='/order'] button")
        assert "/o/" in await page.url()
        await look(page, f"order-{eyes}")
        placed = shop.orders()[0]
        shop.call("POST", f"/orders/{placed['buyer']}/{placed['order_id']}/acceptance", {})
        await page.appears("Accepted by the shop" if language == "en-GB" else "商家已接单")
        await look(page, f"accepted-{eyes}")
        await page.open(f"{shop.url}nothing")
        await look(page, f"nowhere-{eyes}")


async def test_keys_alone_lead_from_the_search_to_an_order(shop: Shop) -> None:
    """Tab and Enter, no mouse; what has the focus can be seen."""
    page_url = shop.publish("Keyboard food")
    async with looked_at(language="en-GB", scheme="light", width=1100) as page:
        await page.open(page_url)
        await page.key("Tab", 9)
        assert await page.say("document.activeElement.className") == "skip"
        typed = {"quantity": "1", "name": "李雷", "contact": "138", "address": "Ferry Road 1"}
        for _ in range(60):
            await page.key("Tab", 9)
            name = await page.say("document.activeElement.name || document.activeElement.tagName")
            outline = await page.say("getComputedStyle(document.activeElement).outlineStyle")
            assert outline != "none", name
            if name == "consent":
                await page.key(" ", 32)
            elif name in typed:
                await page.type(f"#{name}", typed[name])
            is_order = await page.say("document.activeElement.closest(\"form[action$='/order']\") !== null")
            if name == "BUTTON" and is_order:
                break
        before = len(shop.orders())
        async with page.leads_on():
            await page.key("Enter", 13)
        assert "Waiting for the shop" in await page.text()
        assert len(shop.orders()) == before + 1


async def test_text_of_double_size_stays_within_a_phone(shop: Shop) -> None:
    """200 % zoom of 640 px is a width of 320 with the same words."""
    page_url = shop.publish(
        "A title that is rather long so that it has to be broken over lines: " + "Kittenfood" * 8
    )
    async with looked_at(language="en-GB", scheme="light", width=320) as page:
        await page.open(page_url)
        await look(page, "long-title")


async def test_a_first_load_is_small(shop: Shop) -> None:
    """The first page with all that it loads is at most 30 kB on the wire."""
    async with chromium() as browser:
        page = await browser.page()
        await page.open(shop.url)
        sizes = await page.say(
            "[...performance.getEntriesByType('navigation'), ...performance.getEntriesByType('resource')]"
            ".map(one => one.transferSize)"
        )
        assert len(sizes) > 1
        assert sum(sizes) <= 30_000


def _keep(name: str, picture: bytes) -> None:
    (Path(SCREENSHOTS or ".") / name).write_bytes(picture)
