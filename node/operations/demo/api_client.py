"""A client of one running node's API that keeps many requests in flight: its writer syncs them in groups.

async with ApiClient(("127.0.0.1", 8470), token) as api:
    shops = await api.call_all("POST", "/shops", drafts)
"""

import asyncio
import os
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from types import TracebackType
from typing import Any, Self

import aiohttp
from aiohttp import hdrs
from yarl import URL

from node.client import JSON_HEADERS, TIMEOUT_SECONDS, answer_of, request_of
from node.errors import NodeError
from node.locale import language_of_environment

IN_FLIGHT_MAX = 64  # a node works on `requests_max` at once, 256 unless it is told otherwise
BUSY_TRIES_MAX = 60

Fields = Mapping[str, Any]


class ApiClient:
    """An async context; closed at its end."""

    def __init__(self, place: tuple[str, int], token: str, *, in_flight_max: int = IN_FLIGHT_MAX) -> None:
        """Take host and port, the token of the node's folder, and how many requests may be in flight."""
        host, port = place
        self._url = URL.build(scheme="http", host=host, port=port)
        self._turns = asyncio.Semaphore(in_flight_max)
        self._session = aiohttp.ClientSession(
            headers={
                hdrs.AUTHORIZATION: f"Bearer {token}",
                hdrs.ACCEPT_LANGUAGE: language_of_environment(os.environ),
            },
            connector=aiohttp.TCPConnector(limit=in_flight_max),
            timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS),
        )

    async def call(self, method: str, path: str, fields: Fields | None = None) -> dict[str, Any]:
        """Return the answer of one action, as `node.client.Client.call` does; a busy node is asked again."""
        target, body = request_of(method, path, fields)
        async with self._turns:
            for _ in range(BUSY_TRIES_MAX):
                status, raw, wait_seconds = await self._ask(method, target, body)
                if status != HTTPStatus.TOO_MANY_REQUESTS:
                    return answer_of(status, raw)
                await asyncio.sleep(wait_seconds)
        return answer_of(status, raw)

    async def call_all(
        self,
        method: str,
        path: str,
        all_fields: Iterable[Fields],
        *,
        heard: Callable[[], None] = lambda: None,
    ) -> list[dict[str, Any]]:
        """Ask the same action of many fields at once; answers come in the order of `all_fields`."""

        async def ask(fields: Fields) -> dict[str, Any]:
            answer = await self.call(method, path, fields)
            heard()
            return answer

        return await together(ask(fields) for fields in all_fields)

    async def __aenter__(self) -> Self:
        """Return the client."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the connections."""
        await self.close()

    async def close(self) -> None:
        """Close the connections."""
        await self._session.close()

    async def _ask(self, method: str, target: str, body: bytes | None) -> tuple[int, bytes, float]:
        try:
            async with self._session.request(
                method,
                self._url.join(URL(target, encoded=True)),
                data=body,
                headers={} if body is None else JSON_HEADERS,
            ) as response:
                raw = await response.read()
                return response.status, raw, float(response.headers.get(hdrs.RETRY_AFTER, "1"))
        except aiohttp.ClientError as error:
            raise NodeError("node_silent", f"{self._url}: {type(error).__name__}") from error


async def together(waited_for: Iterable[Awaitable[Any]]) -> list[Any]:
    """Wait for all of them at once and return their answers in order; the first refusal ends the others."""

    async def wait(awaitable: Awaitable[Any]) -> Any:
        return await awaitable

    tasks: list[asyncio.Task[Any]] = []
    try:
        async with asyncio.TaskGroup() as group:
            tasks = [group.create_task(wait(awaitable)) for awaitable in waited_for]
    except BaseExceptionGroup as several:
        raise several.exceptions[0] from None
    return [task.result() for task in tasks]
