"""The lane writer on a real store: durable before acknowledged, signed before shown, nothing signed twice."""

import asyncio
from collections.abc import Iterator
from pathlib import Path
from threading import Event

import pytest

from node.errors import NodeError
from node.writer.clock import ClockGuard
from node.writer.lane_writer import Advance, LaneWriter
from node.writer.own_lanes import Signer
from node.writer.transaction import Transaction
from protocol.errors import RecordVoid
from protocol.lanes.kind import CHARTER, Reference
from protocol.lanes.market.shops import ShopPublished
from protocol.log.checkpoint import open_checkpoint
from protocol.log.origin import Origin
from storage.engine import Store, open_store
from storage.errors import StorageError
from storage.guard import open_guard
from storage.heads import HeadStore
from storage.lanes import LaneStore
from storage.views.search_queue import queued_count
from tests.village import MARKET, START_MS, Village, object_id

NOW_MS = START_MS + 10_000_000_000


class StoppedClock:
    """A clock that goes where it is told."""

    def __init__(self) -> None:
        self.now_ms = NOW_MS

    def __call__(self) -> int:
        return self.now_ms


class House:
    """A writer on a folder, with the events it told."""

    def __init__(self, folder: Path, village: Village) -> None:
        self.village = village
        self.clock = StoppedClock()
        self.store: Store = open_store(folder)
        self.guard = open_guard(folder)
        self.signed = Event()
        self.advances: list[Advance] = []
        self.writer = LaneWriter(
            self.store,
            self.guard,
            Signer(village.community, 0, village.log),
            find_signer=lambda keys: Signer(village.community, keys.epoch, None),
            lease=bytes(16),
            clock=ClockGuard(self.clock),
            on_advance=self.note,
        )

    def note(self, advance: Advance) -> None:
        self.advances.append(advance)
        if advance.signed:
            self.signed.set()

    def start(self) -> "House":
        with self.store.write() as connection:
            lanes = LaneStore(connection)
            key = lanes.open_lane(self.village.community, CHARTER, 0)
            lanes.append(key, 0, self.village.entries[CHARTER][:1])
        self.writer.start()
        return self

    def stop(self) -> None:
        self.writer.stop()
        self.store.close()
        self.guard.close()

    async def publish(self, name: str) -> Reference:
        body = ShopPublished(shop_id=object_id(name), name={"en": name})
        return await self.writer.run(lambda transaction: transaction.say(MARKET, body))


@pytest.fixture
def village() -> Village:
    return Village("shop", lanes=())


@pytest.fixture
def house(tmp_path: Path, village: Village) -> Iterator[House]:
    house = House(tmp_path, village).start()
    yield house
    house.stop()


async def test_a_record_is_acknowledged_durable_and_covered_by_a_signed_head(house: House) -> None:
    """The first shop declares and opens its lane; both lanes get a head whose root is that of the entries."""
    reference = await house.publish("bakery")
    assert (reference.lane, reference.index) == (MARKET, 1)
    house.writer.stop()
    with house.store.read() as connection:
        heads = {head.lane: head for head in HeadStore(connection).heads()}
        assert (heads[MARKET].size, heads[CHARTER].size) == (2, 2)
        for lane, head in heads.items():
            origin = Origin(house.village.community, lane, 0).text
            checkpoint = open_checkpoint(head.note, origin, house.village.log.public)
            assert checkpoint.root == LaneStore(connection).compact_range(head.lane_key).root()


async def test_a_void_record_is_refused_and_not_written(house: House) -> None:
    """Withdrawing what was never published names the code, and the lane stays as it was."""
    from protocol.lanes.market.listings import ListingWithdrawn

    await house.publish("bakery")
    body = ListingWithdrawn(listing_id=object_id("nothing"))
    with pytest.raises(RecordVoid, match="no such listing"):
        await house.writer.run(lambda transaction: transaction.say(MARKET, body))
    assert (await house.publish("butcher")).index == 2


async def test_many_records_of_one_moment_take_following_times(house: House) -> None:
    """A stopped clock gives one millisecond for 600 records: 256 share it, the rest take the next ones."""
    references = await asyncio.gather(*(house.publish(f"shop {number}") for number in range(600)))
    assert [reference.index for reference in references] == list(range(1, 601))


@pytest.mark.parametrize(("now_ms", "code"), [(0, "clock_before_release"), (NOW_MS - 60_000, "clock_behind")])
async def test_a_wrong_clock_stops_writing_and_nothing_else(house: House, now_ms: int, code: str) -> None:
    """In 1970, or a minute behind the newest record, a node reads and writes nothing; then it goes on."""
    await house.publish("bakery")
    house.clock.now_ms = now_ms
    with pytest.raises(NodeError) as refused:
        await house.publish("butcher")
    assert refused.value.code == code
    house.clock.now_ms = NOW_MS + 1
    assert (await house.publish("butcher")).index == 2


async def test_a_restored_old_copy_reads_and_signs_nothing(tmp_path: Path, village: Village) -> None:
    """The guard knows of more than the database: the node says so and writes no second history."""
    folder = tmp_path / "node"
    house = House(folder, village).start()
    await house.publish("bakery")
    house.stop()
    copy = (folder / "wildgrass.db").read_bytes()
    house = House(folder, village).start()
    await house.publish("butcher")
    house.stop()
    (folder / "wildgrass.db").write_bytes(copy)
    for side in ("wildgrass.db-wal", "wildgrass.db-shm"):
        (folder / side).unlink(missing_ok=True)
    house = House(folder, village).start()
    with pytest.raises(NodeError) as refused:
        await house.publish("a second history")
    assert refused.value.code == "store_restored"
    house.stop()


async def test_what_was_synced_but_not_signed_is_signed_after_a_start(
    tmp_path: Path, village: Village
) -> None:
    """Records that a kill left without a checkpoint get one at the next start."""
    folder = tmp_path / "node"
    house = House(folder, village)
    with house.store.write() as connection:
        lanes = LaneStore(connection)
        key = lanes.open_lane(village.community, CHARTER, 0)
        lanes.append(key, 0, village.entries[CHARTER][:1])
    house.writer.start()
    assert house.signed.wait(10)
    house.stop()


async def test_a_job_that_fails_does_not_touch_its_neighbours(house: House) -> None:
    """One job of a group raises; the others are answered."""

    def bad(transaction: Transaction) -> None:
        raise NodeError("not_found", "as planned")

    first, second = await asyncio.gather(
        house.writer.run(bad), house.publish("bakery"), return_exceptions=True
    )
    assert isinstance(first, NodeError)
    assert isinstance(second, Reference)


async def test_a_full_disk_refuses_what_is_asked_and_the_writer_goes_on_when_there_is_room(
    house: House,
) -> None:
    """Nobody waits for ever, what was acknowledged stays, and folding and indexing are taken up again."""
    acknowledged = await house.publish("bakery")
    with house.store.write() as connection:
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar_one()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")
    refusals: list[str] = []
    for number in range(600):
        try:
            acknowledged = await asyncio.wait_for(house.publish(f"shop {number}"), 10)
        except StorageError as error:
            refusals.append(error.code)
            await asyncio.sleep(
                0.3 * (len(refusals) == 1)
            )  # in a quiet moment the backlog is tried, and fails
        if len(refusals) == 3:
            break
    assert refusals == ["storage_full"] * 3
    with house.store.write() as connection:
        connection.exec_driver_sql("PRAGMA max_page_count=100000")
    assert (await asyncio.wait_for(house.publish("butcher"), 10)).index == acknowledged.index + 1
    house.writer.stop()
    with house.store.read() as connection:
        key = LaneStore(connection).lane_key(house.village.community, MARKET, 0)
        assert key is not None
        assert LaneStore(connection).size(key) == acknowledged.index + 2
        assert queued_count(connection) == 0


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
async def test_a_fault_of_our_own_leaves_nobody_waiting(house: House) -> None:
    """An exception that no job may raise ends the writer: who waits and who comes later is told so."""

    def faulty(transaction: Transaction) -> None:
        raise ZeroDivisionError

    told = await asyncio.wait_for(
        asyncio.gather(house.writer.run(faulty), house.publish("bakery"), return_exceptions=True), 10
    )
    house.writer.stop()
    assert [getattr(error, "code", None) for error in told] == ["node_stopping"] * 2
    with pytest.raises(NodeError, match="node is stopping"):
        await house.publish("butcher")
    assert house.writer.refuses_because is not None
