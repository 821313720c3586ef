"""How long the pages take: every kind of page of a node with many listings, asked for by 20 clients at once.

The node is a process of its own (`page_node`), the 20 clients are in this one: each opens its next page when it has
the last, for somebody who may see it. What the node's own frame counts from a request to its answer is `server`;
what the client waits is `client`. Twenty requests are always in work, so both hold the wait for the other
nineteen; `cpu` is what one page costs the node, all its threads together.
"""

import asyncio
import statistics
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

import aiohttp

from benchmarks.houses import fill, found, settle
from benchmarks.measuring import Bench, Figure, Goal, rounded, tell
from benchmarks.mix import EXACT_BYTES, Mix
from benchmarks.page_node import SECONDS_HEADER, PageNode, furnish, serving
from benchmarks.processes import cpu_seconds

CLIENTS = 20
REQUESTS = 1_000  # of each page in each round
_WARM_UP = 2 * CLIENTS
_MS = 1_000


@dataclass(slots=True)
class Times:
    """What was measured of one page in one round, in milliseconds."""

    server: list[float] = field(default_factory=list)
    client: list[float] = field(default_factory=list)
    cpu: float = 0.0


def figures(bench: Bench) -> Iterator[Figure]:
    """Ask for each page `REQUESTS` times a round."""
    folder = bench.scratch / "pages"
    vault = found(folder)
    mix = Mix(vault, listing_bytes=EXACT_BYTES)
    tell(f"pages: a node with {bench.records} listings, folded and indexed")
    fill(folder, vault.community, mix.opening())
    fill(folder, vault.community, mix.listings(bench.records))
    asyncio.run(settle(folder))
    asyncio.run(furnish(folder))
    for name, rounds in asyncio.run(_measure(folder, bench.rounds)).items():
        beside = f"{CLIENTS} clients at once; {bench.records} listings"
        yield from _figures(bench, name, rounds, beside)


def _figures(bench: Bench, name: str, rounds: list[Times], beside: str) -> Iterator[Figure]:
    goal = Goal(kind="at_most", value=50)
    for what, percent, wanted in (
        ("server", 50, None),
        ("server", 99, goal),
        ("client", 50, None),
        ("client", 99, None),
    ):
        values = [_percentile(getattr(times, what), percent) for times in rounds]
        yield bench.figure(
            f"pages.{name}.{what}_p{percent}", "ms", n=REQUESTS, values=values, beside=beside, goal=wanted
        )
    cpu = [times.cpu for times in rounds]
    yield bench.figure(f"pages.{name}.cpu", "ms/page", n=REQUESTS, values=cpu, beside=beside)


async def _measure(folder: Path, rounds: int) -> dict[str, list[Times]]:
    measured: dict[str, list[Times]] = {}
    async with serving(folder) as node:
        for number in range(rounds):
            for name, page in node.pages.items():
                await _ask(node, page.path, page.cookies, _WARM_UP)
                times = await _ask(node, page.path, page.cookies, REQUESTS)
                measured.setdefault(name, []).append(times)
                tell(f"pages, round {number + 1}: {name}, {rounded(times.cpu)} ms of CPU a page")
    return measured


async def _ask(node: PageNode, path: str, cookies: Mapping[str, str], requests: int) -> Times:
    """Open one page so often, always `CLIENTS` at once."""
    times, numbers = Times(), count()
    before = cpu_seconds(node.pid)
    connector = aiohttp.TCPConnector(limit=CLIENTS)
    async with aiohttp.ClientSession(cookies=dict(cookies), connector=connector) as session:

        async def ask() -> None:
            while next(numbers) < requests:
                began = time.perf_counter()
                async with session.get(node.url + path, allow_redirects=False) as answer:
                    await answer.read()
                    assert answer.status == 200, (path, answer.status)  # noqa: PLR2004  the page itself
                times.client.append((time.perf_counter() - began) * _MS)
                times.server.append(float(answer.headers[SECONDS_HEADER]) * _MS)

        async with asyncio.TaskGroup() as group:
            for _ in range(CLIENTS):
                group.create_task(ask())
    times.cpu = (cpu_seconds(node.pid) - before) / requests * _MS
    return times


def _percentile(values: list[float], percent: int) -> float:
    return statistics.quantiles(values, n=100, method="inclusive")[percent - 1]
