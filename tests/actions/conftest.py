"""A node without sockets, on a folder of its own."""

from collections.abc import AsyncIterator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Protocol

import pytest

from node.automation import do_chores, find_chores
from node.config import read_sources
from node.core import Node
from node.opening import opened_node
from node.vault import found_community, open_vault
from node.writer.clock import system_clock


class OpenNode(Protocol):
    def __call__(self, name: str) -> AbstractAsyncContextManager[Node]: ...


async def do_all_chores(node: Node) -> None:
    """Do what the running node does by itself, until nothing is left."""
    while chores := await node.read(lambda read: find_chores(read, node.community)):
        await node.write(lambda transaction, chores=chores: do_chores(transaction, chores))


@pytest.fixture
def open_node(tmp_path: Path) -> OpenNode:
    @asynccontextmanager
    async def open_named(name: str) -> AsyncIterator[Node]:
        folder = tmp_path / name
        found_community(
            folder,
            name={"en": name, "zh-Hans": "春草"},
            currency="EUR",
            words_language="en",
            now_ms=system_clock(),
            keep_kit=lambda kit: None,
        )
        settings = read_sources(flags={"folder": str(folder)}, environment={}).settings()
        async with opened_node(settings, open_vault(folder), on_advance=lambda advance: None) as node:
            yield node

    return open_named
