"""Local appends, acknowledged one by one, against a bare `sqlite3` loop with the same group commit.

Fifty clients publish listings through the API's own function, each waiting for its answer before it goes on;
folding, signing, checkpoints and Python's collector run as they do in a node. The loop writes the bytes of the
same records into one table, fifty a commit, WAL and synchronous FULL: no record, no tree, no fold, no signature.

Between the two stands the floor: fifty clients on an event loop, each answered when a thread has committed the
loop's insert for the group, with the standard library alone. What it falls short of the bare loop by is the price
of asking and answering one by one in one process; what ours falls short of it by is the work on a record.
"""

import asyncio
import sqlite3
from collections import deque
from collections.abc import Iterator, Sequence
from contextlib import closing
from pathlib import Path
from threading import Event

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
Row = tuple[int, bytes]
_TEXT = "Grown without sprays on the slope above the ferry; picked in the morning, brought down by noon. " * 2


def figures(bench: Bench) -> Iterator[Figure]:
    """Measure all three in turn, round by round, each in an empty folder."""
    own: list[Watch] = []
    floor: list[Watch] = []
    bare: list[Watch] = []
    for number in range(bench.rounds):
        tell(
            f"appends, round {number + 1}: {RECORDS} listings from {CLIENTS} clients, then floor and bare loop"
        )
        folder = bench.scratch / f"appends-{number}"
        watch, entries = asyncio.run(_publish(folder))
        own.append(watch)
        rows = list(enumerate(entries))
        floor.append(asyncio.run(_ask_for_inserts(folder / "floor.db", rows)))
        bare.append(_insert_all(folder / "bare.db", rows))
        mean_bytes = sum(map(len, entries)) // len(entries)
    runs = {
        "acknowledged": (
            own,
            f"{CLIENTS} clients in the same process; fold and checkpoints; records of {mean_bytes} bytes",
        ),
        "floor": (
            floor,
            f"{CLIENTS} clients of an event loop, a thread that does the bare loop's inserts for them",
        ),
        "bare_sqlite3": (bare, f"nothing; the same bytes, {CLIENTS} inserts a commit, synchronous FULL, WAL"),
    }
    for name, (watches, beside) in runs.items():
        yield bench.figure(
            f"appends.{name}",
            "records/s",
            n=RECORDS,
            values=[RECORDS / watch.wall_seconds for watch in watches],
            beside=beside,
        )
    for name, (watches, beside) in runs.items():  # what a slow sync of the disk does not hide
        yield bench.figure(
            f"appends.{name}_cpu",
            "us/record",
            n=RECORDS,
            values=[watch.cpu_seconds / RECORDS * 1e6 for watch in watches],
            beside=beside,
        )
    yield _ratio(bench, "floor_ratio", floor, bare, goal=None)
    yield _ratio(bench, "ratio", own, bare, goal=Goal(kind="at_least", value=0.5))


def _ratio(
    bench: Bench, name: str, slower: Sequence[Watch], bare: Sequence[Watch], *, goal: Goal | None
) -> Figure:
    return bench.figure(
        f"appends.{name}",
        "of bare sqlite3",
        n=RECORDS,
        values=[loop.wall_seconds / watch.wall_seconds for watch, loop in zip(slower, bare, strict=True)],
        beside="the two runs of one round, one after the other",
        goal=goal,
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


async def _ask_for_inserts(file: Path, rows: Sequence[Row]) -> Watch:
    """Have `CLIENTS` clients insert the rows, each waiting until a thread has committed its own."""
    asked: deque[tuple[Row, asyncio.Future[None]]] = deque()
    has_some = Event()
    loop = asyncio.get_running_loop()

    async def ask(own_rows: Sequence[Row]) -> None:
        for row in own_rows:
            future = loop.create_future()
            asked.append((row, future))
            if len(asked) == 1:
                loop.call_soon(has_some.set)  # when this turn of the loop is over: all of it is one group
            await future

    def insert_what_is_asked(bare: sqlite3.Connection) -> None:
        inserted = 0
        while inserted < len(rows):
            has_some.wait()
            has_some.clear()
            group = [asked.popleft() for _ in range(len(asked))]
            _insert(bare, [row for row, _ in group])
            inserted += len(group)
            loop.call_soon_threadsafe(_settle, [future for _, future in group])

    with closing(_bare_table(file)) as bare, watched() as watch:
        clients = (ask(rows[first::CLIENTS]) for first in range(CLIENTS))
        await asyncio.gather(asyncio.to_thread(insert_what_is_asked, bare), *clients)
    return watch


def _settle(futures: Sequence["asyncio.Future[None]"]) -> None:
    for future in futures:
        future.set_result(None)


def _insert_all(file: Path, rows: Sequence[Row]) -> Watch:
    """Insert the rows, `CLIENTS` a commit, each synced."""
    with closing(_bare_table(file)) as bare, watched() as watch:
        for start in range(0, len(rows), CLIENTS):
            _insert(bare, rows[start : start + CLIENTS])
    return watch


def _bare_table(file: Path) -> sqlite3.Connection:
    bare = sqlite3.connect(file, isolation_level=None, check_same_thread=False)
    bare.execute("PRAGMA journal_mode=WAL")
    bare.execute("PRAGMA synchronous=FULL")
    bare.execute("CREATE TABLE entries (number INTEGER PRIMARY KEY, entry BLOB NOT NULL)")
    return bare


def _insert(bare: sqlite3.Connection, rows: Sequence[Row]) -> None:
    bare.execute("BEGIN IMMEDIATE")
    bare.executemany("INSERT INTO entries VALUES (?, ?)", rows)
    bare.execute("COMMIT")
