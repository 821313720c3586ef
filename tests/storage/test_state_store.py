"""The fold's state: a dict that survives, byte-equal on both engines."""

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from protocol.lanes.kind import Change, Key, Put, Remove
from storage.engine import Store, open_store
from storage.errors import StorageError
from storage.state import StateStore, digest, dump


class Listing(msgspec.Struct, frozen=True):
    title: str
    price_minor: int
    tags: tuple[str, ...] = ()


class Order(msgspec.Struct, frozen=True, array_like=True):
    total_minor: int


TABLES = {"listing": Listing, "order": Order}


def test_what_was_put_is_read_back_before_and_after_the_commit(store: Store) -> None:
    """A key reads as last written: in the overlay, from the database, after a removal."""
    state = StateStore(TABLES, store.forget_on_failure)
    key: Key = (b"\x01" * 32, "market/food", 7)
    with store.write() as connection, state.within(connection):
        assert state.get("listing", key) is None
        state.apply([Put("listing", key, Listing("苹果", 250, ("fruit",))), Put("order", (1,), Order(3))])
        assert state.get("listing", key) == Listing("苹果", 250, ("fruit",))
    fresh = StateStore(TABLES)
    with store.read() as connection, fresh.within(connection):
        assert fresh.get("listing", key) == Listing("苹果", 250, ("fruit",))
        assert fresh.get("order", (1,)) == Order(3)
        assert fresh.get("order", ("1",)) is None
    with store.write() as connection, state.within(connection):
        state.apply([Remove("listing", key), Remove("listing", ("never there",))])
        assert state.get("listing", key) is None
    with store.read() as connection, fresh.within(connection):
        assert [table for table, _, _ in dump(connection)] == ["order"]


def test_an_undone_transaction_is_forgotten_by_the_cache(store: Store) -> None:
    """After a failure, even one past the last flush, reads tell what the database holds."""
    state = StateStore(TABLES, store.forget_on_failure)
    with store.write() as connection, state.within(connection):
        state.put("order", (1,), Order(1))
    with pytest.raises(KeyError), store.write() as connection:  # noqa: PT012  the block is a transaction
        with state.within(connection):
            state.put("order", (1,), Order(2))
        raise KeyError
    with store.write() as connection, state.within(connection):
        assert state.get("order", (1,)) == Order(1)


def test_a_read_that_fails_has_a_code(request: pytest.FixtureRequest) -> None:
    """The fast path past SQLAlchemy tells failures like every other path."""
    server = request.getfixturevalue("postgres_server")
    with server.database() as url, open_store(url) as store:
        state = StateStore(TABLES, store.forget_on_failure)
        with pytest.raises(StorageError) as error, store.write() as connection:  # noqa: PT012  as above
            mine = connection.exec_driver_sql("SELECT pg_backend_pid()").scalar_one()
            server.run(f"SELECT pg_terminate_backend({mine}, 5000)")
            with state.within(connection):
                state.get("order", (1,))
        assert error.value.code == "storage_unreachable"


_KEYS = st.tuples(st.sampled_from(["a", "b", b"a", 1, 300, "猫"]), st.integers(0, 3))
_CHANGES = st.lists(
    st.one_of(
        st.builds(Put, st.just("listing"), _KEYS, st.builds(Listing, st.text(max_size=3), st.integers(0, 9))),
        st.builds(Put, st.just("order"), _KEYS, st.builds(Order, st.integers(0, 9))),
        st.builds(Remove, st.sampled_from(["listing", "order"]), _KEYS),
    ),
    max_size=60,
)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    batches=st.lists(_CHANGES, max_size=4),
    bound=st.sampled_from([1, 2, 7, 4096]),
    sparse=st.sampled_from([{}, {"order": 1, "listing": 1}, {"listing": 0}]),
)
def test_any_batches_of_changes_equal_a_dict(
    store: Store, batches: list[list[Change]], bound: int, sparse: dict[str, int]
) -> None:
    """With any bounds on overlay and cache, state and a plain dict say the same at every step."""
    with store.write() as connection:
        connection.exec_driver_sql("DELETE FROM state")
    state = StateStore(TABLES, sparse=sparse, overlay_max=bound, cache_max=bound)
    model: dict[tuple[str, Key], msgspec.Struct] = {}
    for batch in batches:
        with store.write() as connection, state.within(connection):
            for change in batch:
                state.apply([change])
                if isinstance(change, Put):
                    model[change.table, change.key] = change.value
                else:
                    model.pop((change.table, change.key), None)
                assert state.get(change.table, change.key) == model.get((change.table, change.key))
                other = ("listing", change.key)
                assert state.get(*other) == model.get(other)
    with store.read() as connection:
        rows = list(dump(connection))
        assert rows == sorted(rows)
        assert len(rows) == len(model)
        assert digest(connection) == _digest(model)


def _digest(model: dict[tuple[str, Key], msgspec.Struct]) -> bytes:
    """The digest by its definition, from a dict."""
    from hashlib import sha256

    from protocol.encoding import encode

    rows = sorted((table, encode(key), encode(value)) for (table, key), value in model.items())
    return sha256(b"".join(encode(row) for row in rows)).digest()
