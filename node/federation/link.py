"""One connection: moves messages between a WebSocket and its session machine (PROTOCOL.md section 17).

Four tasks a link: one reads and handles, one writes what waits, one looks up answers, in order and one at a time,
and one sends them. While an answer is sent the next one is looked up, and no more: a slow reader holds two small
answers in memory, or large ones within what all links have for those. Everything that waits is bounded. What is sent
keeps to what the peer grants; who brings more than we grant is read no further for a while (section 30).

    link = Link(hub, websocket, session)
    end = await link.run()
"""

import asyncio
from collections import deque
from collections.abc import Sequence
from contextlib import AbstractAsyncContextManager
from typing import Protocol

from aiohttp import ClientWebSocketResponse, WSMessage, WSMsgType
from aiohttp.web import WebSocketResponse

from node.federation.intake import Intake
from protocol.errors import SessionError
from protocol.exchange.frames import Frame, Refused, Request, encode_frame
from protocol.exchange.rates import Meter, Pace
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
    State,
    WakeAt,
    Woken,
)
from protocol.limits import OUTBOX_BYTES_MAX, REQUEST_MS, REQUESTS_MAX

WebSocket = ClientWebSocketResponse | WebSocketResponse

FEDERATION_PATH = "/federation/v1"
SEND_SECONDS = 30.0
ANSWER_SECONDS = REQUEST_MS / 1000  # what takes longer comes too late
SMALL_ANSWER_BYTES_MAX = 32_768
FAREWELL_SECONDS = 1.0
ANSWERS_HELD_MAX = 2
_NO_FRAME = b"\xc1"  # a byte that MessagePack never uses stands for a text message


class Hub(Protocol):
    """What a link belongs to."""

    async def admit(self, link: "Link", admit: Admit) -> None:
        """A peer has proven itself: take the link in and have it metered, or close it."""

    def received(self, link: "Link", frame: Frame) -> None:
        """A frame of an admitted peer."""

    async def answer_within(self, link: "Link", request: Request) -> tuple[bytes, int]:
        """Answer an admitted peer's request in bytes, and tell how many of them count against all links' answers."""

    def answered(self, link: "Link", counted_bytes: int) -> None:
        """What counted against all links' answers is sent, or will not be."""

    async def until_room(self) -> None:
        """Wait until what came before is no more than may wait."""

    def turn(self) -> AbstractAsyncContextManager[None]:
        """Wait for a turn to take a message: one of all links in a round of the event loop."""

    def outbox_changed(self, change_bytes: int) -> None:
        """More or less waits to be sent than before."""


class Link:
    """A session over one WebSocket, from the moment that it stands to its end."""

    def __init__(
        self, hub: Hub, websocket: WebSocket, session: Session, intake: Intake | None = None
    ) -> None:
        """Take a connected WebSocket and a fresh session; None as `intake`: what comes is not counted."""
        self.role = session.role
        self.intake = intake
        self.is_stranger = True
        self.admitted: Admit | None = None
        self.ended = asyncio.Event()
        self._hub = hub
        self._websocket = websocket
        self._session = session
        self.end: Close | None = None
        self.outbox_bytes = 0
        self._outbox: deque[tuple[bytes, Frame | None]] = deque()
        self._has_outgoing = asyncio.Event()
        self._requests: asyncio.Queue[tuple[Request, int]] = asyncio.Queue(REQUESTS_MAX)
        self._answers: asyncio.Queue[tuple[bytes, int]] = asyncio.Queue()
        self._answer_room = asyncio.Semaphore(ANSWERS_HELD_MAX)
        self._answers_counted = 0
        self._handling_bytes = 0
        self._meter: Meter | None = None
        self._pace: Pace | None = None
        self._resume_seconds = 0.0
        self._alarm: asyncio.Timeout | None = None
        self._wake_seconds: float | None = None
        if intake is not None:
            intake.on_early = self._refuse_early

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
            self._note_outbox(-self.outbox_bytes)
            self._count_answer(-self._answers_counted)
            if self.intake is not None:
                self.intake.close()
            await self._websocket.close()
        assert self.end is not None, "a conversation ends with a reason"
        return self.end

    def send(self, frame: Frame) -> None:
        """Queue a frame; a peer that reads too slowly loses the session and catches up in the next."""
        if self._meter is not None and isinstance(frame, Request):
            self._meter.asked(frame)
        self._queue(encode_frame(frame), frame)

    def serve(self, request: Request) -> None:
        """Queue a request of the peer for its answer; until that is looked up it counts as not taken."""
        try:
            self._requests.put_nowait((request, self._handling_bytes))
        except asyncio.QueueFull:
            self.send(Refused(request.number, "requests_too_many", ""))
        else:
            self._handling_bytes = 0

    def measure(self, meter: Meter) -> None:
        """Count what comes from now on against what was granted."""
        self._meter = meter

    def close(self, code: str) -> None:
        """End the session, saying why; the link's own task does the rest. What a slow peer was to hear is dropped."""
        if code == "session_slow":
            self._note_outbox(-sum(len(raw) for raw, _ in self._outbox))
            self._outbox.clear()
        self._tell(CloseAsked(code))

    async def _converse(self) -> None:
        self._tell(Connected())
        while self.end is None:
            event = await self._next_event()
            if self.end is None:
                async with self._hub.turn():
                    await self._hub.until_room()
                    effects = self._handle(event)
                    self._count(event, effects)
                await self._admit(effects)

    def _handle(self, event: Event) -> list[Effect]:
        """Handle what came; its bytes are taken then, unless it waits as a request."""
        self._handling_bytes = len(event.raw) if isinstance(event, MessageReceived) else 0
        effects = self._tell(event)
        self._take(self._handling_bytes)
        return effects

    def _refuse_early(self) -> None:
        """Nothing large is said before the proof; after it, a link waits for the store to let it in."""
        if self._session.state is not State.OPEN:
            self.close("frame_too_large")

    def _take(self, message_bytes: int) -> None:
        if self.intake is not None and message_bytes:
            self.intake.taken(message_bytes)

    async def _next_event(self) -> Event:
        try:
            async with asyncio.timeout_at(self._wake_seconds) as self._alarm:
                await self._until_readable()
                return _event_of(await receive(self._websocket, self.intake))
        except TimeoutError:
            return Woken()
        except OSError:
            return ConnectionLost()  # while a ping was answered
        finally:
            self._alarm = None

    async def _until_readable(self) -> None:
        """Wait where the peer is ahead of its grant."""
        pause_seconds = self._resume_seconds - asyncio.get_running_loop().time()
        if pause_seconds > 0:
            await asyncio.sleep(pause_seconds)

    def _count(self, event: Event, effects: Sequence[Effect]) -> None:
        """Count what came, and read nothing more for a while where that was more than was granted."""
        if self._meter is None or not isinstance(event, MessageReceived):
            return
        delivered = next((effect.frame for effect in effects if isinstance(effect, Deliver)), None)
        try:
            pause_ms = self._meter.received(delivered, len(event.raw), _now_ms())
        except SessionError as error:
            self.close(error.code)
        else:
            self._resume_seconds = asyncio.get_running_loop().time() + pause_ms / 1000

    async def _admit(self, effects: Sequence[Effect]) -> None:
        for effect in effects:
            if isinstance(effect, Admit):
                self.admitted = effect
                self._pace = Pace(effect.grant, _now_ms()) if effect.grant else None
                await self._hub.admit(self, effect)

    def _tell(self, event: Event) -> list[Effect]:
        """Tell the session and do what it says; an admission is left to the caller."""
        effects = self._session.handle(event, _now_ms())
        for effect in effects:
            self._perform(effect)
        return effects

    def _perform(self, effect: Effect) -> None:
        if isinstance(effect, SendMessage):
            self._queue(effect.raw, None)
        elif isinstance(effect, Deliver):
            self._hub.received(self, effect.frame)
        elif isinstance(effect, WakeAt):
            self._wake_seconds = effect.at_ms / 1000
        elif isinstance(effect, Close):
            self.end = effect
            if self._alarm is not None and not self._alarm.expired():
                self._alarm.reschedule(0)

    def _queue(self, raw: bytes, frame: Frame | None) -> None:
        self._outbox.append((raw, frame))
        self._has_outgoing.set()
        self._note_outbox(len(raw))
        if self.outbox_bytes > OUTBOX_BYTES_MAX and self.end is None:
            self.close("session_slow")

    def _note_outbox(self, change_bytes: int) -> None:
        self.outbox_bytes += change_bytes
        self._hub.outbox_changed(change_bytes)

    async def _write(self) -> None:
        """Send what waits, in order and at the peer's pace; the farewell is the last of it."""
        try:
            while self._outbox or self.end is None:
                if not self._outbox:
                    self._has_outgoing.clear()
                    await self._has_outgoing.wait()
                    continue
                raw, frame = self._outbox.popleft()
                await self._keep_pace(raw, frame)
                await self._send_now(raw, SEND_SECONDS)
                self._note_outbox(-len(raw))
        except (OSError, TimeoutError):
            self._tell(ConnectionLost())

    async def _keep_pace(self, raw: bytes, frame: Frame | None) -> None:
        """Wait until the peer's grant has room for a frame, and count it."""
        while self._pace is not None and self.end is None:
            wait_ms = self._pace.wait_ms(frame, len(raw), _now_ms())
            if not wait_ms:
                self._pace.sent(frame, len(raw), _now_ms())
                return
            await asyncio.sleep(wait_ms / 1000)

    async def _serve(self) -> None:
        """Look up answers while there is room for one more."""
        while True:
            await self._answer_room.acquire()
            request, size = await self._requests.get()
            answer, counted_bytes = await self._hub.answer_within(self, request)
            self._take(size)
            self._count_answer(counted_bytes)
            self._answers.put_nowait((answer, counted_bytes))

    def _count_answer(self, change_bytes: int) -> None:
        """Know what counts against all links' answers, to give it back when the link ends."""
        self._answers_counted += change_bytes
        if change_bytes < 0:
            self._hub.answered(self, -change_bytes)

    async def _send_answers(self) -> None:
        try:
            while True:
                answer, counted_bytes = await self._answers.get()
                await self._send_now(answer, ANSWER_SECONDS if counted_bytes else SEND_SECONDS)
                self._count_answer(-counted_bytes)
                self._answer_room.release()
        except (OSError, TimeoutError):
            self._tell(ConnectionLost())

    async def _send_now(self, raw: bytes, patience_seconds: float) -> None:
        async with asyncio.timeout(patience_seconds):
            await self._websocket.send_bytes(raw)


async def receive(websocket: WebSocket, intake: Intake | None) -> WSMessage:
    """Return what comes next; the WebSocket's own pings are answered here, because they have to be counted."""
    while True:
        message = await websocket.receive()
        if message.type not in (WSMsgType.PING, WSMsgType.PONG):
            return message
        if intake is not None:
            intake.taken(len(message.data))
        if message.type is WSMsgType.PING and not websocket.closed:
            await websocket.pong(message.data)
        await asyncio.sleep(0)  # a thousand of them hold up nobody


def remote_address(websocket: WebSocket) -> str:
    """Return the IP address of the other end; where it has none, our own."""
    name = websocket.get_extra_info("peername")
    return str(name[0]) if isinstance(name, tuple) else "127.0.0.1"


def _event_of(message: WSMessage) -> Event:
    if message.type is WSMsgType.BINARY:
        return MessageReceived(message.data)
    if message.type is WSMsgType.TEXT:
        return MessageReceived(_NO_FRAME)
    return ConnectionLost()


def _now_ms() -> int:
    return int(asyncio.get_running_loop().time() * 1000)
