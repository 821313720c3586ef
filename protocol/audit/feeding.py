"""In which order an audit feeds the fold (PROTOCOL.md section 19.4).

The state does not depend on it; time and disk do. A record that cites what was not fed yet has to wait and be
read twice. So charters come first, then markets, which cite nothing else, and then all lanes of trade and
ledger side by side by the times of their records, as they once happened. Nothing cites a ledger, so ledgers
follow in short runs: going from lane to lane costs as much as a record.

    feeder = Feeder(fold, lanes, on_folded)
    feeder.run()
"""

from bisect import bisect_right
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heapreplace
from itertools import accumulate, islice
from typing import NamedTuple

import msgspec

from protocol.audit.lane_copy import LaneCopy
from protocol.errors import AuditError
from protocol.fold import Fold, Folded
from protocol.lanes.kind import CHARTER, LEDGER, MARKETS, Lane, Position
from protocol.limits import INTEGER_MAX, LANES_MERGED_MAX, PORTION_BYTES_MAX, TILE_WIDTH

_BUNDLES_KEPT_MAX = 32
_LEDGER_RUN = 32  # postings that are fed together; as many moves are kept at hand for them
_NEVER = INTEGER_MAX + 1


class _Head(msgspec.Struct, array_like=True, gc=False):
    """The start of a record: enough to know its time."""

    format: int
    kind: str
    time_ms: int


_decode_head = msgspec.msgpack.Decoder(_Head).decode


class EpochCopy(msgspec.Struct, frozen=True):
    """A whole copy of a lane in one epoch, and how many of its entries count: all, or those that were sealed."""

    epoch: int
    copy: LaneCopy
    end: int


Lanes = Mapping[Lane, Sequence[EpochCopy]]
"""For each lane its epochs, oldest first."""


class BundleEntries:
    """Reads single entries again, for the records that had to wait; keeps the last few bundles."""

    def __init__(self, lanes: Lanes) -> None:
        """Take the lanes that are fed."""
        self._copies = {(lane, part.epoch): part.copy for lane, parts in lanes.items() for part in parts}
        self._kept: OrderedDict[tuple[Lane, int, int], list[bytes]] = OrderedDict()
        self._kept_bytes = 0

    def entry(self, position: Position) -> bytes:
        """Return the entry at `position`, which was fed before."""
        bundle, place = divmod(position.index, TILE_WIDTH)
        lane = Lane(position.community, position.lane)
        key = (lane, position.epoch, bundle)
        entries = self._kept.get(key)
        if entries is None:
            entries = self._copies[lane, position.epoch].bundle(bundle)[0]
            self._keep(key, entries)
        else:
            self._kept.move_to_end(key)
        return entries[place]

    def _keep(self, key: tuple[Lane, int, int], entries: list[bytes]) -> None:
        self._kept[key] = entries
        self._kept_bytes += sum(map(len, entries))
        while len(self._kept) > 1 and (
            len(self._kept) > _BUNDLES_KEPT_MAX
            or self._kept_bytes > _BUNDLES_KEPT_MAX * PORTION_BYTES_MAX // 4
        ):
            _, dropped = self._kept.popitem(last=False)
            self._kept_bytes -= sum(map(len, dropped))


class Stalled(NamedTuple):
    """Records that could not be fed: the first of them, what it waits for, and how many they are."""

    first: Position
    waits_for: Position
    records: int


class Feeder:
    """Feeds all lanes to a fold, as far as they go."""

    def __init__(self, fold: Fold, lanes: Lanes, on_folded: Callable[[Folded], None]) -> None:
        """Take the fold, what to feed, and who hears what came of it."""
        self._fold = fold
        self._lanes = lanes
        self._on_folded = on_folded
        self.stalled: list[Stalled] = []

    def run(self) -> None:
        """Feed everything; what could not be fed stands in `stalled`."""
        charters = [lane for lane in self._lanes if lane.name == CHARTER]
        markets = [lane for lane in self._lanes if lane.name in MARKETS]
        rest = [lane for lane in self._lanes if lane.name not in (CHARTER, *MARKETS)]
        for lane in (*charters, *markets):
            self._merge([lane])
        numbered = iter(rest)
        while group := list(islice(numbered, LANES_MERGED_MAX)):
            self._merge(group)

    def _merge(self, lanes: Sequence[Lane]) -> None:
        """Feed lanes side by side: always the one whose next record is oldest, up to the next one's time."""
        is_merged = len(lanes) > 1  # a lane alone does not care for times
        streams = [_Stream(lane, self._lanes[lane], is_merged=is_merged) for lane in lanes]
        heap = []
        for number, stream in enumerate(streams):
            if stream.has_more(self._fold):
                heap.append((stream.next_ms(), number))
            else:
                self.stalled += stream.rest(None)
        heapify(heap)
        while heap:
            stream = streams[heap[0][1]]
            until_ms = min((time_ms for time_ms, _ in heap[1:3]), default=_NEVER)
            entries, record_ids = stream.take(until_ms)
            folded = self._fold.feed(
                stream.lane, epoch=stream.epoch, start=stream.start, entries=entries, record_ids=record_ids
            )
            self._on_folded(folded)
            if folded.stalled_on is None and stream.has_more(self._fold):
                heapreplace(heap, (stream.next_ms(), heap[0][1]))
                continue
            heappop(heap)
            stream.start += folded.consumed
            self.stalled += stream.rest(folded.stalled_on)


class _Stream:
    """One lane on its way into the fold: the portion at hand, and where in it the next record stands."""

    def __init__(self, lane: Lane, parts: Sequence[EpochCopy], *, is_merged: bool) -> None:
        self.lane = lane
        self._is_merged = is_merged
        self.epoch = 0
        self.start = 0
        self._parts = deque(parts)
        self._first = 0
        self._entries: list[bytes] = []
        self._record_ids: list[bytes] = []
        self._times: list[int] = []
        self._place = 0

    def has_more(self, fold: Fold) -> bool:
        """Whether a next record is at hand; reads on, into the next epoch too where the fold may go there."""
        while self._place == len(self._entries):
            if not self._parts:
                return False
            part, first = self._parts[0], self._first + self._place
            if first >= part.end:
                self._parts.popleft()
                self._first, self._place, self._entries = 0, 0, []
            elif (first == 0 and fold.next_index(self.lane, part.epoch) != 0) or not self._load(part, first):
                return False
        return True

    def next_ms(self) -> int:
        """Return the time of the next record, or of the one before it where it states none."""
        return self._times[self._place]

    def take(self, until_ms: int) -> tuple[Sequence[bytes], Sequence[bytes]]:
        """Take the next record, and those after it that are not later than `until_ms`, with their ids."""
        begin = self._place
        end = bisect_right(self._times, until_ms, lo=begin + 1)
        self.epoch, self.start, self._place = self._parts[0].epoch, self._first + begin, end
        return self._entries[begin:end], self._record_ids[begin:end]

    def rest(self, stalled_on: Position | None) -> Iterator[Stalled]:
        """Yield what is left: behind `stalled_on`, or behind an epoch that is not there as far as it was sealed."""
        for part in self._parts:
            start = self.start if part.epoch == self.epoch else 0
            if start < part.end:
                first = Position(*self.lane, part.epoch, start)
                waits_for = stalled_on or Position(*self.lane, self.epoch, self.start)
                yield Stalled(first, waits_for, part.end - start)

    def _load(self, part: EpochCopy, first: int) -> bool:
        """Read the next portion: a bundle, or what of it stays within `PORTION_BYTES_MAX`.

        Where a deferred copy breaks, the lane ends: what is wrong is named when all of it is compared.
        """
        bundle, skipped = divmod(first, TILE_WIDTH)
        try:
            entries, record_ids = part.copy.bundle(bundle)
        except AuditError:
            if not part.copy.is_deferred:
                raise
            self._parts.clear()
            return False
        end = min(len(entries), part.end - bundle * TILE_WIDTH)
        end = skipped + _count_within(entries[skipped:end], PORTION_BYTES_MAX)
        self._entries, self._record_ids = entries[skipped:end], record_ids[skipped:end]
        self._times = self._times_of_portion() if self._is_merged else [0] * len(self._entries)
        self._first, self._place = first, 0
        return True

    def _times_of_portion(self) -> list[int]:
        """Return when each record is due, never decreasing: a ledger's run with the last of the run."""
        times = list(_times(self._entries, self._times[-1] if self._times else 0))
        if self.lane.name != LEDGER:
            return times
        runs = (times[start : start + _LEDGER_RUN] for start in range(0, len(times), _LEDGER_RUN))
        return [run[-1] for run in runs for _ in run]


def _count_within(entries: Sequence[bytes], bytes_max: int) -> int:
    """Return how many entries from the first on stay within `bytes_max` together; the first counts in any case."""
    return max(1, bisect_right(list(accumulate(map(len, entries))), bytes_max))


def _times(entries: Sequence[bytes], before_ms: int) -> Iterator[int]:
    """Yield the time of each record; what is no record has the time of the one before."""
    for entry in entries:
        try:
            time_ms = _decode_head(entry).time_ms
            before_ms = time_ms if before_ms <= time_ms <= INTEGER_MAX else before_ms
        except (msgspec.DecodeError, UnicodeDecodeError):
            pass
        yield before_ms
