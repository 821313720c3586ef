"""Several communities on this machine, each with a node of its own: found them, start them, stop them.

Folders are new ones below one folder, ports are free ones below 32768 beside the real node's. Whoever uses it
drives the nodes through `api` and `command` alone.

    async with Village(folder, [Founding("north", {"en": "North"}, "EUR"), ...]) as village:
        await village.found()
        await village.start()
        await village.meet()
        await village.communities[0].api.call("GET", "/status")
"""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, Mapping, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypeVar

from node.api_token import read_token
from node.config.keys import PORT_MAX
from node.errors import NodeError
from node.files import make_folder
from node.operations.demo.api_client import ApiClient, together
from node.operations.demo.processes import Done, NodeProcess, run_command
from node.operations.lifecycle import RunningNode

PORT_MIN = 20_000  # well above the ports of a real node and those that it moves on to
PORT_TRIES_MAX = 200
WAIT_SECONDS_MAX = 120.0
DEATH_SECONDS = 0.3

_HOST = "127.0.0.1"
_POLL_SECONDS = 0.04

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Founding:
    """How a community is founded: its folder's name, its name by language, the currency of its books."""

    key: str
    name: Mapping[str, str]
    currency: str


class Community:
    """One community of the village: its folder, its process, and the ways in."""

    def __init__(self, founding: Founding, folder: Path, ports: tuple[int, int]) -> None:
        """Take where it is to lie and listen; `found` and `start` make it so."""
        self.founding = founding
        self.folder = folder
        self.http, self.federation = (f"{_HOST}:{port}" for port in ports)
        self.id = ""
        self.process = NodeProcess(folder)
        self._api: ApiClient | None = None

    @property
    def key(self) -> str:
        """The short name by which catalogs and orders call it."""
        return self.founding.key

    @property
    def url(self) -> str:
        """Where its HTTP is."""
        return f"http://{self.http}"

    @property
    def api(self) -> ApiClient:
        """A client of its running node."""
        assert self._api is not None, "the node is not started"
        return self._api

    async def command(self, *arguments: str) -> Done:
        """Run one `wildgrass` command on its folder, with --json."""
        return await run_command(*arguments, "--folder", str(self.folder), "--json", cwd=self.folder.parent)

    async def found(self) -> None:
        """Make its keys; the emergency kit goes into a file beside the folder."""
        given = {"zh-Hans": "--name-zh", "en": "--name-en"}
        names = [part for tag, text in self.founding.name.items() for part in (given[tag], text)]
        kit = self.folder.with_name(self.folder.name + ".kit.txt")
        done = await self.command(
            "init", *names, "--currency", self.founding.currency, "--kit-file", str(kit)
        )
        self.id = done.answer["community"]

    async def start(self, others: Sequence["Community"]) -> None:
        """Start its node with the others' addresses in its settings, and wait until it answers."""
        peers = ",".join(other.federation for other in others)
        self.process = NodeProcess(
            self.folder,
            *("--listen-http", self.http),
            *("--listen-federation", self.federation),
            *("--peers", peers),
            *("--follow-lan", "off"),  # other nodes of this machine or network are none of ours
        )
        self.process.start()
        running = await self.process.ready()
        self._check_ports(running)
        self._api = ApiClient(running.http_place, read_token(self.folder))

    async def stop(self) -> None:
        """Stop its node."""
        if self._api is not None:
            await self._api.close()
            self._api = None
        await self.process.stop()

    def _check_ports(self, running: RunningNode) -> None:
        """The others know where it ought to listen; a port that was taken meanwhile is nobody's fault."""
        if (running.http, running.federation) != (self.http, self.federation):
            raise NodeError("port_busy", f"{self.http}, {self.federation}")


class Village:
    """The communities. An async context: whatever happens inside, no process is left at its end."""

    def __init__(self, folder: Path, foundings: Sequence[Founding]) -> None:
        """Take an empty folder and who is to live there."""
        make_folder(folder)
        ports = free_ports(2 * len(foundings))
        self.folder = folder
        self.communities = [
            Community(founding, folder / founding.key, pair)
            for founding, pair in zip(foundings, zip(ports[::2], ports[1::2], strict=True), strict=True)
        ]
        self._is_left = False

    def others(self, one: Community) -> list[Community]:
        """All communities but one."""
        return [other for other in self.communities if other is not one]

    async def found(self) -> None:
        """Found all communities."""
        await together(community.found() for community in self.communities)

    async def start(self) -> None:
        """Start all nodes and wait until they answer."""
        await together(community.start(self.others(community)) for community in self.communities)

    async def meet(self) -> None:
        """Wait until every node has a session with every other one."""
        await together(
            until(partial(self._has_met, community), f"{community.key}: sessions with the others")
            for community in self.communities
        )

    async def watched(self, story: Awaitable[Answer]) -> Answer:
        """Return what `story` returns; a node that dies meanwhile ends it with `demo_node_died`."""
        telling = asyncio.ensure_future(story)
        watching = asyncio.ensure_future(self._first_death())
        try:
            await asyncio.wait({telling, watching}, return_when=asyncio.FIRST_COMPLETED)
            if not watching.done() and telling.exception() is not None:
                await asyncio.wait({watching}, timeout=DEATH_SECONDS)  # is a node's death the reason?
            if watching.done():
                raise watching.result()
            return telling.result()
        finally:
            telling.cancel()
            watching.cancel()
            await asyncio.gather(telling, watching, return_exceptions=True)

    def leave_running(self) -> None:
        """Let the nodes go on after the end of the context."""
        self._is_left = True

    async def __aenter__(self) -> Self:
        """Return the village."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop the nodes, unless they are left running."""
        if self._is_left:
            for community in self.communities:
                community.process.let_run()
        await asyncio.gather(*(community.stop() for community in self.communities))

    async def _has_met(self, one: Community) -> bool:
        peers = (await one.api.call("GET", "/peers"))["peers"]
        connected = {peer["community"] for peer in peers if peer["is_connected"]}
        return connected >= {other.id for other in self.others(one)}

    async def _first_death(self) -> NodeError:
        """Return how the first node ended that nobody had asked to."""
        while True:
            watched = [community.process for community in self.communities]
            for process in watched:
                if process.has_died:
                    return process.died()
            await asyncio.sleep(_POLL_SECONDS)


async def until(
    question: Callable[[], Awaitable[Any]], awaited: str, *, seconds_max: float = WAIT_SECONDS_MAX
) -> Any:
    """Ask again and again until the answer is true, and return it; raises `demo_stalled` with what was awaited."""
    deadline = asyncio.get_running_loop().time() + seconds_max
    while not (answer := await question()):
        if asyncio.get_running_loop().time() > deadline:
            raise NodeError("demo_stalled", awaited)
        await asyncio.sleep(_POLL_SECONDS)
    return answer


def free_ports(count: int) -> list[int]:
    """Return so many ports on which nothing listens now, from `PORT_MIN` up, below 32768."""
    found: list[int] = []
    for port in random.sample(range(PORT_MIN, PORT_MAX + 1), PORT_TRIES_MAX + count):
        with closing(socket.socket(socket.AF_INET, socket.SOCK_STREAM)) as probe, suppress(OSError):
            probe.bind((_HOST, port))
            found.append(port)
        if len(found) == count:
            return found
    raise NodeError("port_busy", f"{PORT_MIN}…{PORT_MAX}")
