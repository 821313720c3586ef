"""How one peer's list of heads is gone through: by our place in it, or by comparing (PROTOCOL.md section 18.1).

A peer whose list we have a place in is asked what changed since. Of a stranger, or where something that was
listed could not be fetched, the heads on both sides are compared first; where most of them differ, or we have
few, the whole list is asked for.

    listing = HeadsListing(place)
    effects = listing.handle(Wanted())
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from enum import Enum
from typing import ClassVar, NamedTuple

from protocol.errors import SessionError
from protocol.exchange.frames import (
    NO_INSTANCE,
    Answer,
    Heads,
    HeadsBesides,
    HeadsCompare,
    HeadsSince,
    HeadsSummary,
)
from protocol.exchange.summary import HeadsSummed, differing_buckets, summary_bits
from protocol.limits import (
    HEADS_PAGES_MAX,
    SUMMARY_BUCKETS_MAX,
    SUMMARY_HEADS_MIN,
    SUMMARY_ITEMS_BYTES_MAX,
)

Question = HeadsSince | HeadsCompare | HeadsBesides


class Place(NamedTuple):
    """How far a list is known: up to change `number` of the store `instance`."""

    instance: bytes
    number: int


START = Place(NO_INSTANCE, 0)


@dataclass(frozen=True, slots=True)
class Wanted:
    """The peer is to be asked for what is new."""


@dataclass(frozen=True, slots=True)
class HeadsSummedUp:
    """What this node holds of what the peer may read: `count` heads, their bucket hashes under a fresh key."""

    peer: bytes
    key: bytes
    bits: int
    count: int
    hashes: bytes


@dataclass(frozen=True, slots=True)
class HeadsItemized:
    """The item hashes of this node's heads in the buckets that were asked about."""

    peer: bytes
    items: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """The peer has answered."""

    answer: Answer


@dataclass(frozen=True, slots=True)
class Unlisted:
    """No answer came in time."""


@dataclass(frozen=True, slots=True)
class Closed:
    """The session is over: nothing comes any more, and nobody can be asked."""


Event = Wanted | HeadsSummedUp | HeadsItemized | Listed | Unlisted | Closed


@dataclass(frozen=True, slots=True)
class AskForHeads:
    """Send this question to the peer and bring its answer back as `Listed`."""

    question: Question


@dataclass(frozen=True, slots=True)
class SumUpHeads:
    """Ask the store about the heads here that `peer` may read.

    Without `key` a fresh one is drawn, and `HeadsSummedUp` comes back; with it, `HeadsItemized` of `buckets`.
    """

    peer: bytes
    key: bytes = b""
    bits: int = 0
    buckets: tuple[int, ...] = ()


Effect = AskForHeads | SumUpHeads


class State(Enum):
    """Where the listing of one peer stands."""

    IDLE = "nothing is asked"
    SUMMING = "the store sums up our heads"
    COMPARING = "waiting for the peer's summary"
    ITEMIZING = "the store lists our items"
    FILLING = "waiting for the heads that we lack"
    LISTING = "waiting for a page of the list"


_ASKING = (State.COMPARING, State.FILLING, State.LISTING)


class HeadsListing:
    """The machine of one peer's list."""

    def __init__(self, peer: bytes, place: Place | None = None) -> None:
        """Take the place up to which the list was known when we last heard of it."""
        self.state = State.IDLE
        self.place = place
        self._peer = peer
        self._is_wanted = False
        self._is_doubted = False
        self._has_restarted = False
        self._pages = 0
        self._own: HeadsSummedUp | None = None
        self._different: tuple[int, ...] = ()
        self._reached: Place | None = None

    @property
    def settled_place(self) -> Place | None:
        """Return the place that may be kept, where nothing is under way and nothing was missed."""
        return self.place if self.state is State.IDLE and not self._is_doubted else None

    def doubt(self) -> None:
        """Hear that something that was listed was not fetched: both sides are compared the next time."""
        self._is_doubted = True

    def handle(self, event: Event) -> list[Effect]:
        """Take one event and return what to do; raise `SessionError` where the peer's answer cannot be."""
        move = self._MOVES.get((self.state, type(event)))
        return move(self, event) if move else []

    def _wanted(self, _event: Wanted) -> list[Effect]:
        self._is_wanted = self._has_restarted = False
        self._pages = 0
        if self.place is None or self._is_doubted:
            return self._sum_up()
        return self._list()

    def _wanted_again(self, _event: Wanted) -> list[Effect]:
        self._is_wanted = True
        return []

    def _sum_up_again(self, _event: Wanted) -> list[Effect]:
        return self._sum_up()  # the store may have failed

    def _sum_up(self) -> list[Effect]:
        self.state, self.place, self._is_doubted = State.SUMMING, None, False
        return [SumUpHeads(self._peer)]

    def _list(self) -> list[Effect]:
        assert self.place is not None, "a list is gone through from some place on"
        self.state = State.LISTING
        return [AskForHeads(HeadsSince(0, *self.place))]

    def _list_all(self) -> list[Effect]:
        self.place = START
        return self._list()

    def _rest(self) -> list[Effect]:
        """Nothing more to ask, unless it was wanted again meanwhile."""
        self.state, self._own = State.IDLE, None
        return self._wanted(Wanted()) if self._is_wanted else []

    def _summed_up(self, event: HeadsSummedUp) -> list[Effect]:
        if event.count < SUMMARY_HEADS_MIN:
            return self._list_all()
        self.state, self._own = State.COMPARING, event
        return [AskForHeads(HeadsCompare(0, event.key, event.bits))]

    def _compared(self, event: Listed) -> list[Effect]:
        own, summary = self._own, event.answer
        assert own is not None, "our side was summed up before"
        if not isinstance(summary, HeadsSummary):
            return self._rest()  # a refusal: the next time again
        if len(summary.hashes) != len(own.hashes):
            raise SessionError("answer_mismatch", f"{len(summary.hashes)} bytes of hashes")
        self._reached = Place(summary.instance, summary.through)
        different = tuple(differing_buckets(own.hashes, summary.hashes))
        if not different:
            return self._arrive()
        buckets = 1 << own.bits
        if len(different) > min(buckets // 2, SUMMARY_BUCKETS_MAX) or summary.count > 2 * own.count:
            return self._list_all()
        self._different = different
        self.state = State.ITEMIZING
        return [SumUpHeads(self._peer, own.key, own.bits, different)]

    def _itemized(self, event: HeadsItemized) -> list[Effect]:
        own = self._own
        assert own is not None, "our side was summed up before"
        if len(event.items) > SUMMARY_ITEMS_BYTES_MAX:
            return self._list_all()
        self.state = State.FILLING
        return [AskForHeads(HeadsBesides(0, own.key, own.bits, self._different, event.items))]

    def _filled(self, event: Listed) -> list[Effect]:
        if not isinstance(event.answer, Heads):
            return self._rest()
        return self._list_all() if event.answer.has_more else self._arrive()

    def _arrive(self) -> list[Effect]:
        self.place = self._reached
        return self._rest()

    def _listed(self, event: Listed) -> list[Effect]:
        page = event.answer
        if not isinstance(page, Heads):
            return self._rest()
        assert self.place is not None, "it was asked from some place on"
        if page.has_more and page.through <= self.place.number:
            if self._has_restarted or self.place.instance == NO_INSTANCE or page.heads or page.through:
                raise SessionError("heads_page_stuck", f"after {self.place.number}")
            self._has_restarted = True
            return self._sum_up()  # it is another store by now
        self.place = Place(page.instance, page.through)
        self._pages += 1
        return self._list() if page.has_more and self._pages < HEADS_PAGES_MAX else self._rest()

    def _unlisted(self, _event: Unlisted) -> list[Effect]:
        return self._rest()

    def _closed(self, _event: Closed) -> list[Effect]:
        self._is_wanted = False
        return self._rest()

    # The legal moves. What is not listed is late and changes nothing.
    _MOVES: ClassVar[Mapping[tuple[State, type[Event]], Callable[..., list[Effect]]]] = {
        (State.IDLE, Wanted): _wanted,
        (State.SUMMING, HeadsSummedUp): _summed_up,
        (State.COMPARING, Listed): _compared,
        (State.ITEMIZING, HeadsItemized): _itemized,
        (State.FILLING, Listed): _filled,
        (State.LISTING, Listed): _listed,
        (State.SUMMING, Wanted): _sum_up_again,
        (State.ITEMIZING, Wanted): _sum_up_again,
        **dict.fromkeys([(state, Wanted) for state in _ASKING], _wanted_again),
        **dict.fromkeys([(state, Unlisted) for state in _ASKING], _unlisted),
        **dict.fromkeys([(state, Closed) for state in State], _closed),
    }


def sum_up(wanted: SumUpHeads, notes: Sequence[bytes], *, fresh_key: bytes) -> HeadsSummedUp | HeadsItemized:
    """Return what a store answers from the notes of all heads that the peer may read."""
    if wanted.key:
        summed = HeadsSummed(wanted.key, wanted.bits, notes)
        return HeadsItemized(wanted.peer, summed.items(wanted.buckets))
    bits = summary_bits(len(notes))
    hashes = HeadsSummed(fresh_key, bits, notes).hashes() if len(notes) >= SUMMARY_HEADS_MIN else b""
    return HeadsSummedUp(wanted.peer, fresh_key, bits, len(notes), hashes)
