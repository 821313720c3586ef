"""Stores for the tests: each on a folder and on a real PostgreSQL server."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from storage.engine import Store, open_store
from storage.guard import Guard, open_guard


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    """Where a new store may be made: a folder, or the URL of an empty database."""
    if request.param == "sqlite":
        yield str(tmp_path / "store")
        return
    server = request.getfixturevalue("postgres_server")
    with server.database() as url:
        yield url


@pytest.fixture
def store(place: str) -> Iterator[Store]:
    with open_store(place) as opened:
        yield opened


@pytest.fixture
def guard(place: str) -> Iterator[Guard]:
    with open_guard(place) as opened:
        yield opened
