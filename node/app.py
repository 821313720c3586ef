"""Wires everything once, by hand, and runs it until it is told to stop.

    run(sources, announce=print)

Start: claim the folder, open keys, store and writer, open the sockets, let peers and people in. Stop in the
opposite order, within three seconds: no new requests, sessions say goodbye, the writer signs what is left.
"""

import asyncio
import os
from collections.abc import Callable
from contextlib import AsyncExitStack, suppress

from aiohttp import web

from node.actions.auditors import may_read
from node.actions.first_run import Beginning, begin_first_run
from node.actions.people import FirstLinkDraft, first_login_link
from node.api.frame import Gate, build_app
from node.api.health import health_routes
from node.api.openapi import document_route
from node.api.routes import ROUTES
from node.api.server import HttpServer
from node.api.stored_lanes import StoredLanes
from node.api.tiles import tile_routes
from node.api.witness import witness_routes
from node.automation import Automation
from node.config import Settings, Sources
from node.core import Node
from node.errors import NodeError
from node.federation import Federation
from node.locale import language_of_environment
from node.opening import opened_node
from node.operations.collecting import collect_seldom
from node.operations.lifecycle import (
    Listening,
    RunningNode,
    claim_folder,
    forget_running,
    listen,
    local_address,
    note_running,
    reachable_address,
)
from node.operations.logs import configure_logging
from node.operations.metrics import Metrics
from node.operations.stopping import stop_on_signal
from node.pages.founding import Founder, forget_begun, founding_pages, read_begun
from node.pages.live import LiveUpdates
from node.pages.routes import build_site
from node.peering import NodePeering
from node.recovery.marker import read_marker
from node.relay_shelf import relay_rule
from node.vault import Vault, has_vault, open_vault
from node.version import VERSION
from node.writer.clock import system_clock
from node.writer.lane_writer import Advance
from storage.errors import StorageError
from storage.settings import all_settings

Announce = Callable[[RunningNode, Settings, str], None]


def run(
    sources: Sources,
    *,
    announce: Announce,
    announce_founding: Callable[[str, Listening], None],
    with_login_link: bool = False,
) -> None:
    """Run the node of a folder until SIGTERM or Ctrl-C; `announce` is told when it answers.

    A folder without a community is founded in the pages first, and one that is being brought back goes on there:
    `announce_founding` is told the link to them.
    With `with_login_link`, `announce` is also given a link that logs the first steward in, once.
    Raises `NodeError` or `StorageError` where it cannot start; then nothing is left behind.
    """
    configure_logging(sources.settings().log_level)
    collect_seldom()
    asyncio.run(_run(sources, announce, announce_founding, with_login_link=with_login_link))


async def _run(
    sources: Sources,
    announce: Announce,
    announce_founding: Callable[[str, Listening], None],
    *,
    with_login_link: bool,
) -> None:
    settings = sources.settings()
    async with AsyncExitStack() as stack:
        stopping = stack.enter_context(stop_on_signal())
        stack.enter_context(claim_folder(settings.folder))
        forget_running(settings.folder)  # a killed node's, or commands would look for this one at its place
        http = listen(settings.listen_http)
        stack.callback(http.socket.close)
        first_pages, founder = await stack.enter_async_context(AsyncExitStack()), None
        if not has_vault(settings.folder) or read_marker(settings.folder) is not None:
            founder = await first_pages.enter_async_context(
                founding_pages(settings, http, announce=announce_founding, stopping=stopping)
            )
            if founder is None:
                return
        vault = open_vault(settings.folder)
        advances = Advances()
        node = await stack.enter_async_context(
            opened_node(settings, vault, on_advance=advances.tell, has_federation=True)
        )
        await _begin_first_run(node)
        settings = sources.settings(await node.read(lambda read: all_settings(read.connection)))
        node.relay_rule = relay_rule(settings)
        peers = listen(settings.listen_federation)
        live = LiveUpdates()
        store = NodePeering(node)
        server = HttpServer(_http_app(node, settings, live, founder, store), http.socket)
        node.federation = Federation(store=store, vault=vault, settings=settings, listening=peers, http=http)
        automation = Automation(node)
        advances.listen(automation.note, node.federation.note, live.note)
        await server.start()
        stack.push_async_callback(server.stop)
        await first_pages.aclose()
        await stack.enter_async_context(node.federation)
        await stack.enter_async_context(automation)
        running = _running_node(settings, vault, http, peers)
        wants_link = with_login_link and founder is None
        login_link = await _login_link(node, running, settings) if wants_link else ""
        note_running(settings.folder, running)
        stack.callback(forget_running, settings.folder)
        announce(running, settings, login_link)
        await stopping.wait()


class Advances:
    """Carries what the writer tells on its thread to those who listen on the event loop."""

    def __init__(self) -> None:
        """Begin with nobody listening: what happens before is found in the store."""
        self._loop = asyncio.get_running_loop()
        self._listeners: tuple[Callable[[Advance], None], ...] = ()

    def listen(self, *listeners: Callable[[Advance], None]) -> None:
        """Tell these from now on."""
        self._listeners = listeners

    def tell(self, advance: Advance) -> None:
        """Hand one advance over; called on the writer's thread."""
        if not self._loop.is_closed():
            self._loop.call_soon_threadsafe(self._deliver, advance)

    def _deliver(self, advance: Advance) -> None:
        for listener in self._listeners:
            listener(advance)


async def _begin_first_run(node: Node) -> None:
    """Of a community that was founded in the pages; where it cannot be written now, at the next start."""
    language = read_begun(node.vault.folder)
    if language is not None and node.writer.refuses_because is None:
        with suppress(NodeError, StorageError):
            await begin_first_run(node, Beginning(language=language))
            forget_begun(node.vault.folder)


async def _login_link(node: Node, running: RunningNode, settings: Settings) -> str:
    """Return the link, or nothing where the node may only read just now: it runs all the same."""
    language = settings.language or language_of_environment(os.environ)
    with suppress(NodeError, StorageError):
        link = await first_login_link(node, FirstLinkDraft(language=language))
        return running.url.rstrip("/") + link.path
    return ""


def _http_app(
    node: Node, settings: Settings, live: LiveUpdates, founder: Founder | None, peering: NodePeering
) -> web.Application:
    metrics = Metrics(version=VERSION)
    metrics.watch("inbox_jobs", "Jobs that wait for the writer.", lambda: node.writer.inbox_size)
    metrics.watch(
        "void_records",
        "Records without effect folded since the start.",
        lambda: node.writer.backlog.void_count,
    )

    metrics.watch(
        "federation_memory_bytes_max",
        "Memory that peers can make the federation hold, whatever they do.",
        lambda: node.federation_service.memory_bytes_max,
    )
    metrics.watch(
        "blamed_frames",
        "What peers did against the protocol since the start.",
        lambda: sum(node.federation_service.blames.values()),
    )
    metrics.watch(
        "entries_given",
        "Entries of lanes that peers have fetched here since the start.",
        lambda: peering.entries_given,
    )

    async def reads(token: str, _community: bytes, lane: str) -> bool:
        return await may_read(node, token, lane)

    gate = Gate(
        api_token=node.vault.api_token,
        may_read=reads,
        is_open=lambda: settings.open_to_internet,
        requests_max=settings.requests_max,
    )
    plain = [
        *health_routes(checks={"writing": lambda: node.writer.refuses_because}, metrics=metrics),
        *tile_routes(StoredLanes(node.read), gate),
        *witness_routes(node),
    ]
    plain.append(document_route(ROUTES, plain, version=VERSION))
    app = build_app(
        ROUTES,
        node,
        gate=gate,
        plain=plain,
        default_language=settings.language or "en",
        request_bytes_max=settings.request_bytes_max,
        observe=metrics.observe_request,
    )
    build_site(node, live, default_language=settings.language or "en", founder=founder).add_to(app)
    return app


def _running_node(settings: Settings, vault: Vault, http: Listening, peers: Listening) -> RunningNode:
    return RunningNode(
        pid=os.getpid(),
        http=local_address(http.bound),
        federation=local_address(peers.bound),
        url=settings.public_url or f"http://{reachable_address(http.bound)}/",
        address=reachable_address(peers.bound),
        community=vault.community_text,
        name=vault.genesis.name,
        started_ms=system_clock(),
        settings=settings.shown(),
    )
