"""Dialling one address (PROTOCOL.md section 17.1); whom to dial, and when, the search for others says.

A `direct` address has its certificate's key pinned by the session, a `proxied` one an ordinary certificate for its
host.

async with open_connection(address, may_be_near=True) as connection:
    connection.websocket, connection.binding
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import ResolveResult
from aiohttp.connector import Connection as AiohttpConnection
from aiohttp.tracing import Trace

from node.federation.certificate import certificate_key, dialing_context
from node.federation.intake import MESSAGE_BYTES_MAX, Intake
from node.federation.link import FEDERATION_PATH, WebSocket
from protocol.exchange.addresses import Address
from protocol.exchange.near import near_range
from protocol.exchange.session import Binding, bind_direct, bind_proxied

CONNECT_SECONDS = 10.0


class FarResolver(aiohttp.ThreadedResolver):
    """Resolves names that strangers told: what they mean in a network of our own is nothing (section 26.3)."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        """Return the addresses of a host that anybody could reach; raises `OSError` where it has none."""
        found = [
            each for each in await super().resolve(host, port, family) if near_range(each["host"]) is None
        ]
        if not found:
            raise OSError(f"{host} is in a network of our own, and nobody here has named it")
        return found


class _Connector(aiohttp.TCPConnector):
    """Makes one connection, and counts what it brings from its first byte on."""

    intake: Intake

    async def connect(
        self,
        req: aiohttp.ClientRequest,
        traces: list[Trace],
        timeout: aiohttp.ClientTimeout,  # noqa: ASYNC109  the name is aiohttp's
    ) -> AiohttpConnection:
        connection = await super().connect(req, traces, timeout)
        assert isinstance(connection.transport, asyncio.Transport), "a fresh connection stands"
        self.intake = Intake(connection.transport, is_masked=False)
        return connection


@dataclass(frozen=True, slots=True)
class Connection:
    """An open WebSocket and what ties a session to it."""

    websocket: WebSocket
    binding: Binding
    intake: Intake


def url_of(address: Address) -> str:
    """Return what the WebSocket is opened on."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"wss://{host}:{address.port}{FEDERATION_PATH}"


@asynccontextmanager
async def open_connection(address: Address, *, may_be_near: bool) -> AsyncIterator[Connection]:
    """Connect and yield the connection; raises `OSError`, `TimeoutError`, `aiohttp.ClientError`, `SessionError`.

    A name that `may_be_near` may turn out to mean an address in a network of our own.
    """
    connector = _Connector(resolver=aiohttp.ThreadedResolver() if may_be_near else FarResolver())
    async with aiohttp.ClientSession(connector=connector) as client, _connected(client, address) as websocket:
        yield Connection(websocket, _binding(websocket, address), connector.intake)


@asynccontextmanager
async def _connected(
    client: aiohttp.ClientSession, address: Address
) -> AsyncIterator[aiohttp.ClientWebSocketResponse]:
    async with asyncio.timeout(CONNECT_SECONDS):
        websocket = await client.ws_connect(
            url_of(address),
            ssl=dialing_context() if address.way == "direct" else True,
            max_msg_size=MESSAGE_BYTES_MAX,
            compress=0,
            autoping=False,
            timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
        )
    try:
        yield websocket
    finally:
        await websocket.close()


def _binding(websocket: aiohttp.ClientWebSocketResponse, address: Address) -> Binding:
    if address.way == "proxied":
        return bind_proxied(address.host)
    tls = websocket.get_extra_info("ssl_object")
    return bind_direct(certificate_key(tls.getpeercert(binary_form=True) or b""))
