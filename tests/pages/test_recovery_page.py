"""A shop owner with a burnt machine types the words into the first page of a new one, and is back in the shop."""

import asyncio
import time
from pathlib import Path

from tests.pages.browsing import Browser, Seen
from tests.pages.test_first_run_pages import waiting_node
from tests.recovery.test_bringing_back import Burnt, burnt

PATIENCE_SECONDS = 60.0


async def test_the_first_page_of_a_new_machine_brings_the_community_back(tmp_path: Path) -> None:
    """Wrong words and one address are refused beside their fields; then it runs, and ends in the shop itself."""
    async with burnt(tmp_path) as left:
        seen, status = await asyncio.to_thread(_bring_back, left)
    assert seen.status == 200
    assert "Orchard" in seen.text
    assert status == {"words": True, "addresses": True}


def _bring_back(left: Burnt) -> tuple[Seen, dict[str, bool]]:
    browser = Browser()
    with waiting_node(left.folder) as (_process, link):
        browser.get(f"{link}/language/en")
        page = browser.get(f"{link}/recovery")
        slip = browser.send(page.form(), words="these are no words", addresses="\n".join(left.addresses))
        alone = browser.send(slip.form(), words=left.words, addresses=left.addresses[0])
        refused = {
            "words": "not the words of an emergency kit" in slip.text,
            "addresses": "at least two" in alone.text,
        }
        seen = browser.send(alone.form(), words=left.words, addresses="\n".join(left.addresses))
        deadline = time.monotonic() + PATIENCE_SECONDS
        while seen.path.endswith("/recovery") and time.monotonic() < deadline:
            seen = browser.get(f"{link}/recovery")
        return seen, refused
