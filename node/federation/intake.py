"""What one connection has brought and nobody has taken yet: bounded for each, and for all together (section 30.4).

Stands between a transport and aiohttp, which holds whatever part of a message has come until the rest comes. A little
is free; to bring a large message a link needs a place, of which there are a few for all: until it has one, TCP holds
the sender up. Before its proof no link gets a place, and a large message is told to be `on_early`.

    intake = Intake(transport, is_masked=True)  # from the first byte of the session on
    intake.admit(places, is_stranger=True, on_slow=close)
    intake.taken(len(message))
"""

import asyncio
from asyncio.sslproto import SSLProtocol
from collections.abc import Callable

from node.federation.budget import Budget
from protocol.limits import FRAME_BYTES_MAX, REQUEST_MS

MESSAGE_BYTES_MAX = (
    FRAME_BYTES_MAX + 2
)  # aiohttp refuses from here on; one byte too many is the session's to refuse
READ_BYTES_MAX = 65_536  # what is read of a socket at a time
EARLY_SECONDS = 1.0
FREE_BYTES_MAX = 196_608  # what may wait of each link; aiohttp itself stops at 128 KiB of whole messages
_LENGTHS = (
    (1, 125),
    (3, 65_535),
    (9, 2**63),
)  # of a WebSocket frame: in how many bytes it says up to which one
_MASK_BYTES = 4


def bound_tls_buffers() -> None:
    """Have every TLS connection of this process hold a quarter of what asyncio gives it for reading."""
    SSLProtocol.max_size = READ_BYTES_MAX


class Intake(asyncio.Protocol):
    """The protocol of a transport, in the place of aiohttp's, to which it passes everything on."""

    def __init__(self, transport: asyncio.Transport, *, is_masked: bool) -> None:
        """Take the place of the transport's protocol, and have it hold little on its own account.

        What a dialer sends `is_masked`.
        """
        self.waiting_bytes = 0
        self._mask_bytes = _MASK_BYTES if is_masked else 0
        self._transport = transport
        inner = transport.get_protocol()
        assert isinstance(inner, asyncio.Protocol), "aiohttp's protocols take bytes"
        self._inner = inner
        self._places: Budget | None = None
        self._is_stranger = True
        self.on_early: Callable[[], None] = lambda: None
        self._on_slow: Callable[[], None] = lambda: None
        self._place: asyncio.Future[None] | None = None
        self._alarm: asyncio.TimerHandle | None = None
        transport.set_protocol(self)
        transport.set_write_buffer_limits(high=READ_BYTES_MAX)
        if hasattr(transport, "set_read_buffer_limits"):  # of TLS: how much it reads ahead while it is paused
            transport.set_read_buffer_limits(high=READ_BYTES_MAX)

    def admit(self, places: Budget, *, is_stranger: bool, on_slow: Callable[[], None]) -> None:
        """Let the link have places; who keeps others waiting and brings nothing whole in time is told `on_slow`."""
        self.close()
        self._places, self._is_stranger, self._on_slow = places, is_stranger, on_slow
        self._mind()

    def taken(self, message_bytes: int) -> None:
        """Hear that a message of so many bytes is not held any more; its header was counted as well."""
        self.waiting_bytes = max(0, self.waiting_bytes - message_bytes - self._header_bytes(message_bytes))
        self._mind()

    def _header_bytes(self, message_bytes: int) -> int:
        length = next(size for size, longest in _LENGTHS if message_bytes <= longest)
        return 1 + length + self._mask_bytes

    def close(self) -> None:
        """Give the place back, if there is one; nothing is held any more."""
        place, self._place = self._place, None
        if self._alarm is not None:
            self._alarm.cancel()
            self._alarm = None
        if place is None or self._places is None:
            return
        if place.done():
            self._places.give_back(MESSAGE_BYTES_MAX, is_stranger=self._is_stranger)
        else:
            place.cancel()

    def _mind(self) -> None:
        """Read on, or not, and have a place, or none, as what waits says."""
        if self._transport.is_closing():
            return
        if self.waiting_bytes <= FREE_BYTES_MAX:
            self.close()
        elif self._places is None:
            if self._alarm is None:
                self._alarm = asyncio.get_running_loop().call_later(EARLY_SECONDS, self._check_early)
        elif self._place is None:
            self._place = self._places.ask(MESSAGE_BYTES_MAX, is_stranger=self._is_stranger)
            self._place.add_done_callback(self._placed)
        has_place = self._place is not None and self._place.done()
        if self.waiting_bytes > FREE_BYTES_MAX + (MESSAGE_BYTES_MAX if has_place else 0):
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _check_early(self) -> None:
        """What could be taken of it has been by now: the rest is larger than anything that is said before a proof."""
        self._alarm = None
        if self._places is None and self.waiting_bytes > FREE_BYTES_MAX:
            self.on_early()

    def _placed(self, place: asyncio.Future[None]) -> None:
        if place is not self._place or place.cancelled():
            return
        self._alarm = asyncio.get_running_loop().call_later(
            REQUEST_MS / 1000, self._check, self.waiting_bytes
        )
        self._mind()

    def _check(self, waiting_before: int) -> None:
        """A message that is not whole after so long is given up where others wait for the place."""
        assert self._places is not None, "who has a place was admitted"
        if self._places.has_waiters and self.waiting_bytes >= waiting_before:
            self._on_slow()
        else:
            self._alarm = asyncio.get_running_loop().call_later(
                REQUEST_MS / 1000, self._check, self.waiting_bytes
            )

    # What the transport says is aiohttp's to hear.

    def data_received(self, data: bytes) -> None:
        """Count, pass on, and stop where it is too much."""
        self.waiting_bytes += len(data)
        self._inner.data_received(data)
        self._mind()

    def eof_received(self) -> bool | None:
        """Pass on."""
        return self._inner.eof_received()

    def connection_lost(self, exc: Exception | None) -> None:
        """Pass on; nothing comes any more."""
        self.close()
        self._inner.connection_lost(exc)

    def pause_writing(self) -> None:
        """Pass on."""
        self._inner.pause_writing()

    def resume_writing(self) -> None:
        """Pass on."""
        self._inner.resume_writing()
