"""Dialling: where to, how, and how long to wait before the next try (PROTOCOL.md section 17.1).

address = parse_address("192.0.2.7:8471")          # direct: the certificate's key is pinned by the session
address = parse_address("wss://shop.example")      # proxied: an ordinary certificate for that host
async with open_connection(client, address) as connection:
    connection.websocket, connection.binding
"""

import asyncio
import re
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from random import Random
from typing import Literal

import aiohttp

from node.federation.certificate import certificate_key, dialing_context
from node.federation.link import FEDERATION_PATH, MESSAGE_BYTES_MAX, WebSocket
from protocol.exchange.session import Binding, bind_direct, bind_proxied

CONNECT_SECONDS = 10.0
BACK_OFF_FIRST_SECONDS = 0.5
BACK_OFF_SECONDS_MAX = 300.0
_PROXIED_PORT = 443
_PORT_MAX = 65_535

_ADDRESS = re.compile(
    r"(?P<scheme>wss://)?(?:\[(?P<six>[0-9A-Fa-f:.]+)\]|(?P<host>[^\[\]:/@\s]{1,253}))(?::(?P<port>[0-9]{1,5}))?/?"
)


@dataclass(frozen=True, slots=True)
class Address:
    """Where a node is reached: `direct` to its own TLS, or `proxied` through one with an ordinary certificate."""

    way: Literal["direct", "proxied"]
    host: str
    port: int

    @property
    def text(self) -> str:
        """The one spelling that `parse_address` reads back."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}" if self.way == "direct" else f"wss://{host}:{self.port}"

    @property
    def url(self) -> str:
        """What the WebSocket is opened on."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"wss://{host}:{self.port}{FEDERATION_PATH}"


@dataclass(frozen=True, slots=True)
class Connection:
    """An open WebSocket and what ties a session to it."""

    websocket: WebSocket
    binding: Binding


def parse_address(text: str) -> Address:
    """Return the address of `host:port` (direct) or `wss://host[:port]` (proxied), or raise `ValueError`."""
    found = _ADDRESS.fullmatch(text.strip())
    if found is None or (found["scheme"] is None and found["port"] is None):
        raise ValueError("give host:port, or wss://host for a node behind a proxy")
    port = int(found["port"] or _PROXIED_PORT)
    if not 0 < port <= _PORT_MAX:
        raise ValueError(f"a port is 1 to {_PORT_MAX}")
    host = (found["six"] or found["host"]).lower()
    return Address("proxied" if found["scheme"] else "direct", host, port)


def back_off_seconds(failures: int, chance: Random) -> float:
    """Return how long to wait after so many failures in a row: twice as long each time, with a third of jitter."""
    longest = min(BACK_OFF_FIRST_SECONDS * 2.0 ** min(failures, 30), BACK_OFF_SECONDS_MAX)
    return longest * chance.uniform(2 / 3, 1)


@asynccontextmanager
async def open_connection(client: aiohttp.ClientSession, address: Address) -> AsyncIterator[Connection]:
    """Connect and yield the connection; raises `OSError`, `TimeoutError`, `aiohttp.ClientError`, `SessionError`."""
    async with asyncio.timeout(CONNECT_SECONDS):
        websocket = await client.ws_connect(
            address.url,
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
