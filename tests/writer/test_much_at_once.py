"""A long lane of another community arrives at once: stored first, folded to its end after."""

import asyncio
from pathlib import Path

from node.writer.transaction import Transaction
from protocol.lanes.kind import CHARTER, Lane
from storage.lanes import LaneStore
from storage.views.reading import StateReader
from tests.village import MARKET, Village, object_id
from tests.writer.test_lane_writer import House

SHOPS = 5_000
PORTION = 500


async def take(house: House, other: Village, lane: str, start: int, end: int) -> int:
    """Store entries of the other community, as the federation does; return how much of the lane is folded."""

    def job(transaction: Transaction) -> int:
        lanes = LaneStore(transaction.connection)
        key = lanes.open_lane(other.community, lane, 0)
        size = lanes.append(key, start, other.entries[lane][start:end])
        transaction.note_stored(Lane(other.community, lane), 0, size)
        clock = transaction.get("lane_clock", (other.community, lane))
        return clock.size if clock else 0

    return await house.writer.run(job)


def folded(house: House, other: Village, lane: str) -> int:
    with house.store.read() as connection:
        clock = StateReader(connection).get("lane_clock", (other.community, lane))
        return clock.size if clock else 0


async def test_much_at_once_is_stored_before_it_is_folded(tmp_path: Path) -> None:
    """While portions keep coming hardly anything is folded; the charter is at once, and all of it soon after."""
    other = Village("other", lanes=(MARKET,))
    for number in range(SHOPS):
        other.say(MARKET, "shop.published", shop_id=object_id(f"shop {number}"), name={"en": f"{number}"})
    house = House(tmp_path, Village("shop", lanes=())).start()
    try:
        size = len(other.entries[MARKET])
        during = 0
        for start in range(0, size, PORTION):
            during = await take(house, other, MARKET, start, start + PORTION)
        await take(house, other, CHARTER, 0, 1_000)
        assert during < size - PORTION
        async with asyncio.timeout(60):
            while folded(house, other, MARKET) < size:  # noqa: ASYNC110  the writer's thread folds
                await asyncio.sleep(0.01)
        assert folded(house, other, CHARTER) == len(other.entries[CHARTER])
    finally:
        house.stop()
