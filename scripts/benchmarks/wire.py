"""A wire between two nodes that counts what it carries: a TCP relay on the loopback.

async with counting_wire("127.0.0.1:8471") as wire:
    ...                                     # the other node dials wire.address
    wire.bytes_carried
"""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass

_CHUNK_BYTES = 65_536


@dataclass(slots=True)
class CountingWire:
    """Where to dial, and how many bytes went through, both directions together."""

    address: str = ""
    bytes_carried: int = 0


@asynccontextmanager
async def counting_wire(target: str) -> AsyncIterator[CountingWire]:
    """Relay connections to `target`, host:port, until the block ends."""
    host, _, port = target.rpartition(":")
    wire = CountingWire()

    async def carry(source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while chunk := await source.read(_CHUNK_BYTES):
                wire.bytes_carried += len(chunk)
                sink.write(chunk)
                await sink.drain()
        sink.close()

    async def connect(near_in: asyncio.StreamReader, near_out: asyncio.StreamWriter) -> None:
        far_in, far_out = await asyncio.open_connection(host, int(port))
        await asyncio.gather(carry(near_in, far_out), carry(far_in, near_out))

    server = await asyncio.start_server(connect, "127.0.0.1", 0)
    bound_host, bound_port = server.sockets[0].getsockname()[:2]
    wire.address = f"{bound_host}:{bound_port}"
    try:
        yield wire
    finally:
        server.close()
