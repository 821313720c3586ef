"""What every room's tests may ask for."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.postgres import PostgresServer, find_binaries, running_server

_REPOSITORY = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def shared_data() -> Callable[[str], Path]:
    """`shared_data("hostile/blns.json")` is that file of the optional test data, or skips the test.

    The folder is that of the environment variable WILDGRASS_SHARED, else `shared` beside the repository.
    """

    def find(name: str) -> Path:
        folder = Path(os.environ.get("WILDGRASS_SHARED") or _REPOSITORY.parent / "shared")
        path = folder / "data" / name
        if not path.exists():
            pytest.skip(f"the optional test data {name} is not on this machine (set WILDGRASS_SHARED)")
        return path

    return find


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL server; skipped only where none is installed."""
    binaries = find_binaries()
    if binaries is None:
        pytest.skip("PostgreSQL is not installed here (no initdb in PATH or /usr/lib/postgresql)")
    with running_server(binaries) as server:
        yield server
