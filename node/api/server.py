"""Serves an application on one socket, and stops in time: no new requests, some patience, then a cut.

server = HttpServer(app, listening.socket)
await server.start()
await server.stop()
"""

import socket

from aiohttp import web

PATIENCE_SECONDS = 1.5  # for requests in work when the node stops; the whole stop takes less than three
IDLE_SECONDS = 30.0


class HttpServer:
    """An application on a socket that is bound already."""

    def __init__(self, app: web.Application, bound: socket.socket) -> None:
        """Take the application and its listening socket, which this server closes."""
        self._runner = web.AppRunner(
            app,
            access_log=None,  # addresses hold ids, and a router's flash wears out
            handle_signals=False,
            shutdown_timeout=PATIENCE_SECONDS,
            keepalive_timeout=IDLE_SECONDS,
        )
        self._socket = bound

    async def start(self) -> None:
        """Begin to answer."""
        await self._runner.setup()
        self._site = web.SockSite(self._runner, self._socket)
        await self._site.start()

    async def close_door(self) -> None:
        """Take no new connection; those that are open are answered until `stop`."""
        await self._site.stop()

    async def stop(self) -> None:
        """Answer nothing new, wait for what is in work, then end it."""
        await self._runner.cleanup()
        self._socket.close()
