"""What it costs to find out which heads changed: bytes of frames, round trips, time (PROTOCOL.md section 18.1).

Both sides are the machines and answers of `protocol.exchange` over heads in memory; every frame is encoded and
decoded, and every head that comes is verified. Sockets, TLS and disks are left out. `measure_resyncs` is what the
tests and the simulator's report read; `figures` prints it.

    for resync in measure_resyncs(): resync.name, resync.bytes, resync.round_trips, resync.heads
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from typing import Protocol

from msgspec.structs import replace

from benchmarks.measuring import Bench, Figure, Goal, tell, watched
from protocol.exchange.frames import (
    Answer,
    Heads,
    HeadsBesides,
    HeadsCompare,
    HeadsSince,
    Request,
    StatedHead,
    decode_frame,
    encode_frame,
)
from protocol.exchange.heads import (
    HeadChange,
    make_heads_besides,
    make_heads_page,
    make_summary,
    read_offer,
)
from protocol.exchange.listing import (
    HeadsItemized,
    HeadsListing,
    HeadsSummedUp,
    Listed,
    Place,
    SumUpHeads,
    Wanted,
    sum_up,
)
from protocol.identity.keys import SigningKey
from protocol.lanes.kind import LANE_NAMES
from protocol.log.checkpoint import Checkpoint, make_checkpoint_note
from protocol.log.origin import Origin

KNOWN_LANES = 1_000
STRANGERS_HEADS = 10_000
CHANGED = 10
IDLE_BYTES_MAX = 100
CHANGED_BYTES_MAX = 1_500
STRANGER_BYTES_MAX = 9_000
_KEY = SigningKey(b"\x0a" * 32)
_ASKER, _ANSWERER = b"\x01" * 32, b"\x02" * 32
_SUMMARY_KEY = b"\x07" * 16
_FIRST_NUMBER = 70_000  # that of a request late in a session: it takes all its bytes


class ListingStore(Protocol):
    """What either side of a list is asked."""

    def answer(self, reader: bytes, request: Request, /) -> Answer:
        """Return the answer to a question about heads."""

    def sum_up(self, wanted: SumUpHeads, fresh_key: bytes) -> HeadsSummedUp | HeadsItemized:
        """Return what the heads here sum up to."""


@dataclass(slots=True)
class HeadsInMemory:
    """A store of heads that anybody may read, at their numbers."""

    changes: list[HeadChange]
    newest: int
    instance: bytes = _ANSWERER[:16]

    def answer(self, _reader: bytes, request: Request, /) -> Answer:
        """Return the answer to a question about heads."""
        if isinstance(request, HeadsCompare):
            return make_summary(request, self.notes(), instance=self.instance, newest=self.newest)
        if isinstance(request, HeadsBesides):
            return make_heads_besides(request, self.notes(), instance=self.instance, newest=self.newest)
        assert isinstance(request, HeadsSince), "a listing asks for nothing else"
        later = [change for change in self.changes if change.number > request.after]
        return make_heads_page(
            request,
            later,
            readable={change.origin for change in later},
            instance=self.instance,
            newest=self.newest,
        )

    def sum_up(self, wanted: SumUpHeads, fresh_key: bytes) -> HeadsSummedUp | HeadsItemized:
        """Return what the heads here sum up to."""
        return sum_up(wanted, self.notes(), fresh_key=fresh_key)

    def notes(self) -> list[bytes]:
        """Return the notes of all heads."""
        return [change.note for change in self.changes]


@dataclass(slots=True)
class Resync:
    """What one list cost: bytes of all frames both ways, round trips, and the heads that came."""

    name: str
    goal_bytes: int
    bytes: int = 0
    round_trips: int = 0
    seconds: float = 0.0
    heads: list[StatedHead] = field(default_factory=list)
    place: Place | None = None


def talk_over(
    asker: ListingStore, answerer: ListingStore, place: Place | None, *, name: str = "", goal_bytes: int = 0
) -> Resync:
    """Let `asker` go through the list of `answerer` once, from its place or as a stranger."""
    resync = Resync(name, goal_bytes)
    listing = HeadsListing(_ANSWERER, place)
    effects = listing.handle(Wanted())
    while effects:
        (effect,) = effects
        if isinstance(effect, SumUpHeads):
            effects = listing.handle(asker.sum_up(effect, _SUMMARY_KEY))
            continue
        question = encode_frame(replace(effect.question, number=_FIRST_NUMBER + resync.round_trips))
        asked = decode_frame(question)
        assert isinstance(asked, Request), "a question comes over as one"
        answer = encode_frame(answerer.answer(_ASKER, asked))
        resync.bytes += len(question) + len(answer)
        resync.round_trips += 1
        heard = decode_frame(answer)
        assert isinstance(heard, Answer), "an answer comes over as one"
        if isinstance(heard, Heads):
            resync.heads += heard.heads
        effects = listing.handle(Listed(heard))
    resync.place = listing.settled_place
    return resync


def measure_resyncs() -> Iterator[Resync]:
    """Yield the three that the protocol is held to, each with the most bytes that it may take."""
    before = heads_of_lanes(KNOWN_LANES)
    place = Place(before.instance, before.newest)
    yield _timed(before, before, place, "known_idle", IDLE_BYTES_MAX)
    yield _timed(before, moved_on(before, CHANGED), place, "known_changed", CHANGED_BYTES_MAX)
    strangers = heads_of_lanes(STRANGERS_HEADS)
    yield _timed(strangers, moved_on(strangers, CHANGED), None, "stranger_changed", STRANGER_BYTES_MAX)


def figures(bench: Bench) -> Iterator[Figure]:
    """Measure each `rounds` times; the bytes are the same in each of them."""
    rounds: dict[str, list[Resync]] = {}
    for number in range(bench.rounds):
        tell(f"heads: round {number + 1}")
        for resync in measure_resyncs():
            rounds.setdefault(resync.name, []).append(resync)
    for name, measured in rounds.items():
        first = measured[0]
        beside = f"{first.round_trips} round trips, {len(first.heads)} heads came; in memory, no sockets"
        lanes = STRANGERS_HEADS if name == "stranger_changed" else KNOWN_LANES
        goal = Goal(kind="at_most", value=first.goal_bytes)
        sizes = [resync.bytes for resync in measured]
        yield bench.figure(f"heads.{name}", "bytes", n=lanes, values=sizes, beside=beside, goal=goal)
        waits = [1_000 * resync.seconds for resync in measured]
        yield bench.figure(f"heads.{name}.time", "ms", n=lanes, values=waits, beside=beside)


@cache
def heads_of_lanes(count: int) -> HeadsInMemory:
    """Return signed heads of so many lanes, each community with one of every name."""
    changes = [HeadChange(number + 1, *_head(number, 20_000)) for number in range(count)]
    return HeadsInMemory(changes, count)


def moved_on(before: HeadsInMemory, changed: int) -> HeadsInMemory:
    """Return a store in which some lanes, far from each other, have grown since."""
    every = len(before.changes) // changed
    grown = {number: _head(number, 20_001) for number in range(0, every * changed, every)}
    stood = [change for number, change in enumerate(before.changes) if number not in grown]
    newer = [HeadChange(before.newest + 1 + at, *head) for at, head in enumerate(grown.values())]
    return HeadsInMemory([*stood, *newer], before.newest + len(newer))


def _timed(
    asker: ListingStore, answerer: ListingStore, place: Place | None, name: str, goal_bytes: int
) -> Resync:
    with watched() as watch:
        resync = talk_over(asker, answerer, place, name=name, goal_bytes=goal_bytes)
        _verify(resync.heads)
    resync.seconds = watch.wall_seconds
    return resync


def _verify(heads: Iterable[StatedHead]) -> None:
    for head in heads:
        read_offer(head).open(_KEY.public)


def _head(number: int, size: int) -> tuple[Origin, bytes]:
    names: Sequence[str] = LANE_NAMES
    community = (number // len(names)).to_bytes(32, "big")
    origin = Origin(community, names[number % len(names)], 0)
    root = size.to_bytes(32, "big")
    return origin, make_checkpoint_note(Checkpoint(origin.text, size, root), _KEY)
