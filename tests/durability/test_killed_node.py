"""`kill -9` while a shop publishes: what was acknowledged is there, what is signed is true."""

import contextlib
import http.client
import random
import threading
import time
from pathlib import Path

from protocol.identity.keys import from_base32, to_base32
from protocol.log.merkle import leaf_hash
from storage.engine import open_store
from storage.guard import SigningMarks, behind, open_guard
from storage.heads import HeadStore
from storage.lanes import LaneStore
from tests.durability.running import SHOP, RunningNode

KILLS = 4
CLIENTS = 4


def publish_until_killed(node: RunningNode, shop_id: str, acknowledged: list[tuple[int, str]]) -> None:
    """Publish one listing after another; note index and record id of each that was acknowledged."""
    with contextlib.suppress(OSError, http.client.HTTPException), node.open() as connection:
        number = 0
        while True:
            record = node.post_on(connection, "/listings", node.listing(shop_id, number))["record"]
            acknowledged.append((record["index"], record["record_id"]))
            number += 1


def test_nothing_acknowledged_is_lost_by_kill_9(tmp_path: Path) -> None:
    """Four times a node is killed while four clients publish; every acknowledged record stands at its index."""
    folder = tmp_path / "node"
    chance = random.Random(20251122)
    acknowledged: list[tuple[int, str]] = []
    shop_id = ""
    for _ in range(KILLS):
        node = RunningNode(folder)
        shop_id = shop_id or node.post("/shops", SHOP)["shop_id"]
        clients = [
            threading.Thread(target=publish_until_killed, args=(node, shop_id, acknowledged))
            for _ in range(CLIENTS)
        ]
        for client in clients:
            client.start()
        time.sleep(chance.uniform(0.2, 0.9))
        node.kill()
        for client in clients:
            client.join()
    assert len(acknowledged) > KILLS
    community = from_base32(node.running["community"], 32)
    with open_store(folder) as store, open_guard(folder) as guard, store.read() as connection:
        lanes = LaneStore(connection)
        key = lanes.lane_key(community, "market/food", 0)
        assert key is not None
        for index, record_id in acknowledged:
            assert to_base32(leaf_hash(lanes.entry(key, index))) == record_id
        assert behind(SigningMarks(connection).marks(), guard.marks()) == []
        head = HeadStore(connection).head(key)
        assert head is not None
        assert lanes.compact_range(key, head.size).root() == head.root


def test_a_node_stops_within_three_seconds_and_signs_what_is_left(tmp_path: Path) -> None:
    """After SIGTERM the newest head covers the last listing, and the next start goes on from there."""
    node = RunningNode(tmp_path / "node")
    shop_id = node.post("/shops", SHOP)["shop_id"]
    for number in range(20):
        node.post("/listings", node.listing(shop_id, number))
    assert node.stop() < 3.0
    again = RunningNode(tmp_path / "node")
    assert again.checkpoint().split(b"\n")[1] == b"22"
    again.stop()
