"""A hostile peer, written as raw bytes: TLS, WebSocket and frames by hand, so that nothing keeps it honest.

    async with hostile_peer(address) as peer:           # TLS and WebSocket stand
        await peer.greet(make_vault("mallory"))         # an open session, or the `Bye` of who refused
        await peer.say(Heads(0, bytes(16), 0, False, (head,)))

`hostile_listener` is the same at the other end: it waits to be dialled.
`in_a_crowd` runs many on a loop and a thread of their own, so that what holds up the victim's loop is the victim.
"""

import asyncio
import base64
import hashlib
import os
import re
import struct
from collections.abc import AsyncIterator, Awaitable, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager
from typing import TypeVar

from node.federation.certificate import certificate_key, dialing_context, listening_context
from node.federation.link import FEDERATION_PATH
from node.vault import Vault
from protocol.exchange.frames import Bye, Frame, Hello, Proof, decode_frame, encode_frame
from protocol.exchange.session import Binding, Role, bind_direct, transcript

TEXT, BINARY, CONTINUATION, CLOSE, PING = 1, 2, 0, 8, 9
UPGRADE = (
    f"GET {FEDERATION_PATH} HTTP/1.1\r\nHost: victim\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    "Sec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\nSec-WebSocket-Version: 13\r\n"
)
WEBSOCKET_GUID = b"258EAFA5-E914-47DA-95CA-C5AB0DC85B11"
PATIENCE_SECONDS = 30.0

Outcome = TypeVar("Outcome")


class HostilePeer:
    """One connection that says whatever it is told to."""

    def __init__(
        self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, role: Role = "dialer"
    ) -> None:
        self.reader, self.writer, self.role = reader, writer, role
        self.heard: list[Frame] = []

    async def upgrade(self, *, extensions: str = "") -> str:
        """Ask for the WebSocket, and return the head of the answer."""
        await self.send(f"{UPGRADE}{extensions}\r\n".encode())
        return (await self.reader.readuntil(b"\r\n\r\n")).decode()

    async def accept(self) -> None:
        """Let the WebSocket stand for which the other side asks."""
        asked = await self.reader.readuntil(b"\r\n\r\n")
        key = re.search(rb"(?i)sec-websocket-key: *(\S+)", asked)
        accept = base64.b64encode(hashlib.sha1((key[1] if key else b"") + WEBSOCKET_GUID).digest())
        await self.send(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
            b"Sec-WebSocket-Accept: " + accept + b"\r\n\r\n"
        )

    async def send(self, raw: bytes) -> None:
        self.writer.write(raw)
        await self.writer.drain()

    async def dribble(self, raw: bytes) -> None:
        """A byte at a time, each in a record of its own."""
        for byte in raw:
            await self.send(bytes([byte]))

    async def say(self, *frames: Frame) -> None:
        is_masked = self.role == "dialer"
        await self.send(b"".join(web_frame(encode_frame(frame), is_masked=is_masked) for frame in frames))

    async def hear(self) -> Frame:
        """The next frame; a connection that ends counts as `Bye("")`."""
        while True:
            try:
                opcode, payload = await self._read()
            except (asyncio.IncompleteReadError, OSError):
                return Bye("")
            if opcode == CLOSE:
                return Bye("")
            if opcode == BINARY:
                self.heard.append(decode_frame(payload))
                return self.heard[-1]

    async def hear_bye(self) -> str:
        """Read on until the other side takes its leave, and return its code."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            while not isinstance(frame := await self.hear(), Bye):
                pass
        return frame.code

    async def is_closed(self) -> None:
        """Wait until nothing more can come, whatever came before."""
        try:
            while await self.reader.read(4_096):
                pass
        except OSError:
            return

    async def hear_all(self) -> None:
        """Read and throw away until the end."""
        while not isinstance(await self.hear(), Bye):
            pass

    async def greet(
        self,
        vault: Vault,
        *,
        binding: Binding | None = None,
        tamper: Callable[[Proof], Proof] = lambda proof: proof,
    ) -> Frame:
        """Go through the handshake as a dialer, and return the listener's proof or its `Bye`."""
        hello = encode_frame(self.hello_of(vault))
        await self.send(web_frame(hello))
        answer = await self.hear()
        if not isinstance(answer, Hello):
            return answer
        proven = await self.hear()
        bound = binding or bind_direct(self.certificate_key())
        message = transcript("dialer", hello, encode_frame(answer), bound)
        await self.say(tamper(Proof(vault.transport.sign(message))))
        return proven

    async def answer_hello(
        self, vault: Vault, *, bound_to: bytes, tamper: Callable[[Proof], Proof] = lambda proof: proof
    ) -> Frame:
        """Go through the handshake as a listener with this key in its certificate; return what the dialer says."""
        asked = await self.hear()
        hello = self.hello_of(vault)
        message = transcript("listener", encode_frame(asked), encode_frame(hello), bind_direct(bound_to))
        await self.say(hello, tamper(Proof(vault.transport.sign(message))))
        return await self.hear()

    def hello_of(self, vault: Vault) -> Hello:
        return Hello(
            1,
            1,
            self.role,
            vault.genesis_record,
            vault.transport.public,
            os.urandom(32),
            32,
            1_760_000_000_000,
        )

    def certificate_key(self) -> bytes:
        tls = self.writer.get_extra_info("ssl_object")
        return certificate_key(tls.getpeercert(binary_form=True) or b"")

    async def _read(self) -> tuple[int, bytes]:
        first, second = await self.reader.readexactly(2)
        length = second & 0x7F
        if length == 126:
            (length,) = struct.unpack(">H", await self.reader.readexactly(2))
        elif length == 127:
            (length,) = struct.unpack(">Q", await self.reader.readexactly(8))
        mask = await self.reader.readexactly(4) if second & 0x80 else bytes(4)
        payload = await self.reader.readexactly(length)
        key = int.from_bytes((mask * (length // 4 + 1))[:length])
        return first & 0xF, (int.from_bytes(payload) ^ key).to_bytes(length)


def web_frame(
    payload: bytes,
    *,
    opcode: int = BINARY,
    is_last: bool = True,
    rsv1: bool = False,
    length: int | None = None,
    is_masked: bool = True,
) -> bytes:
    """One WebSocket frame, masked with zeros as a dialer's; `length` may claim more than there is."""
    said = len(payload) if length is None else length
    head = bytes([opcode | (0x80 if is_last else 0) | (0x40 if rsv1 else 0)])
    masked = 0x80 if is_masked else 0
    if said < 126:
        head += bytes([masked | said])
    elif said < 65_536:
        head += bytes([masked | 126]) + struct.pack(">H", said)
    else:
        head += bytes([masked | 127]) + struct.pack(">Q", said)
    return head + bytes(4 if is_masked else 0) + payload


@asynccontextmanager
async def raw_connection(address: str) -> AsyncIterator[HostilePeer]:
    """TLS stands, and nothing was said."""
    host, _, port = address.rpartition(":")
    reader, writer = await asyncio.open_connection(host, int(port), ssl=dialing_context())
    try:
        yield HostilePeer(reader, writer)
    finally:
        writer.transport.abort()


@asynccontextmanager
async def hostile_peer(address: str) -> AsyncIterator[HostilePeer]:
    """The WebSocket stands, and nothing was said."""
    async with raw_connection(address) as peer:
        await peer.upgrade()
        yield peer


@asynccontextmanager
async def hostile_listener(
    certificate: Vault, lie: Callable[[HostilePeer], Awaitable[str]]
) -> AsyncIterator[tuple[str, asyncio.Queue[str]]]:
    """Listen with this community's certificate, lie to whoever dials, and tell what each lie came to."""
    outcomes: asyncio.Queue[str] = asyncio.Queue()

    async def take(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        peer = HostilePeer(reader, writer, "listener")
        try:
            await peer.accept()
            outcomes.put_nowait(await lie(peer))
        except OSError:
            outcomes.put_nowait("")
        finally:
            writer.transport.abort()

    context = listening_context(certificate.transport_seed)
    async with await asyncio.start_server(take, "127.0.0.1", 0, ssl=context) as server:
        host, port = server.sockets[0].getsockname()
        yield f"{host}:{port}", outcomes


async def in_a_crowd(work: Callable[[], Awaitable[Outcome]]) -> Outcome:
    """Run hostile work on a loop and a thread of its own, and return what came of it."""

    async def worked() -> Outcome:
        return await work()

    with ThreadPoolExecutor(1) as thread:
        return await asyncio.get_running_loop().run_in_executor(thread, lambda: asyncio.run(worked()))


class LoopProbe:
    """How long the running loop was ever held: a clock that is to ring every 10 ms and rings late."""

    STEP_SECONDS = 0.01

    def __init__(self) -> None:
        self.held_ms = 0.0
        self._loop = asyncio.get_running_loop()
        self._handle = self._loop.call_later(self.STEP_SECONDS, self._ring, self._loop.time())

    def stop(self) -> float:
        self._handle.cancel()
        return self.held_ms

    def _ring(self, set_seconds: float) -> None:
        late = self._loop.time() - set_seconds - self.STEP_SECONDS
        self.held_ms = max(self.held_ms, late * 1000)
        self._handle = self._loop.call_later(self.STEP_SECONDS, self._ring, self._loop.time())
