"""A node that comes back with older data finds out from its neighbours, fetches what it has forgotten, and signs on."""

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

from node.actions.peers import PeerAddress, add_peer
from node.actions.resuming import AloneDraft, continue_alone
from node.actions.shops import ShopDraft, publish_shop
from node.errors import NodeError
from node.forks import FORK
from protocol.lanes import BODY_TYPES
from protocol.lanes.charter.writers import WriterResumed
from protocol.lanes.kind import CHARTER
from protocol.log.origin import Origin
from protocol.log.record import decode_record
from storage.acknowledgements import acknowledging_peers
from storage.evidence import evidence_about
from storage.heads import HeadStore
from storage.lanes import LaneStore
from tests.pages.neighbour_nodes import Community, opened_community

MARKET = "market/food"


@dataclass
class Village:
    """The neighbour that stays, and the folder of the one that comes and goes."""

    ferry: Community
    folder: Path
    backup: Path


async def lane_at(at: Community, community: bytes, lane: str = MARKET) -> list[bytes]:
    """What a node shows of a lane: the entries under the head."""

    def question(read) -> list[bytes]:
        origin = Origin(community, lane, 0)
        store = LaneStore(read.connection)
        key = store.lane_key(origin.community, origin.lane, origin.epoch)
        head = None if key is None else HeadStore(read.connection).head(key)
        return [] if head is None else store.entries(head.lane_key, 0, head.size)

    return await at.node.read(question)


async def entries_at(at: Community, community: bytes, lane: str) -> list[bytes]:
    """All that is stored of a lane, signed or not."""

    def question(read) -> list[bytes]:
        store = LaneStore(read.connection)
        key = store.lane_key(community, lane, 0)
        return [] if key is None else store.entries(key, 0, store.size(key))

    return await at.node.read(question)


async def publish(at: Community, name: str) -> None:
    await publish_shop(at.node, ShopDraft(sector="food", name={"en": name}))


async def settle(orchard: Community, ferry: Community) -> list[bytes]:
    """Until the neighbour shows all that is said, and has acknowledged it."""
    own = orchard.node.community

    async def is_settled() -> bool:
        def question(read) -> int:
            key = LaneStore(read.connection).lane_key(own, MARKET, 0)
            return 0 if key is None else LaneStore(read.connection).size(key)

        size = await orchard.node.read(question)
        peers = await orchard.node.read(lambda read: acknowledging_peers(read.connection))
        shown = [await lane_at(at, own) for at in (orchard, ferry)]
        return size == len(shown[0]) and shown[0] == shown[1] and ferry.node.community in peers

    await ferry.until(is_settled)
    return await lane_at(ferry, own)


@asynccontextmanager
async def opened_village(tmp_path: Path) -> AsyncIterator[Village]:
    """Two neighbours that follow each other; the folder of one was copied after its first two records."""
    village_folder = tmp_path / "orchard"
    async with opened_community(tmp_path / "ferry", "Ferry") as ferry:
        async with opened_community(village_folder, "Orchard") as orchard:
            await add_peer(orchard.node, PeerAddress(address=ferry.address, community=ferry.id))
            await add_peer(ferry.node, PeerAddress(address=orchard.address, community=orchard.id))
            await publish(orchard, "Press")
            await settle(orchard, ferry)
        shutil.copytree(village_folder, tmp_path / "backup")
        async with opened_community(village_folder, "Orchard") as orchard:
            for name in ("Mill", "Barn", "Well"):
                await publish(orchard, name)
            await settle(orchard, ferry)
        yield Village(ferry, village_folder, tmp_path / "backup")


def restore(village: Village, *names: str) -> None:
    """Put the whole old folder back, or only some files of it."""
    for name in names or [path.name for path in village.folder.iterdir()]:
        target, source = village.folder / name, village.backup / name
        for stale in village.folder.glob(name + "*") if target.is_file() else [target]:
            shutil.rmtree(stale) if stale.is_dir() else stale.unlink()
        if source.is_dir():
            shutil.copytree(source, target)
        elif source.exists():
            shutil.copy2(source, target)


async def forks_at(at: Community, about: bytes) -> int:
    return len(await at.node.read(lambda read: evidence_about(read.connection, about, FORK)))


@pytest.mark.parametrize(
    "names", [(), ("wildgrass.db",)], ids=["the whole folder", "the store without its guard"]
)
async def test_an_old_copy_heals_and_signs_no_second_history(tmp_path: Path, names: tuple[str, ...]) -> None:
    """What it had signed since comes back byte for byte, and the next record stands behind it."""
    async with opened_village(tmp_path) as village:
        ferry = village.ferry
        restore(village, *names)
        async with opened_community(village.folder, "Orchard") as orchard:
            own = orchard.node.community
            known = await lane_at(ferry, own)
            assert len(await lane_at(orchard, own)) < len(known)
            charter = await lane_at(ferry, own, CHARTER)

            async def is_whole() -> bool:
                return orchard.node.writer.refuses_because is None

            await orchard.until(is_whole)
            assert (await lane_at(orchard, own), await lane_at(orchard, own, CHARTER)) == (known, charter)
            await publish(orchard, "Oven")
            told = await settle(orchard, ferry)
            assert told[: len(known)] == known
            assert len(told) == len(known) + 1
            assert await forks_at(ferry, own) == await forks_at(orchard, own) == 0


async def test_who_wants_to_write_after_a_restart_waits_for_the_neighbour_and_no_longer(
    tmp_path: Path,
) -> None:
    """The record is kept back until the neighbour has answered, and then said without being asked again."""
    async with opened_village(tmp_path) as village, opened_community(village.folder, "Orchard") as orchard:
        await publish(orchard, "Oven")
        assert orchard.node.writer.refuses_because is None
        assert len(await settle(orchard, village.ferry)) == 6


async def test_what_is_written_while_the_store_is_asked_waits_and_is_said(tmp_path: Path) -> None:
    """A neighbour may show our newest head before we hear of it: nobody is refused for that moment."""
    async with opened_community(tmp_path, "Orchard") as orchard:
        orchard.node.writer.hold_signing()
        waits = asyncio.ensure_future(publish(orchard, "Oven"))
        await orchard.node.write(lambda transaction: None)
        assert not waits.done()
        orchard.node.writer.allow_signing()
        await waits
        assert len(await entries_at(orchard, orchard.node.community, MARKET)) == 2, "opened, and the shop"


async def test_without_its_neighbour_a_node_says_nothing_until_a_steward_decides(tmp_path: Path) -> None:
    """After the time is over whoever waits is told; alone it goes on, and says so in its charter."""
    async with opened_village(tmp_path) as village:
        folder = village.folder
    async with opened_community(folder, "Orchard") as orchard:
        own, writer = orchard.node.community, orchard.node.writer
        before = await lane_at(orchard, own)
        waits = asyncio.ensure_future(publish(orchard, "Oven"))
        await orchard.node.write(lambda transaction: None)  # what says nothing is not held up
        assert not waits.done()
        writer.stop_signing(NodeError("waiting_for_neighbours"))  # as if the time were over
        for wish in (waits, publish(orchard, "Oven")):
            with pytest.raises(NodeError) as refused:
                await wish
            assert refused.value.code == "waiting_for_neighbours"
        assert await lane_at(orchard, own) == before
        steward = await orchard.browser("steward")
        assert "Continue alone" in (await steward.get("/neighbours")).words
        assert "Continue alone" not in (await (await orchard.browser("member")).get("/neighbours")).words
        assert (await steward.post("/neighbours/alone")).location == "/neighbours?said=alone"
        assert "Continue alone" not in (await steward.get("/neighbours")).words
        await publish(orchard, "Oven")
        record = decode_record((await entries_at(orchard, own, CHARTER))[-1], BODY_TYPES)
        assert (record.kind, record.body) == ("writer.resumed", WriterResumed(asked=1, answered=0))
        with pytest.raises(NodeError) as refused:
            await continue_alone(orchard.node, AloneDraft())
        assert refused.value.code == "alone_refused"
