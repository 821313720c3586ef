"""What holds of every page that is looked at: nothing is too wide, one heading, axe-core finds nothing.

axe-core is asked where `.cache/axe.min.js` is (`.ci/run` puts it there) or WILDGRASS_AXE names it. With
WILDGRASS_SCREENSHOTS naming a folder every page that is looked at is kept there as a picture.
"""

import json
import os
from pathlib import Path

from tests.browser.chromium import Page

PHONE, ZOOMED, DESKTOP = 320, 640, 1100
SCREENSHOTS = os.environ.get("WILDGRASS_SCREENSHOTS")
AXE_FILE = Path(os.environ.get("WILDGRASS_AXE") or Path(__file__).parents[2] / ".cache" / "axe.min.js")
AXE = AXE_FILE.read_text(encoding="utf-8") if AXE_FILE.is_file() else ""
# What the colours of the other scheme, or another width, can change.
CHANGING_RULES = ("color-contrast", "link-in-text-block", "target-size", "scrollable-region-focusable")

_ASK_AXE = (
    "axe.run(document, {resultTypes: ['violations'], preload: false%s}).then(all => all.violations.map(one =>"
    " one.id + ': ' + one.nodes.map(node => node.target.join(' ')).join(' | ')))"
)
_OPEN_ALL = "document.querySelectorAll('details').forEach(one => { one.open = true })"
_TOO_WIDE = "document.documentElement.scrollWidth > innerWidth"
_WHAT_IS_TOO_WIDE = (
    "[...document.querySelectorAll('body *')].filter(one => one.getBoundingClientRect().right > innerWidth + 1"
    " && !one.closest('.scroll, .skip')).slice(0, 5).map(one => one.tagName + '.' + one.className).join(', ')"
)


async def look(page: Page, name: str) -> None:
    """Look at a page as it is; raises `AssertionError` with what is wrong."""
    if SCREENSHOTS:
        await _keep(page, name)
    problems = [*await _shape(page), *await _ask_axe(page)]
    assert problems == [], f"{name}: {json.dumps(problems, indent=1)}"


async def look_closely(page: Page, name: str, *, phone_scheme: str, desktop_scheme: str) -> list[str]:
    """Look at a page in place with several eyes, all that is folded opened; return what is wrong."""
    if SCREENSHOTS:
        await page.see(width=DESKTOP, scheme="dark")
        await _keep(page, f"{name}-desktop-dark")
        await page.see(width=PHONE, scheme="light")
        await _keep(page, f"{name}-phone-light")
    problems = []
    await page.see(width=PHONE, scheme=phone_scheme)
    await page.say(_OPEN_ALL)
    problems += _said(f"phone, {phone_scheme}", [*await _shape(page), *await _ask_axe(page)])
    await page.see(width=DESKTOP, scheme=desktop_scheme)
    changed = [*await _shape(page), *await _ask_axe(page, CHANGING_RULES)]
    problems += _said(f"desktop, {desktop_scheme}", changed)
    await page.see(width=ZOOMED, scheme=desktop_scheme, scale=2)
    problems += _said("zoomed to 200 %", await _shape(page))
    await page.see(width=DESKTOP, scheme=desktop_scheme)
    await page.say("document.documentElement.style.fontSize = '200%'")
    problems += _said("letters of 200 %", await _shape(page))
    return [f"{name}, {problem}" for problem in problems]


async def _shape(page: Page) -> list[str]:
    problems = []
    if await page.say(_TOO_WIDE):
        problems.append(f"too wide: {await page.say(_WHAT_IS_TOO_WIDE)}")
    if await page.say("document.querySelectorAll('h1').length") != 1:
        problems.append("not one h1")
    return problems


async def _ask_axe(page: Page, rules: tuple[str, ...] = ()) -> list[str]:
    if not AXE:
        return []
    if not await page.say("'axe' in window"):
        await page.say(f"{AXE}; true")
    chosen = f", runOnly: {json.dumps(rules)}" if rules else ""
    found: list[str] = await page.say(_ASK_AXE % chosen)
    return found


def _said(eyes: str, problems: list[str]) -> list[str]:
    return [f"{eyes}: {problem}" for problem in problems]


async def _keep(page: Page, name: str) -> None:
    (Path(SCREENSHOTS or ".") / f"{name}.png").write_bytes(await page.screenshot())
