"""Asking a witness over HTTP for a cosignature: C2SP `add-checkpoint` (PROTOCOL.md section 27.4).

Every wait has an end and every answer a bound; no redirect is followed, no cookie is kept, nothing is unpacked, and
what an answer says is the machine's affair.

    async with WitnessClient() as client:
        status, body = await client.add_checkpoint("https://witness.example", body)
"""

import asyncio
import logging
from types import TracebackType
from typing import NamedTuple, Self

import aiohttp
from aiohttp import hdrs

from node.version import VERSION
from protocol.limits import WITNESS_ANSWER_BYTES_MAX, WITNESS_HTTP_MS

CONNECTIONS_MAX = 16
CONNECTIONS_OF_ONE_MAX = 4
_CHUNK_BYTES = 4_096

log = logging.getLogger("wildgrass.witnesses")


class HttpAnswer(NamedTuple):
    """Status and body; the status is None where nothing whole came in time, or too much."""

    status: int | None
    body: bytes = b""


class WitnessClient:
    """Connections to witnesses; a context manager."""

    def __init__(self, *, timeout_ms: int = WITNESS_HTTP_MS) -> None:
        """Take how long a witness has for an answer, in milliseconds."""
        self._timeout_seconds = timeout_ms / 1_000

    async def __aenter__(self) -> Self:
        """Open nothing yet: a witness is connected to when it is asked."""
        self._client = aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(limit=CONNECTIONS_MAX, limit_per_host=CONNECTIONS_OF_ONE_MAX),
            cookie_jar=aiohttp.DummyCookieJar(),
            auto_decompress=False,
            headers={hdrs.ACCEPT_ENCODING: "identity", hdrs.USER_AGENT: f"wildgrass/{VERSION}"},
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self._client.close()

    async def add_checkpoint(self, url: str, body: bytes) -> HttpAnswer:
        """Post a body to a witness and return its answer."""
        try:
            async with (
                asyncio.timeout(self._timeout_seconds),
                self._client.post(f"{url}/add-checkpoint", data=body, allow_redirects=False) as response,
            ):
                answer = await _read_bounded(response)
        except (OSError, TimeoutError, aiohttp.ClientError, ValueError) as error:
            log.info("the witness at %s does not answer: %r", url, error)
            return HttpAnswer(None)
        if answer.status is None:
            log.info("the witness at %s answers too much", url)
        return answer


async def _read_bounded(response: aiohttp.ClientResponse) -> HttpAnswer:
    body = bytearray()
    async for chunk in response.content.iter_chunked(_CHUNK_BYTES):
        body += chunk
        if len(body) > WITNESS_ANSWER_BYTES_MAX:
            response.close()
            return HttpAnswer(None)
    return HttpAnswer(response.status, bytes(body))
