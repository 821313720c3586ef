"""Local appends, acknowledged one by one, against a bare `sqlite3` loop with the same group commit.

Fifty clients publish listings through the API's own function, each waiting for its answer before it goes on;
folding, signing, checkpoints and Python's collector run as they do in a node. The loop writes the bytes of the
same records into one table, fifty a commit, WAL and synchronous FULL: no record, no tree, no fold, no signature.
"""

import asyncio
import sqlite3
from collections.abc import Iterator
from pathlib import Path

from benchmarks.houses import found, opened, own_entries
from benchmarks.measuring import Bench, Figure, Goal, Watch, tell, watched
from benchmarks.mix import MARKET
from node.actions.listings import ListingDraft, publish_listing
from node.actions.shops import ShopDraft, publish_shop
from node.core import Node
from node.operations.collecting import collect_seldom
from protocol.lanes.market.listings import FixedPrice, Tax

CLIENTS = 50
RECORDS = 10_000
_TEXT = "Grown without sprays on the slope above the ferry; picked in the morning, brought down by noon. " * 2


def figures(bench: Bench) -> Iterator[Figure]:
    """Measure both in turn, round by round, each in an empty folder."""
    own: list[Watch] = []
    bare: list[Watch] = []
    for number in range(bench.rounds):
        tell(f"appends, round {number + 1}: {RECORDS} listings from {CLIENTS} clients, then the bare loop")
        folder = bench.scratch / f"appends-{number}"
        watch, entries = asyncio.run(_publish(folder))
        own.append(watch)
        bare.append(_insert(folder / "bare.db", entries))
        mean_bytes = sum(map(len, entries)) // len(entries)
    beside = f"{CLIENTS} clients in the same process; fold and checkpoints; records of {mean_bytes} bytes"
    yield bench.figure(
        "appends.acknowledged",
        "records/s",
        n=RECORDS,
        values=[RECORDS / watch.wall_seconds for watch in own],
        beside=beside,
    )
    yield bench.figure(
        "appends.cpu",
        "us/record",
        n=RECORDS,
        values=[watch.cpu_seconds / RECORDS * 1e6 for watch in own],
        beside=beside,
    )
    yield bench.figure(
        "appends.bare_sqlite3",
        "records/s",
        n=RECORDS,
        values=[RECORDS / watch.wall_seconds for watch in bare],
        beside=f"nothing; the same bytes, {CLIENTS} inserts a commit, synchronous FULL, WAL",
    )
    yield bench.figure(
        "appends.ratio",
        "of bare sqlite3",
        n=RECORDS,
        values=[loop.wall_seconds / watch.wall_seconds for watch, loop in zip(own, bare, strict=True)],
        beside="the two runs of one round, one after the other",
        goal=Goal(kind="at_least", value=0.5),
    )


async def _publish(folder: Path) -> tuple[Watch, list[bytes]]:
    """Publish `RECORDS` listings; return how long it took, and the entries that were written."""
    found(folder)
    async with opened(folder) as node:
        shop = await publish_shop(node, ShopDraft(sector="food", name={"en": "By the ferry"}))
        drafts = [_draft(shop.shop_id, number) for number in range(RECORDS)]
        collect_seldom()  # as a node that runs does
        with watched() as watch:
            await asyncio.gather(*(_client(node, drafts[first::CLIENTS]) for first in range(CLIENTS)))
        entries = await node.read(lambda read: own_entries(read, node.community, MARKET))
    assert len(entries) == RECORDS + 2, "leaf 0, the shop, and every listing that was acknowledged"
    return watch, entries[2:]


async def _client(node: Node, drafts: list[ListingDraft]) -> None:
    for draft in drafts:
        await publish_listing(node, draft)


def _draft(shop_id: str, number: int) -> ListingDraft:
    return ListingDraft(
        sector="food",
        shop_id=shop_id,
        title={"en": f"Apples, basket {number}", "zh-Hans": f"苹果，第 {number} 篮"},
        price=FixedPrice(currency="EUR", amount_minor=300 + number),
        unit_code="KGM",
        quantity_scale=3,
        tax=Tax(tax_class="food", rate_bp=700),
        fulfilment=["delivery", "pickup"],
        text={"en": _TEXT},
    )


def _insert(file: Path, entries: list[bytes]) -> Watch:
    """Insert the entries into one table, `CLIENTS` a commit, each synced."""
    bare = sqlite3.connect(file, isolation_level=None)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=FULL")
    bare.execute("CREATE TABLE entries (number INTEGER PRIMARY KEY, entry BLOB NOT NULL)")
    rows = list(enumerate(entries))
    with watched() as watch:
        for start in range(0, len(rows), CLIENTS):
            bare.execute("BEGIN IMMEDIATE")
            bare.executemany("INSERT INTO entries VALUES (?, ?)", rows[start : start + CLIENTS])
            bare.execute("COMMIT")
    bare.close()
    return watch
