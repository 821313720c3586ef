"""Dialling one address (PROTOCOL.md section 17.1); whom to dial, and when, the search for others says.

A `direct` address has its certificate's key pinned by the session, a `proxied` one an ordinary certificate for its
host.

async with open_connection(client, address) as connection:
    connection.websocket, connection.binding
"""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import aiohttp
from aiohttp.abc import ResolveResult

from node.federation.certificate import certificate_key, dialing_context
from node.federation.link import FEDERATION_PATH, MESSAGE_BYTES_MAX, WebSocket
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


def far_client() -> aiohttp.ClientSession:
    """Return a client that never connects to a name in a network of our own."""
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(resolver=FarResolver()))


@dataclass(frozen=True, slots=True)
class Connection:
    """An open WebSocket and what ties a session to it."""

    websocket: WebSocket
    binding: Binding


def url_of(address: Address) -> str:
    """Return what the WebSocket is opened on."""
    host = f"[{address.host}]" if ":" in address.host else address.host
    return f"wss://{host}:{address.port}{FEDERATION_PATH}"


@asynccontextmanager
async def open_connection(client: aiohttp.ClientSession, address: Address) -> AsyncIterator[Connection]:
    """Connect and yield the connection; raises `OSError`, `TimeoutError`, `aiohttp.ClientError`, `SessionError`."""
    async with asyncio.timeout(CONNECT_SECONDS):
        websocket = await client.ws_connect(
            url_of(address),
            ssl=dialing_context() if address.way == "direct" else True,
            max_msg_size=MESSAGE_BYTES_MAX,
            compress=0,
            timeout=aiohttp.ClientWSTimeout(ws_close=1.0),
        )
    try:
        yield Connection(websocket, _binding(websocket, address))
    finally:
        await websocket.close()


def _binding(websocket: aiohttp.ClientWebSocketResponse, address: Address) -> Binding:
    if address.way == "proxied":
        return bind_proxied(address.host)
    tls = websocket.get_extra_info("ssl_object")
    return bind_direct(certificate_key(tls.getpeercert(binary_form=True) or b""))
