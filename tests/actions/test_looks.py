"""A look at the store is short: what takes long is answered all the same, and does not hold up the rest."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
import sqlalchemy as sa

from node.errors import NodeError
from storage.asking import ask
from storage.engine import open_store
from storage.sqlite import TakesLong
from tests.actions.conftest import OpenNode

_COUNT_LONG = (
    "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n WHERE x < ?) SELECT count(*) FROM n"
)


async def test_a_long_question_is_asked_again_on_a_readers_thread(open_node: OpenNode) -> None:
    """The answer is the same on both engines; on SQLite the short one came from this thread, the long one not."""
    async with open_node("spring") as node:
        threads: list[int] = []

        def count(read, numbers):
            threads.append(threading.get_ident())
            return ask(read.connection, _COUNT_LONG, (numbers,))[0][0]

        assert await node.look(lambda read: count(read, 10)) == 10
        assert (threads[-1] == threading.get_ident()) is not node.store.is_postgres
        assert await node.look(lambda read: count(read, 1_000_000)) == 1_000_000
        assert threads[-1] != threading.get_ident()
        assert await node.look(lambda read: count(read, 10)) == 10


async def test_a_refusal_in_a_look_is_told_as_it_is(open_node: OpenNode) -> None:
    """What a question raises comes out once, and the next one is answered."""
    async with open_node("spring") as node:
        asked: list[int] = []

        def refuse(read):
            asked.append(1)
            raise NodeError("not_found", "no such thing")

        with pytest.raises(NodeError, match="no such thing"):
            await node.look(refuse)
        with pytest.raises(Exception, match=r"(?i)syntax"):
            await node.look(lambda read: read.connection.exec_driver_sql("SELEC 1"))
        assert asked == [1]
        assert await node.look(lambda read: read.count("shop", length=3)) == 0


def _by_driver(connection: sa.Connection) -> None:
    ask(connection, _COUNT_LONG, (50_000_000,))


def _by_engine(connection: sa.Connection) -> None:
    connection.exec_driver_sql(_COUNT_LONG, (50_000_000,)).all()


@pytest.mark.parametrize("ask_long", [_by_driver, _by_engine])
def test_a_brief_reading_ends_in_time_and_leaves_the_connection_well(
    tmp_path: Path, ask_long: Callable[[sa.Connection], None]
) -> None:
    """Asked through the driver or the engine, `TakesLong` comes; the same connection then has all the time."""
    with open_store(tmp_path) as store:
        with pytest.raises(TakesLong), store.read_briefly(0.005) as connection:
            ask_long(connection)
        with store.read() as connection:
            assert ask(connection, _COUNT_LONG, (200_000,)) == [(200_000,)]
        with store.read_briefly(5.0) as connection:
            assert ask(connection, _COUNT_LONG, (1_000,)) == [(1_000,)]
