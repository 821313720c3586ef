"""A node without sockets, on a folder of its own or on a database of a real PostgreSQL server."""

from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AbstractAsyncContextManager, ExitStack, asynccontextmanager
from pathlib import Path

import pytest

from node.config import read_sources
from node.core import Node
from node.opening import opened_node
from node.vault import found_community, has_vault, open_vault
from node.writer.clock import system_clock

OpenNode = Callable[[str], AbstractAsyncContextManager[Node]]


@pytest.fixture(params=["sqlite", "postgresql"])
def open_node(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[OpenNode]:
    """`open_node(name)` founds the community of that name, or opens it again."""
    databases: dict[str, str] = {}
    with ExitStack() as stack:

        def database(name: str) -> str:
            if request.param == "sqlite":
                return ""
            if name not in databases:
                server = request.getfixturevalue("postgres_server")
                databases[name] = stack.enter_context(server.database())
            return databases[name]

        @asynccontextmanager
        async def open_named(name: str) -> AsyncIterator[Node]:
            folder = tmp_path / name
            if not has_vault(folder):
                found_community(
                    folder,
                    name={"en": name, "zh-Hans": "春草"},
                    currency="EUR",
                    words_language="en",
                    now_ms=system_clock(),
                    keep_kit=lambda kit: None,
                )
            flags = {"folder": str(folder), "database_url": database(name) or None}
            settings = read_sources(flags=flags, environment={}).settings()
            async with opened_node(settings, open_vault(folder), on_advance=lambda advance: None) as node:
                yield node

        yield open_named
