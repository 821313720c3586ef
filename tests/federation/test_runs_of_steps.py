"""Full bundles that follow one another are stored as one; everything else is taken step by step, in order."""

from node.lane_exchange import runs_of
from protocol.exchange.holding import StoreEntries
from protocol.lanes.kind import TRADE
from protocol.log.origin import Origin

_ONE, _OTHER = (Origin(bytes([number]) * 32, TRADE, 0) for number in (1, 2))


def _bundle(origin: Origin, start: int, count: int = 256) -> StoreEntries:
    root = bytes(32) if (start + count) % 256 == 0 else None
    return StoreEntries(origin, start, count, b"", (), root)


def test_neighbouring_bundles_are_one_run_and_nothing_else_is() -> None:
    """A part of a bundle, a gap, another lane each begin a run of their own; no step is lost or moved."""
    steps = [
        _bundle(_ONE, 250, 6),
        _bundle(_ONE, 256),
        _bundle(_ONE, 512),
        _bundle(_OTHER, 768),
        _bundle(_ONE, 768),
        _bundle(_ONE, 1_280),
        _bundle(_ONE, 1_536, 3),
    ]
    runs = list(runs_of(steps))
    assert [len(run) for run in runs] == [1, 2, 1, 1, 1, 1]
    assert [step for run in runs for step in run] == steps


def test_no_steps_are_no_runs() -> None:
    """Nothing in, nothing out."""
    assert list(runs_of([])) == []
