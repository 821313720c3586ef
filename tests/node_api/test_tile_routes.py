"""A lane over HTTP: what a stranger, an auditor and a cache may read of it."""

import asyncio
from hashlib import sha256

import pytest

from node.api.frame import Gate, build_app
from node.api.openapi import openapi_document
from node.api.stored_lanes import StoredLanes
from node.api.tiles import tile_routes
from node.epochs import learn_successor
from protocol.fold import Fold
from protocol.identity.keys import to_base32
from protocol.lanes.kind import CHARTER, TRADE, Lane
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note, open_checkpoint
from protocol.log.merkle import CompactRange, leaf_hash
from protocol.log.origin import Origin
from protocol.log.tiles import (
    entry_bundle_path,
    right_edge,
    root_from_right_edge,
    tile_path,
    tile_width,
    unpack_entries,
    unpack_tile,
)
from storage.engine import open_store
from storage.heads import HeadStore
from storage.lanes import LaneStore
from storage.views.folding import FoldState
from storage.views.reading import StateReader
from tests.successors import note_of
from tests.village import MARKET, Village, VillageEntries

TOKEN = "a" * 52
AUDITOR = "c" * 52


class Served:
    """A village in a real store, and the application that serves it."""

    def __init__(self, tmp_path) -> None:
        self.village = Village("shop")
        self.village.say(CHARTER, "lane.declared", lane=TRADE, visibility="peers")
        for _ in range(300):
            self.village.say(MARKET, "lane.opened", lane=MARKET)
        self.store = open_store(tmp_path / "store")
        self.is_open = False
        with self.store.write() as connection:
            for lane, entries in self.village.entries.items():
                self.put(connection, lane, entries, unsigned=1 if lane == MARKET else 0)
        state = FoldState(self.store.forget_on_failure)
        with self.store.write() as connection, state.within(connection):
            fold = Fold(state, VillageEntries([self.village]))
            for lane, entries in self.village.entries.items():
                fold.feed(Lane(self.village.community, lane), epoch=0, start=0, entries=entries)
            state.flush()
            self.note = note_of(self.village)
            learn_successor(StateReader(connection), self.note)

    def put(self, connection, lane, entries, *, unsigned) -> None:
        """Store a lane whose head leaves the last `unsigned` entries out."""
        lanes, origin = LaneStore(connection), Origin(self.village.community, lane, 0)
        key = lanes.open_lane(self.village.community, lane, 0)
        lanes.append(key, 0, entries)
        compact = CompactRange()
        compact.extend([leaf_hash(entry) for entry in entries[: len(entries) - unsigned]])
        checkpoint = Checkpoint(origin.text, compact.size, compact.root())
        note = make_checkpoint_note(checkpoint, self.village.log)
        HeadStore(connection).set_head(key, compact.size, compact.root(), note)

    async def read(self, question):
        with self.store.read() as connection:
            return question(StateReader(connection))

    async def may_read(self, token: str, community: bytes, lane: str) -> bool:
        return token == AUDITOR and community == self.village.community and lane == TRADE

    def path(self, lane: str, rest: str) -> str:
        return f"/lanes/{to_base32(self.village.community)}/0/{lane}/{rest}"


@pytest.fixture
def served(tmp_path):
    served = Served(tmp_path)
    yield served
    served.store.close()


@pytest.fixture
async def client(aiohttp_client, served):
    gate = Gate(api_token=TOKEN, may_read=served.may_read, is_open=lambda: False)
    routes = tile_routes(StoredLanes(served.read), gate)
    app = build_app([], None, gate=gate, plain=routes)
    document = openapi_document([], routes, version="1")
    assert set(document["paths"]) == {
        "/lanes/index",
        "/lanes/{community}/successor/{epoch}",
        "/lanes/{community}/statements/index",
        "/lanes/{community}/statements/{digest}",
        "/lanes/{community}/{epoch}/{lane}/checkpoint",
        "/lanes/{community}/{epoch}/{lane}/{tile}",
    }
    return await aiohttp_client(app)


def bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


async def test_a_stranger_reads_a_public_lane_whole_and_verifies_it(client, served):
    """Checkpoint, right edge and bundles over HTTP state the signed root, entry by entry."""
    response = await client.get(served.path(MARKET, "checkpoint"))
    assert response.headers["Content-Type"] == "text/plain; charset=utf-8"
    origin = Origin(served.village.community, MARKET, 0)
    head = open_checkpoint(await response.read(), origin.text, served.village.log.public)
    assert head.size == len(served.village.entries[MARKET]) - 1 == 300
    edge = []
    for level, index, width in right_edge(head.size):
        tile = await client.get(served.path(MARKET, tile_path(level, index, width)))
        assert tile.headers["Content-Type"] == "application/octet-stream"
        edge.append(unpack_tile(await tile.read(), width))
    assert root_from_right_edge(head.size, edge) == head.root
    entries = []
    for index in range(2):
        width = tile_width(head.size, 0, index)
        bundle = await client.get(served.path(MARKET, entry_bundle_path(index, width)))
        entries += unpack_entries(await bundle.read(), width)
    assert entries == served.village.entries[MARKET][:300]


async def test_nothing_beyond_the_signed_head_is_served(client, served):
    """An entry that is stored but not covered by a checkpoint is nobody's yet."""
    covered = await client.get(served.path(MARKET, entry_bundle_path(1, 44)))
    beyond = await client.get(served.path(MARKET, entry_bundle_path(1, 45)))
    assert (covered.status, beyond.status) == (200, 404)
    assert (await client.get(served.path(MARKET, tile_path(0, 1, 45)))).status == 404
    assert (await client.get(served.path(MARKET, tile_path(1, 0, 2)))).status == 404


async def test_a_lane_for_peers_is_served_to_its_auditor_only(client, served):
    """The token stands in the header; without one 401, with another one 403, never the bytes."""
    for rest in ("checkpoint", entry_bundle_path(0, 1), tile_path(0, 0, 1)):
        path = served.path(TRADE, rest)
        assert (await client.get(path)).status == 401
        assert (await client.get(f"{path}?token={AUDITOR}")).status == 401
        assert (await client.get(path, headers=bearer("d" * 52))).status == 403
        for token in (AUDITOR, TOKEN):
            response = await client.get(path, headers=bearer(token))
            assert response.status == 200
            assert response.headers["Cache-Control"].startswith("private, ")
            assert response.headers["Vary"] == "Authorization"
            assert "Access-Control-Allow-Origin" not in response.headers


async def test_the_index_shows_each_asker_what_it_may_read(client, served):
    """One line a lane, sorted; lanes for peers only to whom they are open."""
    community = to_base32(served.village.community)
    everybody = await (await client.get("/lanes/index")).text()
    auditor = await (await client.get("/lanes/index", headers=bearer(AUDITOR))).text()
    assert f"{community}/0/market/food 300\n" in everybody
    assert f"{community}/0/trade 1\n" not in everybody
    assert f"{community}/0/trade 1\n" in auditor
    assert everybody.splitlines() == sorted(everybody.splitlines())


async def test_what_never_changes_is_cached_and_what_may_change_is_asked_for_again(client, served):
    """ETag and 304 for both; a tile may be kept for ever."""
    for rest, cache in [("checkpoint", "no-cache"), (entry_bundle_path(0, 256), "immutable")]:
        first = await client.get(served.path(MARKET, rest))
        assert first.headers["Cache-Control"].startswith("public, ")
        assert cache in first.headers["Cache-Control"]
        assert first.headers["Access-Control-Allow-Origin"] == "*"
        assert first.headers["ETag"] == f'"{sha256(await first.read()).hexdigest()[:32]}"'
        again = await client.get(served.path(MARKET, rest), headers={"If-None-Match": first.headers["ETag"]})
        assert (again.status, await again.read()) == (304, b"")
        assert again.headers["ETag"] == first.headers["ETag"]
        other = await client.get(served.path(MARKET, rest), headers={"If-None-Match": '"other"'})
        assert other.status == 200
        head = await client.head(served.path(MARKET, rest))
        assert (head.status, await head.read(), head.headers["ETag"]) == (200, b"", first.headers["ETag"])
        assert head.headers["Content-Length"] == first.headers["Content-Length"]


async def test_a_successor_note_is_found_by_its_epoch(client, served):
    """Followers of a rotated community ask for it by name."""
    path = f"/lanes/{to_base32(served.village.community)}/successor/"
    assert await (await client.get(path + "0")).read() == served.note
    assert (await client.get(path + "1")).status == 404


async def test_statements_are_for_anyone_by_their_digests(client, served):
    """The list names the note that is kept; each is served under its digest, and nothing under another."""
    path = f"/lanes/{to_base32(served.village.community)}/statements/"
    listed = await client.get(path + "index")
    digest = sha256(served.note).hexdigest()
    assert (listed.status, await listed.text()) == (200, f"{digest}\n")
    found = await client.get(path + digest)
    assert await found.read() == served.note
    assert "immutable" in found.headers["Cache-Control"]
    other = sha256(b"other").hexdigest()
    for wrong in (path + other, path + digest.upper(), path + digest[:-1]):
        assert (await client.get(wrong)).status == 404
    stranger = await client.get(f"/lanes/{to_base32(bytes(32))}/statements/index")
    assert (stranger.status, await stranger.text()) == (200, "")


@pytest.mark.parametrize(
    "rest",
    [
        "tile/0/0",
        "tile/0/000.p/0",
        "tile/0/000.p/256",
        "tile/0/000.p/07",
        "tile/00/000",
        "tile/9/x999/x999/x999/999",
        "tile/entries/000/",
        "tile/entries/%2e%2e/000",
        "tile/entries/000%00",
        "tile/entries/" + "x000/" * 500 + "000",
        "tile/-1/000",
        "tile/٠/٠٠٠",
        "Checkpoint",
        "checkpoint/",
        "",
    ],
)
async def test_an_odd_path_is_not_found_and_nothing_else(client, served, rest):
    """No path leads outside the lanes, and none makes the node fail."""
    assert (await client.get(served.path(MARKET, rest))).status == 404


async def test_odd_communities_epochs_and_lanes_are_not_found(client, served):
    """Only the one spelling of each is a name."""
    community = to_base32(served.village.community)
    other = to_base32(sha256(b"other").digest())
    for path in [
        f"/lanes/{community}/00/market/food/checkpoint",
        f"/lanes/{community}/9999999999/market/food/checkpoint",
        f"/lanes/{community}/1/market/food/checkpoint",
        f"/lanes/{community}/0/market/fish/checkpoint",
        f"/lanes/{community}/0/market/food/food/checkpoint",
        f"/lanes/{community.upper()}/0/market/food/checkpoint",
        f"/lanes/{other}/0/charter/checkpoint",
        f"/lanes/{'7' * 52}/0/charter/checkpoint",
        f"/lanes/{community}/successor/00",
        f"/lanes/{'7' * 52}/successor/0",
    ]:
        assert (await client.get(path)).status == 404, path


async def test_many_readers_at_once_get_the_same_bytes(client, served):
    """Serving is reading: it changes nothing."""
    paths = [served.path(MARKET, entry_bundle_path(0, width)) for width in (1, 17, 256)] * 10
    responses = await asyncio.gather(*(client.get(path) for path in paths))
    bodies = [await response.read() for response in responses]
    assert bodies[:3] * 10 == bodies
