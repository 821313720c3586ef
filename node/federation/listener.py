"""The listening end of the federation: TLS 1.3 and one WebSocket path (PROTOCOL.md sections 17.1 and 30.3).

    listener = Listener(bound_socket, context, accept)
    await listener.start(task_group)
    await listener.stop()

`accept(websocket, intake)` holds the connection until its session is over. How many connections there are, how many
come from one address range, and how long one may take to ask for the WebSocket, is bounded before a word is exchanged.
"""

import asyncio
import logging
import socket
import ssl
from collections.abc import Awaitable, Callable

from aiohttp import web

from node.federation.intake import MESSAGE_BYTES_MAX, Intake
from node.federation.link import FEDERATION_PATH
from protocol.exchange.rates import Bucket, Ranges, range_of
from protocol.limits import (
    CONNECTIONS_BURST,
    CONNECTIONS_SECOND,
    HANDSHAKE_MS,
    RANGE_PLACES_MAX,
)

BACKLOG = 128
CLOSE_SECONDS = 1.0
NO_FILES_SECONDS = 1.0  # how long no connection is taken after the system refused one

log = logging.getLogger("wildgrass.federation")

_Name = tuple[str, int]  # of the other end of a connection; those of IPv6 have two numbers more
Accept = Callable[[web.WebSocketResponse, Intake], Awaitable[None]]


def make_handler(accept: Accept) -> Callable[[web.Request], Awaitable[web.StreamResponse]]:
    """Return the handler of `FEDERATION_PATH`; behind a proxy it may stand in any other application."""

    async def handle(request: web.Request) -> web.StreamResponse:
        websocket = web.WebSocketResponse(
            timeout=CLOSE_SECONDS, max_msg_size=MESSAGE_BYTES_MAX, compress=False, autoping=False
        )
        await websocket.prepare(request)
        assert request.transport is not None, "a connection that is prepared stands"
        await accept(websocket, Intake(request.transport, is_masked=True))
        return websocket

    return handle


class Listener:
    """The federation's own server on a socket that is bound already."""

    def __init__(
        self, bound: socket.socket, context: ssl.SSLContext | None, accept: Accept, connections_max: int
    ) -> None:
        """Take a bound socket, which this listener closes; `context` is None where TLS ends at a proxy before it.

        So many as `connections_max` may wait at a time for their WebSocket.
        """
        self._connections_max = connections_max
        app = web.Application()
        app.router.add_get(FEDERATION_PATH, make_handler(self._take))
        self._runner = web.AppRunner(
            app, access_log=None, handle_signals=False, shutdown_timeout=CLOSE_SECONDS
        )
        self._socket = bound
        self._context = context
        self._accept = accept
        self._accepting: asyncio.Task[None] | None = None
        self._waiting: dict[_Name, asyncio.Task[None]] = {}
        self._ranges = Ranges(lambda now_ms: Bucket(CONNECTIONS_SECOND, CONNECTIONS_BURST, now_ms))

    async def start(self, tasks: asyncio.TaskGroup) -> None:
        """Begin to accept, in tasks of `tasks`: a bug of ours is not to pass unseen."""
        await self._runner.setup()
        self._socket.listen(BACKLOG)
        self._accepting = tasks.create_task(self._accept_all(tasks))

    async def stop(self) -> None:
        """Accept nothing more, and let go of what is left after a moment."""
        for task in (self._accepting, *self._waiting.values()):
            if task is not None:
                task.cancel()
        await self._runner.cleanup()
        self._socket.close()

    async def _accept_all(self, tasks: asyncio.TaskGroup) -> None:
        loop = asyncio.get_running_loop()
        while True:
            try:
                connection, address = await loop.sock_accept(self._socket)
            except OSError as error:
                log.warning("no connection can be taken: %s", error)
                await asyncio.sleep(NO_FILES_SECONDS)
                continue
            if self._has_room(address[0]):
                self._waiting[address] = tasks.create_task(self._connect(connection, address))
            else:
                connection.close()
            await asyncio.sleep(0)  # where many wait, accepting alone would hold up everybody else

    def _has_room(self, address: str) -> bool:
        now_ms = int(asyncio.get_running_loop().time() * 1000)
        bucket = self._ranges.of(address, now_ms)
        if bucket.wait_ms(1, now_ms):
            return False
        bucket.take(1, now_ms)
        in_range = sum(range_of(name[0]) == range_of(address) for name in self._waiting)
        places = self._connections_max
        return len(self._waiting) < places and in_range < min(RANGE_PLACES_MAX, places // 2)

    async def _connect(self, connection: socket.socket, name: _Name) -> None:
        """Speak TLS, and give the other end some time to ask for the WebSocket: `_take` ends this task."""
        assert self._runner.server is not None, "a runner that is set up has a server"
        transport: asyncio.Transport | None = None
        try:
            transport, _ = await asyncio.get_running_loop().connect_accepted_socket(
                self._runner.server,
                connection,
                ssl=self._context,
                ssl_handshake_timeout=HANDSHAKE_MS / 1000 if self._context else None,
            )
            await asyncio.sleep(HANDSHAKE_MS / 1000)
            transport.abort()
        except OSError as error:
            connection.close()
            log.debug("a connection did not come about: %s", error)
        finally:
            if self._waiting.get(name) is asyncio.current_task():
                del self._waiting[name]

    async def _take(self, websocket: web.WebSocketResponse, intake: Intake) -> None:
        waiting = self._waiting.pop(websocket.get_extra_info("peername"), None)
        if waiting is not None:
            waiting.cancel()
        await self._accept(websocket, intake)
