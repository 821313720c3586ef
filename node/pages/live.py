"""What is new, told to pages that are open: server-sent events for those with JavaScript.

A page hears that something of ours changed, not what: it asks again. Without JavaScript it asks by itself now
and then, so nothing here has to arrive.
"""

import asyncio
from contextlib import suppress

from aiohttp import hdrs, web

from node.writer.lane_writer import Advance

LISTENERS_MAX = 64
VISITORS_MAX = 32  # of them, so that strangers take no place of the desk
QUIET_SECONDS = 25.0  # then a comment is sent, so that nothing on the way takes the line for dead
GATHER_SECONDS = 0.2  # what comes in one burst is told once


class LiveUpdates:
    """The open pages of this node."""

    def __init__(self) -> None:
        """Begin with nobody listening."""
        self._listeners: set[asyncio.Event] = set()

    def note(self, advance: Advance) -> None:
        """Tell all open pages where the folded state went on; called in the event loop."""
        if advance.folded:
            for changed in self._listeners:
                changed.set()

    async def stream(self, request: web.Request, *, is_member: bool) -> web.StreamResponse:
        """Hold a page's line open until it goes; one too many is sent away and goes on without."""
        if len(self._listeners) >= (LISTENERS_MAX if is_member else VISITORS_MAX):
            return web.Response(status=web.HTTPNoContent.status_code)
        response = web.StreamResponse(
            headers={hdrs.CONTENT_TYPE: "text/event-stream", hdrs.CACHE_CONTROL: "no-store"}
        )
        changed = asyncio.Event()
        self._listeners.add(changed)
        try:
            await response.prepare(request)
            with suppress(ConnectionError):
                await self._tell(response, changed)
        finally:
            self._listeners.discard(changed)
        return response

    async def _tell(self, response: web.StreamResponse, changed: asyncio.Event) -> None:
        await response.write(b"retry: 2000\n\n")
        while True:
            try:
                async with asyncio.timeout(QUIET_SECONDS):
                    await changed.wait()
            except TimeoutError:
                await response.write(b": still here\n\n")
                continue
            await asyncio.sleep(GATHER_SECONDS)
            changed.clear()
            await response.write(b"event: changed\ndata: \n\n")
