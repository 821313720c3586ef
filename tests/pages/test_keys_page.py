"""A steward tries a recovery and opens the next epoch on a page; nobody else sees it."""

from pathlib import Path

from node.vault import Kit
from node.vault.kit import words_of_entropy
from tests.pages.neighbour_nodes import opened_community


async def test_a_steward_drills_and_rotates_on_the_page(tmp_path: Path) -> None:
    """Other words are refused beside the field; the right ones say what would be lost, and open epoch 1."""
    kits: list[Kit] = []
    async with opened_community(tmp_path / "home", "Orchard", keep_kit=kits.append) as home:
        browser = await home.browser("steward")
        assert "Epoch 0" in (await browser.get("/keys")).words
        refused = await browser.post("/keys/rotation", rotation=words_of_entropy(bytes(16), "en"))
        assert refused.status == 422
        assert "may not open the next epoch" in refused.words
        assert (await browser.post("/keys/rehearsal", drill="")).status == 422
        alone = await browser.post("/keys/rehearsal", drill=kits[0].words)
        assert "fewer than two peers" in alone.words
        assert kits[0].words not in alone.html
        done = await browser.post("/keys/rotation", rotation=kits[0].words)
        assert done.location == "/keys?said=rotated"
        assert "Epoch 1" in (await browser.get(done.location)).words
        assert home.node.epoch == 1


async def test_only_stewards_see_the_keys(tmp_path: Path) -> None:
    """A shopkeeper is told so, a visitor logs in first; what is not a note of ours cannot be chosen."""
    async with opened_community(tmp_path / "home", "Orchard") as home:
        assert (await (await home.browser()).get("/keys")).location.startswith("/login")
        keeper = await home.browser("shopkeeper")
        assert (await keeper.get("/keys")).status == 403
        assert (await keeper.post("/keys/cancellation")).status == 403
        steward = await home.browser("steward")
        assert (await steward.post("/keys/choice", note="no note")).status >= 400
        assert (await steward.post("/keys/cancellation")).location == "/keys?said=cancelled"
