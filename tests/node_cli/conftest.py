"""A real node behind a real API on loopback, and the command line in this process."""

import asyncio
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from node.actions.auditors import may_read
from node.api.frame import Gate, build_app
from node.api.routes import ROUTES
from node.api.server import HttpServer
from node.api.stored_lanes import StoredLanes
from node.api.tiles import tile_routes
from node.cli import main
from node.config import Listen, read_sources
from node.opening import opened_node
from node.operations.lifecycle import RunningNode, claim_folder, forget_running, listen, note_running
from node.vault import found_community, open_vault
from node.writer.clock import system_clock


@dataclass(frozen=True)
class Ran:
    """What one command left: its exit code and what it printed."""

    code: int
    out: str
    err: str

    @property
    def answer(self) -> Any:
        """The one JSON object on the last line."""
        return json.loads(self.out.splitlines()[-1])


Run = Callable[..., Ran]


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Run one command in this process, in English unless WILDGRASS_LANGUAGE says otherwise."""
    monkeypatch.setenv("LANGUAGE", "")
    monkeypatch.setenv("LC_ALL", "C.UTF-8")

    def run_one(*arguments: object) -> Ran:
        capsys.readouterr()
        code = main([str(argument) for argument in arguments])
        printed = capsys.readouterr()
        return Ran(code, printed.out, printed.err)

    return run_one


def found(folder: Path) -> None:
    found_community(
        folder,
        name={"en": "Green Market", "zh-Hans": "青市"},
        currency="EUR",
        words_language="en",
        now_ms=system_clock(),
        keep_kit=lambda kit: None,
    )


class Served:
    """A node in a thread of its own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever)
        self._stack = AsyncExitStack()

    def start(self) -> None:
        self._thread.start()
        self._wait(self._start())

    def stop(self) -> None:
        self._wait(self._stack.aclose())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def _wait(self, work: Any) -> None:
        asyncio.run_coroutine_threadsafe(work, self._loop).result()

    async def _start(self) -> None:
        settings = read_sources(flags={"folder": str(self.folder)}, environment={}).settings()
        vault = open_vault(self.folder)
        self._stack.enter_context(claim_folder(self.folder))
        node = await self._stack.enter_async_context(
            opened_node(settings, vault, on_advance=lambda advance: None)
        )

        async def reads(token: str, community: bytes, lane: str) -> bool:
            return await may_read(node, token, lane)

        gate = Gate(api_token=vault.api_token, may_read=reads, is_open=lambda: False)
        listening = listen(Listen("127.0.0.1", 0))
        plain = tile_routes(StoredLanes(node.read), gate)
        server = HttpServer(build_app(ROUTES, node, gate=gate, plain=plain), listening.socket)
        await server.start()
        self._stack.push_async_callback(server.stop)
        note_running(
            self.folder,
            RunningNode(
                pid=1,
                http=str(listening.bound),
                federation="127.0.0.1:1",
                url=f"http://{listening.bound}",
                address="127.0.0.1:1",
                community=vault.community_text,
                name=vault.genesis.name,
                started_ms=system_clock(),
                settings=settings.shown(),
            ),
        )
        self._stack.callback(forget_running, self.folder)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """The folder of a founded community; no node runs on it."""
    found(tmp_path / "node")
    return tmp_path / "node"


@pytest.fixture
def served(folder: Path) -> Iterator[Path]:
    """The folder of a running node."""
    served = Served(folder)
    served.start()
    yield folder
    served.stop()


@pytest.fixture
def serve() -> Callable[[Path], Served]:
    """Run a node on a folder; whoever starts it stops it."""

    def start(folder: Path) -> Served:
        served = Served(folder)
        served.start()
        return served

    return start
