"""Many records and stocks in one question: the same as asked for one by one, on both engines."""

from msgspec.structs import replace

from protocol.fold import TABLES
from protocol.lanes.kind import Key, Put
from storage.engine import Store
from storage.state import StateStore
from storage.stock import set_on_hand, stock_of, stocks_of
from storage.views.reading import MomentReader, StateReader
from tests.village import POLICY

COUNT = 40


def _fill(store: Store) -> list[Key]:
    """As many policies as `COUNT`, and the keys of one more."""
    keys: list[Key] = [(bytes([number]) * 32,) for number in range(COUNT)]
    state = StateStore(TABLES, store.forget_on_failure)
    with store.write() as connection, state.within(connection):
        shares = [replace(POLICY.shares[0], share_bp=number + 1) for number in range(COUNT)]
        state.apply(
            [
                Put("policy", key, replace(POLICY, shares=(share,)))
                for key, share in zip(keys, shares, strict=True)
            ]
        )
    return [*keys, (b"\xff" * 32,)]


def test_many_records_come_in_the_order_of_their_keys_and_what_is_missing_is_none(store: Store) -> None:
    """A key that is asked for twice is answered twice; no keys are no records."""
    keys = _fill(store)
    asked = [*reversed(keys), keys[0]]
    with store.read() as connection:
        read = StateReader(connection)
        assert read.get_all("policy", asked) == [read.get("policy", key) for key in asked]
        assert read.get_all("policy", [keys[-1]]) == [None]
        assert read.get_all("policy", []) == []


def test_who_reads_one_moment_gets_what_any_other_reader_gets(store: Store) -> None:
    """Asked again, the same struct comes, and what is missing stays missing."""
    keys = _fill(store)
    with store.read() as connection:
        plain, moment = StateReader(connection), MomentReader(connection)
        for _ in range(2):
            assert [moment.get("policy", key) for key in keys] == [plain.get("policy", key) for key in keys]
        assert moment.get("policy", keys[3]) is moment.get("policy", keys[3])
        assert moment.get("deal", (b"\x00" * 32, b"\x00" * 32, b"\x00" * 16)) is None


def test_many_stocks_are_those_of_each_listing(store: Store) -> None:
    """Listings that nobody counts are left out."""
    with store.write() as connection:
        for number in range(0, COUNT, 2):
            set_on_hand(connection, f"listing-{number}", number)
    names = [f"listing-{number}" for number in range(COUNT)]
    with store.read() as connection:
        one_by_one = {name: stock_of(connection, name) for name in names}
        assert stocks_of(connection, names) == {name: one for name, one in one_by_one.items() if one}
        assert stocks_of(connection, []) == {}
