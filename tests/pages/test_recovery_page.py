"""A shop owner with a burnt machine types the words into the first page of a new one, and is back in the shop."""

import asyncio
import time
from pathlib import Path

from node.recovery.marker import read_marker
from tests.durability.running import wait_until
from tests.pages.browsing import Browser, Seen
from tests.pages.test_first_run_pages import waiting_node
from tests.recovery.test_bringing_back import Burnt, burnt

PATIENCE_SECONDS = 60.0


async def test_the_first_page_of_a_new_machine_brings_the_community_back(tmp_path: Path) -> None:
    """Wrong words and one address are refused beside their fields; killed at once it goes on, and ends in the shop."""
    async with burnt(tmp_path) as left:
        refused = await asyncio.to_thread(_begin, left)
        seen, asked_again = await asyncio.to_thread(_go_on, left)
    assert refused == {"words": True, "addresses": True}
    assert "is not finished" in asked_again.text
    assert asked_again.form().fields["addresses"].split() == left.addresses
    assert seen.status == 200
    assert "Orchard" in seen.text


def _begin(left: Burnt) -> dict[str, bool]:
    """Type the right words after wrong ones; the machine fails as soon as anything is in the folder."""
    browser = Browser()
    with waiting_node(left.folder) as (running, link):
        browser.get(f"{link}/language/en")
        page = browser.get(f"{link}/recovery")
        slip = browser.send(page.form(), words="these are no words", addresses="\n".join(left.addresses))
        alone = browser.send(slip.form(), words=left.words, addresses=left.addresses[0])
        browser.send(alone.form(), words=left.words, addresses="\n".join(left.addresses))
        wait_until(lambda: read_marker(left.folder) is not None, seconds=PATIENCE_SECONDS)
        running.process.kill()
        running.process.wait()
        return {
            "words": "not the words of an emergency kit" in slip.text,
            "addresses": "at least two" in alone.text,
        }


def _go_on(left: Burnt) -> tuple[Seen, Seen]:
    """Start again: nobody founds in this folder, the first page leads to the recovery, and the words are enough."""
    browser = Browser()
    with waiting_node(left.folder) as (_running, link):
        browser.get(f"{link}/language/en")
        asked_again = browser.get(f"{link}/community")
        assert asked_again.path.endswith("/recovery")
        seen = browser.send(asked_again.form(), words=left.words)
        deadline = time.monotonic() + PATIENCE_SECONDS
        while seen.path.endswith("/recovery") and time.monotonic() < deadline:
            seen = browser.get(f"{link}/recovery")
        return seen, asked_again
