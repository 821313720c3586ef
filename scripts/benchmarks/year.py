"""The modelled year: 500 listings and 50 orders a day, lived through by two communities over their APIs.

The shop publishes its listings in imports of 50, eight at a time; the other community buys from it, and every
order goes from placing to both postings by itself, one record after the other, each with its own sync and its own
checkpoint, as on a calm day. Some days are lived (`--days`); a year grows on as they did. The idle
traffic is what crosses the wire between the two in a minute without news, TLS included, mDNS left out.
"""

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path

from benchmarks.houses import found
from benchmarks.life import IMPORT, LISTINGS_A_DAY, ORDERS_A_DAY, Life
from benchmarks.measuring import MIB, Bench, Figure, Goal, tell
from benchmarks.processes import running, written_mib
from benchmarks.wire import CountingWire, counting_wire

DAYS_A_YEAR = 365

_IDLE_SECONDS = 60.0
_SETTLING_SECONDS = 40.0  # each side asks the other once more what is new
_DAY_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Lived:
    """What some days left behind: the sizes of a year in MiB, what was written in them, bytes of an idle minute."""

    shop_year_mib: float
    buyer_year_mib: float
    shop_written_mib: float
    buyer_written_mib: float
    idle_bytes: int


def figures(bench: Bench) -> Iterator[Figure]:
    """Live the days once: every one of them is like the others."""
    lived = asyncio.run(_live(bench.scratch, bench.days))
    how = f"{bench.days} of {DAYS_A_YEAR} days lived; {LISTINGS_A_DAY} listings in imports of {IMPORT}"
    beside = f"{how}, {ORDERS_A_DAY} orders one record at a time; two nodes"
    yield bench.figure(
        "year.database_size",
        "MiB",
        n=bench.days,
        values=[lived.shop_year_mib],
        beside=f"{beside}; the shop's folder",
        goal=Goal(kind="at_most", value=500),
    )
    yield bench.figure(
        "year.database_size_of_follower",
        "MiB",
        n=bench.days,
        values=[lived.buyer_year_mib],
        beside=f"{beside}; the buyer's folder",
    )
    yield bench.figure(
        "year.written_a_day",
        "MiB",
        n=bench.days,
        values=[lived.shop_written_mib / bench.days],
        beside=f"{beside}; the shop's process, what it handed to the disk",
        goal=Goal(kind="at_most", value=50),
    )
    yield bench.figure(
        "year.written_a_day_by_follower",
        "MiB",
        n=bench.days,
        values=[lived.buyer_written_mib / bench.days],
        beside=f"{beside}; the buyer's process",
    )
    yield bench.figure(
        "year.idle_traffic_a_day",
        "MiB",
        n=1,
        values=[lived.idle_bytes * _DAY_SECONDS / _IDLE_SECONDS / MIB],
        beside=f"{_IDLE_SECONDS:.0f} s x {_DAY_SECONDS / _IDLE_SECONDS:.0f}; one session, both directions",
        goal=Goal(kind="at_most", value=1),
    )


async def _live(scratch: Path, days: int) -> Lived:
    vaults = {name: found(scratch / name) for name in ("shop", "buyer")}
    async with AsyncExitStack() as stack:
        shop = await stack.enter_async_context(running(scratch / "shop"))
        buyer = await stack.enter_async_context(running(scratch / "buyer"))
        wire = await stack.enter_async_context(counting_wire(shop.address))
        life = Life(shop, buyer, *(vault.community_text for vault in vaults.values()))
        await life.begin(wire.address)
        before = [written_mib(node.pid) for node in (shop, buyer)]
        sizes = []
        for day in range(days):
            tell(f"year, day {day + 1} of {days}")
            await life.live_day()
            sizes.append((_size_mib(shop.folder), _size_mib(buyer.folder)))
        written = [written_mib(node.pid) - start for node, start in zip((shop, buyer), before, strict=True)]
        idle_bytes = await _idle(wire)
    first, last = sizes[0], sizes[-1]
    shop_year, buyer_year = (_of_a_year(*pair, days) for pair in zip(first, last, strict=True))
    return Lived(shop_year, buyer_year, written[0], written[1], idle_bytes)


def _of_a_year(first_mib: float, last_mib: float, days: int) -> float:
    """Return the size after a year in which the folder grows as it did between the first day and the last."""
    growth = (last_mib - first_mib) / (days - 1) if days > 1 else last_mib
    return last_mib + growth * (DAYS_A_YEAR - days)


async def _idle(wire: CountingWire) -> int:
    """Return how many bytes cross the wire in a minute in which nobody does anything."""
    tell(f"year: {_IDLE_SECONDS:.0f} s of doing nothing")
    await asyncio.sleep(_SETTLING_SECONDS)
    before = wire.bytes_carried
    await asyncio.sleep(_IDLE_SECONDS)
    return wire.bytes_carried - before


def _size_mib(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file()) / MIB
