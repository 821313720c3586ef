"""The rates of the core alone, worth watching from change to change: no socket, no process beside it.

Fold of the mix into a dict and into the node's state on SQLite (synced slices, as the node does it), decoding,
the tree, the split of an order.
"""

from collections.abc import Callable, Iterator

from benchmarks.houses import found
from benchmarks.measuring import Bench, Figure, Watch, tell, watched
from benchmarks.mix import LANES, MIX, POLICY, Made, Mix
from node.writer.backlog import INDEX_LISTINGS, SLICE_ENTRIES
from protocol.amounts.split import TaxTotal, split
from protocol.dict_state import DictState
from protocol.fold import Fold
from protocol.lanes import BODY_TYPES
from protocol.lanes.kind import CHARTER, Lane, Position
from protocol.limits import TILE_WIDTH
from protocol.log.merkle import leaf_hashes, subtree_root
from protocol.log.record import decode_record
from storage.engine import Store, open_store
from storage.views.folding import FoldState
from storage.views.indexing import index_some

_SPLITS = 20_000


class _NoEntries:
    """The mix keeps nothing waiting: whatever a record cites stands before it."""

    def entry(self, position: Position) -> bytes:
        raise AssertionError(position)


def figures(bench: Bench) -> Iterator[Figure]:
    """Measure each rate `rounds` times over the same records."""
    vault = found(bench.scratch / "core")
    mix = Mix(vault)
    tell(f"core: making {bench.records} records")
    made = [*mix.opening(), *mix.records(bench.records)]
    entries = [raw for _, raw in made]
    rates: list[tuple[str, str, int, Callable[[], Watch]]] = [
        ("core.decode", "records/s", len(made), lambda: _decode(entries)),
        ("core.tree", "leaves/s", len(made), lambda: _build_tree(entries)),
        ("core.split", "splits/s", _SPLITS, _split),
        ("core.fold_dict", "records/s", len(made), lambda: _fold_dict(vault.community, made)),
    ]
    beside = f"nothing; {MIX}; {sum(map(len, entries)) // len(entries)} bytes a record"
    for name, unit, count, measure in rates:
        tell(name)
        watches = [measure() for _ in range(bench.rounds)]
        yield _rate(bench, name, unit, count, watches, beside)
    yield from _on_sqlite(bench, vault.community, made, beside)


def _on_sqlite(bench: Bench, community: bytes, made: list[Made], beside: str) -> Iterator[Figure]:
    folds: list[Watch] = []
    searches: list[Watch] = []
    indexed = 0
    for number in range(bench.rounds):
        tell(f"core.fold_sqlite and core.search, round {number + 1}")
        with open_store(bench.scratch / f"fold-{number}") as store:
            folds.append(_fold_store(store, community, made))
            watch, indexed = _index(store)
            searches.append(watch)
    yield _rate(bench, "core.fold_sqlite", "records/s", len(made), folds, f"{beside}; synced slices")
    yield _rate(bench, "core.search", "listings/s", indexed, searches, "nothing; synced batches")


def _rate(bench: Bench, name: str, unit: str, count: int, watches: list[Watch], beside: str) -> Figure:
    return bench.figure(
        name, unit, n=count, values=[count / watch.wall_seconds for watch in watches], beside=beside
    )


def _decode(entries: list[bytes]) -> Watch:
    with watched() as watch:
        for raw in entries:
            decode_record(raw, BODY_TYPES)
    return watch


def _build_tree(entries: list[bytes]) -> Watch:
    """Leaf hashes and the subtree root of every bundle, as a fetch checks them."""
    with watched() as watch:
        for start in range(0, len(entries), TILE_WIDTH):
            subtree_root(leaf_hashes(entries[start : start + TILE_WIDTH]))
    return watch


def _split() -> Watch:
    totals = [
        TaxTotal(tax_class="food", rate_bp=700, gross_minor=10_701),
        TaxTotal(tax_class="standard", rate_bp=1_900, gross_minor=4_999),
    ]
    with watched() as watch:
        for _ in range(_SPLITS):
            split(POLICY, totals, "EUR", same_community=False, collector="seller")
    return watch


def _fold_dict(community: bytes, made: list[Made]) -> Watch:
    slices = _slices(made)
    with watched() as watch:
        fold = Fold(DictState(), _NoEntries())
        for lane, start, entries in slices:
            fold.feed(Lane(community, lane), epoch=0, start=start, entries=entries)
    return watch


def _fold_store(store: Store, community: bytes, made: list[Made]) -> Watch:
    slices = _slices(made)
    with watched() as watch:
        state = FoldState(store.forget_on_failure)
        fold = Fold(state, _NoEntries())
        for lane, start, entries in slices:
            with store.write() as connection, state.within(connection):
                folded = fold.feed(Lane(community, lane), epoch=0, start=start, entries=entries)
            assert folded.applied == len(entries), "every record of the mix takes effect"
    return watch


def _index(store: Store) -> tuple[Watch, int]:
    state = FoldState(store.forget_on_failure)
    total = 0
    with watched() as watch:
        indexed = INDEX_LISTINGS
        while indexed == INDEX_LISTINGS:
            with store.write() as connection, state.within(connection):
                indexed = index_some(connection, state, INDEX_LISTINGS)
            total += indexed
    return watch, total


def _slices(made: list[Made]) -> list[tuple[str, int, list[bytes]]]:
    """Cut each lane into slices as the node folds them, the lanes in an order in which nothing waits."""
    lanes: dict[str, list[bytes]] = {lane: [] for lane in (CHARTER, *LANES)}
    for lane, raw in made:
        lanes[lane].append(raw)
    return [
        (lane, start, entries[start : start + SLICE_ENTRIES])
        for lane, entries in lanes.items()
        for start in range(0, len(entries), SLICE_ENTRIES)
    ]
