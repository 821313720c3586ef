"""The wizard's page of neighbours, with two real nodes that find each other by multicast."""

import asyncio

import pytest

from tests.pages.neighbour_nodes import Browser, Community, opened_community

FOUND_SECONDS = 10


async def finds(one: Community, steward: Browser, other: Community) -> None:
    """Wait until the wizard shows the other community, or skip where this machine cannot hear it."""

    async def is_there() -> bool:
        shown = await steward.get("/welcome/neighbours")
        assert shown.status == 200
        if "cannot look around" in shown.words:
            pytest.skip(f"this machine has no multicast: {shown.words}")
        return f'value="{other.id}"' in shown.html

    try:
        async with asyncio.timeout(FOUND_SECONDS):
            await one.until(is_there)
    except TimeoutError:
        pytest.skip("announcements do not come back to this machine")


async def test_a_neighbour_on_the_network_is_followed_and_vouched_for_in_the_wizard(tmp_path) -> None:
    """Found without an address being typed; one click a side, and each shows the other by its name."""
    async with (
        opened_community(tmp_path / "north", "North", mdns=True) as north,
        opened_community(tmp_path / "south", "South", mdns=True) as south,
    ):
        stewards = {one.name: await one.browser("steward") for one in (north, south)}
        for one, other in ((north, south), (south, north)):
            steward = stewards[one.name]
            await finds(one, steward, other)
            done = await steward.post("/welcome/neighbours", community=other.id, how="vouch")
            assert (done.status, done.location) == (303, "/welcome/neighbours")
            again = await steward.post("/welcome/neighbours", community=other.id, how="vouch")
            assert again.status == 303
            third = await steward.post(f"/neighbours/{other.id}/vouch")
            assert (third.status, third.location) == (303, f"/neighbours?said=vouched#c-{other.id}")
        for one, other in ((north, south), (south, north)):
            steward = stewards[one.name]

            async def is_named(steward: Browser = steward, name: str = other.name) -> bool:
                shown = (await steward.get("/welcome/neighbours")).words
                return f"{name} Connected Followed Vouched for" in shown

            await one.until(is_named)
            assert f'value="{one.id}"' not in (await steward.get("/welcome/neighbours")).html


async def test_a_community_that_nobody_found_cannot_be_followed_in_the_wizard(tmp_path) -> None:
    """A forged button is refused with a sentence; without multicast the page says what was chosen."""
    async with opened_community(tmp_path / "north", "North") as north:
        steward = await north.browser("steward")
        assert "without looking around" in (await steward.get("/welcome/neighbours")).words
        for community in ("a" * 52, "", "<script>", north.id):
            refused = await steward.post("/welcome/neighbours", community=community, how="vouch")
            assert (refused.status, "<h1" in refused.html) == (404, True), community
