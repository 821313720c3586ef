"""One connection: moves messages between a WebSocket and its session machine (PROTOCOL.md section 17).

Four tasks a link: one reads and handles, one writes what waits, one looks up answers, in order and one at a time,
and one sends them. While an answer is sent the next one is looked up, and no more: a slow reader holds two answers
in memory, and nobody else up. Everything that waits is bounded.

    link = Link(hub, websocket, session)
    end = await link.run()
"""

import asyncio
from collections import deque
from typing import Protocol

from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType
from aiohttp.web import WebSocketResponse

from protocol.exchange.frames import Answer, Frame, Refused, Request, encode_frame
from protocol.exchange.session import (
    Admit,
    Close,
    CloseAsked,
    Connected,
    ConnectionLost,
    Deliver,
    Effect,
    Event,
    MessageReceived,
    SendMessage,
    Session,
    WakeAt,
    Woken,
)
from protocol.limits import FRAME_BYTES_MAX, REQUESTS_MAX

WebSocket = ClientWebSocketResponse | WebSocketResponse

FEDERATION_PATH = "/federation/v1"
MESSAGE_BYTES_MAX = (
    FRAME_BYTES_MAX + 2
)  # aiohttp refuses from here on; one byte too many is the session's to refuse
OUTBOX_BYTES_MAX = 4 * 1_048_576
SEND_SECONDS = 30.0
FAREWELL_SECONDS = 1.0
_ANSWERS_HELD = 2
_NO_FRAME = b"\xc1"  # a byte that MessagePack never uses stands for a text message


class Hub(Protocol):
    """What a link belongs to."""

    async def admit(self, link: "Link", admit: Admit) -> None:
        """A peer has proven itself: take the link in, or close it."""

    def received(self, link: "Link", frame: Frame) -> None:
        """A frame of an admitted peer."""

    async def answer(self, link: "Link", request: Request) -> Answer:
        """Answer an admitted peer's request."""


class Link:
    """A session over one WebSocket, from the moment that it stands to its end."""

    def __init__(self, hub: Hub, websocket: WebSocket, session: Session) -> None:
        """Take a connected WebSocket and a fresh session."""
        self.role = session.role
        self.admitted: Admit | None = None
        self.ended = asyncio.Event()
        self._hub = hub
        self._websocket = websocket
        self._session = session
        self.end: Close | None = None
        self._outbox: deque[bytes] = deque()
        self._outbox_bytes = 0
        self._has_outgoing = asyncio.Event()
        self._requests: asyncio.Queue[Request] = asyncio.Queue(REQUESTS_MAX)
        self._answers: asyncio.Queue[bytes] = asyncio.Queue()
        self._answer_room = asyncio.Semaphore(_ANSWERS_HELD)
        self._alarm: asyncio.Timeout | None = None
        self._wake_seconds: float | None = None

    async def run(self) -> Close:
        """Carry the session to its end, and return how it ended."""
        try:
            async with asyncio.TaskGroup() as tasks:
                writing = tasks.create_task(self._write())
                serving = [tasks.create_task(each) for each in (self._serve(), self._send_answers())]
                try:
                    await self._converse()
                finally:
                    for task in serving:
                        task.cancel()
                    self._has_outgoing.set()
                    await asyncio.wait([writing], timeout=FAREWELL_SECONDS)
                    writing.cancel()
        finally:
            await self._websocket.close()
        assert self.end is not None, "a conversation ends with a reason"
        return self.end

    def send(self, frame: Frame) -> None:
        """Queue a frame; a peer that reads too slowly loses the session and catches up in the next."""
        self._queue(encode_frame(frame))

    def serve(self, request: Request) -> None:
        """Queue a request of the peer for its answer."""
        try:
            self._requests.put_nowait(request)
        except asyncio.QueueFull:
            self.send(Refused(request.number, "requests_too_many", ""))

    def close(self, code: str) -> None:
        """End the session, saying why; the link's own task does the rest."""
        self._tell(CloseAsked(code))

    async def _converse(self) -> None:
        self._tell(Connected())
        while self.end is None:
            event = await self._next_event()
            if self.end is None:
                for admit in self._tell(event):
                    self.admitted = admit
                    await self._hub.admit(self, admit)

    async def _next_event(self) -> Event:
        try:
            async with asyncio.timeout_at(self._wake_seconds) as self._alarm:
                return _event_of(await self._websocket.receive())
        except TimeoutError:
            return Woken()
        finally:
            self._alarm = None

    def _tell(self, event: Event) -> list[Admit]:
        """Tell the session and do what it says; an admission, which takes time, is left to the caller."""
        now_ms = int(asyncio.get_running_loop().time() * 1000)
        effects = self._session.handle(event, now_ms)
        for effect in effects:
            self._perform(effect)
        return [effect for effect in effects if isinstance(effect, Admit)]

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, SendMessage):
            self._queue(effect.raw)
        elif isinstance(effect, Deliver):
            self._hub.received(self, effect.frame)
        elif isinstance(effect, WakeAt):
            self._wake_seconds = effect.at_ms / 1000
        elif isinstance(effect, Close):
            self.end = effect
            if self._alarm is not None:
                self._alarm.reschedule(0)

    def _queue(self, raw: bytes) -> None:
        self._outbox.append(raw)
        self._outbox_bytes += len(raw)
        self._has_outgoing.set()
        if self._outbox_bytes > OUTBOX_BYTES_MAX and self.end is None:
            self.close("session_slow")

    async def _write(self) -> None:
        """Send what waits, in order; the farewell is the last of it."""
        try:
            while self._outbox or self.end is None:
                if not self._outbox:
                    self._has_outgoing.clear()
                    await self._has_outgoing.wait()
                    continue
                raw = self._outbox.popleft()
                self._outbox_bytes -= len(raw)
                await self._send_now(raw)
        except (OSError, TimeoutError):
            self._tell(ConnectionLost())

    async def _serve(self) -> None:
        """Look up answers while there is room for one more."""
        while True:
            await self._answer_room.acquire()
            request = await self._requests.get()
            self._answers.put_nowait(encode_frame(await self._hub.answer(self, request)))

    async def _send_answers(self) -> None:
        try:
            while True:
                await self._send_now(await self._answers.get())
                self._answer_room.release()
        except (OSError, TimeoutError):
            self._tell(ConnectionLost())

    async def _send_now(self, raw: bytes) -> None:
        async with asyncio.timeout(SEND_SECONDS):
            await self._websocket.send_bytes(raw)


def _event_of(message: WSMessage) -> Event:
    if message.type is WSMsgType.BINARY:
        return MessageReceived(message.data)
    if message.type is WSMsgType.TEXT:
        return MessageReceived(_NO_FRAME)
    return ConnectionLost()
