"""The audit from its first byte to its report, trusting no source (PROTOCOL.md section 19).

Indexes, then who the communities are, then every copy of every lane byte for byte, then one fold over the
largest whole copies, then the sums. Whatever is wrong becomes a finding, and the audit goes on.

    report = Audit(sources, state, progress).run()
"""

from collections.abc import Iterator, Mapping, Sequence
from typing import Literal, Protocol

import msgspec

from protocol.audit.bundle import Source
from protocol.audit.choosing import place_of
from protocol.audit.feeding import BundleEntries, EpochCopy, Feeder, Lanes
from protocol.audit.findings import REPORT_FORMAT, Book, Copy, Head, ProvenFork, Report, Verdict, Waiting
from protocol.audit.forks import SourceHead
from protocol.audit.lane_copy import LaneCopy
from protocol.audit.reading import Reading
from protocol.audit.statements import check_statements
from protocol.audit.sums import AuditState, add_up
from protocol.audit.totals import Totals
from protocol.audit.waits import count_unknown, list_awaited, list_pending
from protocol.audit.witnessed import charter_witnesses, seen_sizes
from protocol.fold import Fold, Folded, Outcome
from protocol.identity.keys import to_base32
from protocol.lanes.kind import LANE_NAMES, LEDGER, Lane
from protocol.log.fork import parse_fork
from protocol.log.origin import Origin

Stage = Literal["reading", "folding", "summing"]

_RECORDS_A_WORD = 1_000  # between two words of progress


class Progress(Protocol):
    """Who is told how far the audit is."""

    def __call__(self, stage: Stage, done: int, total: int) -> None:
        """Hear that `done` of `total` records have gone through a stage."""


class Audit:
    """One audit of some sources; `run` is called once."""

    def __init__(self, sources: Sequence[Source], state: AuditState, progress: Progress) -> None:
        """Take the sources, an empty state for the fold, and who hears of the progress."""
        self._sources = sources
        self._state = state
        self._progress = progress
        self._book = Book()

    def run(self) -> Report:
        """Return the report; raises `AuditError` only where a source changes under the audit's hands."""
        book, state = self._book, self._state
        reading = Reading(self._sources, book, lambda done, total: self._progress("reading", done, total))
        chosen = reading.read()
        fold, pending = self._fold(reading, _by_lane(chosen))
        reading.finish()
        chosen = {origin: _as_read(part, fold) for origin, part in chosen.items()}
        lanes = _by_lane(chosen)
        self._progress("summing", 0, 1)
        dues = add_up(state, book)
        check_statements(lanes, state, book)
        totals = Totals(reading.histories, reading.forks)
        totals.add_state(state, book)
        awaited, unknown = list_awaited(state, dues, book), count_unknown(state)
        book.count("records", not_opened=sum(unknown.values()))
        sizes = dict.fromkeys(reading.histories, 0)
        for origin, part in chosen.items():
            sizes[origin.community] += part.end
        self._progress("summing", 1, 1)
        return Report(
            format=REPORT_FORMAT,
            verdict=_verdict(reading, book),
            records=sum(sizes.values()),
            sources=tuple(source.name for source in self._sources),
            cut=tuple(self._head(part, fold, reading) for part in chosen.values()),
            copies=tuple(map(_copy, reading.copies)),
            forks=tuple(_fork(proof) for _, proof in sorted(reading.forks.items())),
            checks=book.checks,
            by_code=dict(sorted(book.by_code.items())),
            findings=tuple(book.listed),
            pending=pending,
            awaited=awaited,
            unknown_kinds=unknown,
            communities=tuple(totals.of(community, records) for community, records in sizes.items()),
        )

    def _head(self, part: EpochCopy, fold: Fold, reading: Reading) -> Head:
        """Return one lane of the cut, with whom of the witnesses that its charter names have seen it."""
        copy, origin = part.copy, part.copy.origin
        witnesses = charter_witnesses(self._state, origin.community)
        sizes = seen_sizes(_agreeing(copy, reading.heads[origin]) if witnesses.keys else (), witnesses)
        enough = sorted(sizes.values(), reverse=True)[: witnesses.threshold]
        return Head(
            community=to_base32(origin.community),
            lane=origin.lane,
            epoch=origin.epoch,
            size=copy.checkpoint.size,
            root=copy.checkpoint.root.hex(),
            folded=_folded(part, fold),
            source=copy.source.name,
            witnesses=len(witnesses.keys),
            threshold=witnesses.threshold,
            seen_sizes=sizes,
            witnessed_size=enough[-1] if 0 < witnesses.threshold == len(enough) else 0,
        )

    def _fold(self, reading: Reading, lanes: Lanes) -> tuple[Fold, Waiting]:
        fold = Fold(self._state, BundleEntries(lanes))
        for community, history in reading.histories.items():
            for epoch, seal in enumerate(history.seals):
                fold.seal(community, epoch, seal)
        total = sum(part.end for parts in lanes.values() for part in parts)
        folding = _Folding(self._book, total, self._progress)
        feeder = Feeder(
            fold, {lane: parts for lane, parts in lanes.items() if lane.name in LANE_NAMES}, folding
        )
        feeder.run()
        folding.finish()
        pending = list_pending(self._state, feeder.stalled)
        self._book.count("records", not_opened=pending.count)
        return fold, pending


class _Folding:
    """Hears what the fold made of each portion: voids become findings, the rest is counted."""

    def __init__(self, book: Book, total: int, progress: Progress) -> None:
        self._book = book
        self._total = total
        self._progress = progress
        self._consumed = self._applied = self._signed = self._told = 0

    def __call__(self, folded: Folded) -> None:
        self._consumed += folded.consumed
        self._applied += folded.applied
        self._signed += folded.signed
        for outcome in folded.outcomes:
            if outcome.status == "void":
                self._find(outcome)
        if self._consumed >= self._told + _RECORDS_A_WORD:
            self._told = self._consumed
            self._progress("folding", self._consumed, self._total)

    def finish(self) -> None:
        """Hand the counts over."""
        self._book.count("records", passed=self._applied)
        self._book.count("member_signatures", passed=self._signed)
        self._progress("folding", self._consumed, self._total)

    def _find(self, outcome: Outcome) -> None:
        position = outcome.position
        origin = Origin(position.community, position.lane, position.epoch)
        place = place_of(origin, position.index, outcome.record_id)
        self._book.find(outcome.code or "", outcome.detail, place=place)
        self._book.count("records", failed=1)
        self._book.count("postings", failed=position.lane == LEDGER)
        self._book.count("member_signatures", failed=outcome.code == "author_signature")


def _by_lane(chosen: Mapping[Origin, EpochCopy]) -> Lanes:
    lanes: dict[Lane, list[EpochCopy]] = {}
    for origin, part in sorted(chosen.items(), key=lambda item: item[0].epoch):
        lanes.setdefault(Lane(origin.community, origin.lane), []).append(part)
    return lanes


def _as_read(part: EpochCopy, fold: Fold) -> EpochCopy:
    """Return the part with the end at which a copy broke, where it did."""
    return msgspec.structs.replace(part, end=_folded(part, fold)) if part.copy.is_broken else part


def _folded(part: EpochCopy, fold: Fold) -> int:
    """Return how many entries of the part are folded."""
    origin = part.copy.origin
    epoch, size = fold.folded_size(Lane(origin.community, origin.lane))
    if origin.epoch == epoch:
        return size
    return part.end if origin.epoch < epoch else 0


def _verdict(reading: Reading, book: Book) -> Verdict:
    if not reading.has_lanes:
        return "unreadable"
    return "findings" if book.by_code else "clean"


def _agreeing(copy: LaneCopy, heads: Sequence[SourceHead]) -> Iterator[tuple[int, bytes]]:
    """Yield size and note of the heads that are of the same history as a copy, as far as it goes."""
    for head in heads:
        size = head.checkpoint.size
        if head.source is copy.source or (
            copy.is_whole and size <= copy.checkpoint.size and copy.root_at(size) == head.checkpoint.root
        ):
            yield size, head.note


def _fork(proof: bytes) -> ProvenFork:
    fork = parse_fork(proof)
    return ProvenFork(
        community=to_base32(fork.origin.community),
        lane=fork.origin.lane,
        epoch=fork.origin.epoch,
        older_size=fork.older.size,
        newer_size=fork.newer.size,
        proof=proof.decode(),
    )


def _copy(copy: LaneCopy) -> Copy:
    return Copy(
        source=copy.source.name,
        community=to_base32(copy.origin.community),
        lane=copy.origin.lane,
        epoch=copy.origin.epoch,
        size=copy.checkpoint.size,
        is_whole=copy.is_whole,
    )
