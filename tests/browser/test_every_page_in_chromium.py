"""Every page of the route table in a real Chromium: both languages, light and dark, phone, desktop, 200 % zoom.

An address of the route table that no look of `looks.LOOKS` leads to makes the test fail, and so does a template
that none of them shows.
"""

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from node.files import KIT_FILE
from node.pages.rendering import FOLDER, Rendering
from node.pages.visit import LANGUAGE_COOKIE, SESSION_COOKIE
from tests.browser.chromium import Chromium, Page, chromium, chromium_program
from tests.browser.looking import look_closely
from tests.browser.looks import LOOKS, LOOKS_AT_RUINS, NO_PAGES, Look
from tests.browser.whole_site import WholeSite, audit, break_audits, whole_site

pytestmark = pytest.mark.skipif(chromium_program() is None, reason="no Chromium on this machine")

LANGUAGES = ("en", "zh-Hans")
SCHEMES = {  # each size in both, between the two languages
    "en": {"phone_scheme": "light", "desktop_scheme": "dark"},
    "zh-Hans": {"phone_scheme": "dark", "desktop_scheme": "light"},
}


@pytest.fixture
def templates_shown(monkeypatch: pytest.MonkeyPatch) -> set[str]:
    """The templates of all pages that are made while the test runs."""
    shown: set[str] = set()
    make = Rendering.page

    def noted(self: Rendering, template: str, *, language: str, values: Mapping[str, Any]) -> str:
        shown.add(template)
        return make(self, template, language=language, values=values)

    monkeypatch.setattr(Rendering, "page", noted)
    return shown


async def test_every_page_suits_all_eyes(tmp_path: Path, templates_shown: set[str]) -> None:
    """axe-core finds nothing, nothing scrolls sideways, no script fails; and no page was left out."""
    async with whole_site(tmp_path) as site, chromium() as browser:
        problems = await _tours(browser, site, LOOKS)
        (tmp_path / "spring" / KIT_FILE).unlink()
        break_audits(site.node)
        await audit(site.node, site.own)
        problems += await _tours(browser, site, LOOKS_AT_RUINS)
        assert problems + browser.complaints == []
        assert site.routes - site.addresses_answered == set(NO_PAGES)
    whole = {
        path.name for path in (FOLDER / "templates").iterdir() if "{% extends" in path.read_text("utf-8")
    }
    assert whole - templates_shown == set()


async def _tours(browser: Chromium, site: WholeSite, looks: tuple[Look, ...]) -> list[str]:
    """Look at all in every language, each in a tab of its own."""
    tours = [_tour(await browser.page(), site, looks, language) for language in LANGUAGES]
    return [problem for problems in await asyncio.gather(*tours) for problem in problems]


async def _tour(page: Page, site: WholeSite, looks: tuple[Look, ...], language: str) -> list[str]:
    problems = []
    for one in looks:
        session = {SESSION_COOKIE: site.sessions[one.who]} if one.who else {}
        await page.keep_cookies(site.url, {LANGUAGE_COOKIE: language, **session})
        await page.open(one.url(site))
        if one.then is not None:
            await one.then(page)
        assert await page.say("document.documentElement.lang") == language, one.name
        problems += await look_closely(page, f"{one.name}-{language}", **SCHEMES[language])
    await page.open("about:blank")
    return problems
