"""The listening end of the federation: TLS 1.3 and one WebSocket path (PROTOCOL.md section 17.1).

    listener = Listener(bound_socket, context, accept)
    await listener.start()
    await listener.stop()

`accept(websocket)` holds the connection until its session is over.
"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from node.federation.link import FEDERATION_PATH, MESSAGE_BYTES_MAX
from protocol.limits import HANDSHAKE_MS

BACKLOG = 128
CLOSE_SECONDS = 1.0

Accept = Callable[[web.WebSocketResponse], Awaitable[None]]


def make_handler(accept: Accept) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of `FEDERATION_PATH`; behind a proxy it may stand in any other application."""

    async def handle(request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(
            timeout=CLOSE_SECONDS, max_msg_size=MESSAGE_BYTES_MAX, compress=False
        )
        await websocket.prepare(request)
        await accept(websocket)
        return websocket

    return handle


class Listener:
    """The federation's own server on a socket that is bound already."""

    def __init__(self, bound: socket.socket, context: ssl.SSLContext, accept: Accept) -> None:
        """Take a bound socket, which this listener closes, and what to do with each connection."""
        app = web.Application()
        app.router.add_get(FEDERATION_PATH, make_handler(accept))
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS
        )
        self._socket = bound
        self._context = context
        self._server: asyncio.Server | None = None

    async def start(self) -> None:
        """Begin to accept."""
        await self._runner.setup()
        assert self._runner.server is not None, "a runner that is set up has a server"
        self._server = await asyncio.get_running_loop().create_server(
            self._runner.server,
            sock=self._socket,
            ssl=self._context,
            ssl_handshake_timeout=HANDSHAKE_MS / 1000,
            backlog=BACKLOG,
        )

    async def stop(self) -> None:
        """Accept nothing more, and let go of what is left after a moment."""
        if self._server is not None:
            self._server.close()
        await self._runner.cleanup()
        self._socket.close()
