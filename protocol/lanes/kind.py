"""What a record kind is to the fold: a body, who may say it, and one step (PROTOCOL.md section 16).

A family module holds its body structs, its rules, its `step` functions, and `KINDS`. A step reads the state
through `Reader` by key, and returns puts and removals as values; it raises `RecordVoid` when the record has no
effect, and `Waiting` when it cites a record that the cut does not reach yet.
"""

from collections.abc import Callable, Mapping, Sized
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, Protocol

import msgspec
from msgspec import Meta

from protocol.errors import RecordVoid
from protocol.fields import CommunityId, Hash
from protocol.limits import EPOCH_MAX, SPANS_MAX, TREE_SIZE_MAX
from protocol.log.record import Body, Record

Key = tuple[bytes | str | int, ...]


class Lane(NamedTuple):
    """One lane of one community: the 32-byte community id and the lane's name."""

    community: bytes
    name: str


class Position(NamedTuple):
    """Where an entry stands; `index` counts from 0 within the epoch."""

    community: bytes
    lane: str
    epoch: int
    index: int  # type: ignore[assignment]  # nobody misses the tuple's method of this name


class Reference(msgspec.Struct, array_like=True, frozen=True, forbid_unknown_fields=True, gc=False):
    """A citation of one record: its position, and its id so that it can't be swapped (section 8.4)."""

    community: CommunityId
    lane: Annotated[str, Meta(max_length=32)]
    epoch: Annotated[int, Meta(ge=0, le=EPOCH_MAX)]
    index: Annotated[int, Meta(ge=0, lt=TREE_SIZE_MAX)]
    record_id: Hash

    @property
    def position(self) -> Position:
        """The cited position."""
        return Position(self.community, self.lane, self.epoch, self.index)


class Put(msgspec.Struct, frozen=True, gc=False):
    """Set `key` of `table` to `value`."""

    table: str
    key: Key
    value: msgspec.Struct


class Remove(msgspec.Struct, frozen=True, gc=False):
    """Take `key` out of `table`; it may be absent."""

    table: str
    key: Key


Change = Put | Remove


class Reader(Protocol):
    """The one way in which a step sees the state."""

    def get(self, table: str, key: Key) -> Any:
        """Return the struct at `key`, or None."""

    def is_settled(self, position: Position) -> bool:
        """Whether the entry at `position` is folded, with effect or without; pending ones are not."""


class Waiting(Exception):
    """The record cites `position`, which the cut does not reach or which is pending itself."""

    def __init__(self, position: Position) -> None:
        """Take the position to wait for."""
        super().__init__(position)
        self.position = position


class Entry(NamedTuple):
    """A record at its place, as a step sees it."""

    position: Position
    record: Record

    @property
    def reference(self) -> Reference:
        """How another record cites this one."""
        return Reference(*self.position, self.record.record_id)


Step = Callable[[Reader, Entry], list[Change]]


@dataclass(frozen=True, slots=True)
class RecordKind:
    """One kind of record.

    `lanes` says by name, or by `market/` prefix, where it may stand; `member_role` is the role that a member
    needs to say it with an own signature (None: only the community itself says it); `subject` names what
    the record is about, so that records about one subject of one lane take effect in lane order.
    """

    name: str
    lanes: str
    body: type[Body]
    step: Step
    member_role: str | None = None
    subject: Callable[[Any], Key] | None = None

    def is_at_home(self, lane: str) -> bool:
        """Whether records of this kind may stand in `lane`."""
        return self.lanes in ("any", lane) or (self.lanes == "market" and lane.startswith("market/"))


class CharterSize(NamedTuple):
    """A size of a community's charter: what was said before it is in effect at it."""

    epoch: int
    size: int


class Span(msgspec.Struct, array_like=True, frozen=True, gc=False):
    """A stretch of charter history, from its first size to the size before its end (None: open)."""

    from_epoch: int
    from_size: int
    until_epoch: int | None = None
    until_size: int | None = None

    def covers(self, at: CharterSize) -> bool:
        """Whether charter size `at` lies inside."""
        return (self.from_epoch, self.from_size) <= at and (
            self.until_epoch is None or at < (self.until_epoch, self.until_size or 0)
        )


def effective_after(position: Position) -> CharterSize:
    """Return the first charter size at which the charter record at `position` is in effect."""
    return CharterSize(position.epoch, position.index + 1)


def charter_size_of(entry: Entry) -> CharterSize:
    """Return the charter size under which `entry` was written; in the charter itself, the one before it."""
    position = entry.position
    size = position.index if position.lane == CHARTER else entry.record.charter_size
    return CharterSize(position.epoch, size)


def open_span(entry: Entry, *, earlier: Sized) -> Span:
    """Return the span that the charter record `entry` opens after the `earlier` ones of its subject.

    Raises `RecordVoid` `spans_full`: all of them are kept, and read with each record that they judge.
    """
    if len(earlier) >= SPANS_MAX:
        raise RecordVoid("spans_full")
    return Span(*effective_after(entry.position))


def close_last_span(spans: tuple[Span, ...], entry: Entry) -> tuple[Span, ...]:
    """Return `spans` with the open last one closed by the charter record `entry`."""
    last = spans[-1]
    end = effective_after(entry.position)
    return (*spans[:-1], Span(last.from_epoch, last.from_size, end.epoch, end.size))


def require(entry_fact: Any, code: str, detail: str = "") -> Any:
    """Return `entry_fact`, or raise `RecordVoid` where it is None or false."""
    if not entry_fact:
        raise RecordVoid(code, detail)
    return entry_fact


CHARTER = "charter"
TRADE = "trade"
LEDGER = "ledger"
SECTORS = ("food", "frozen", "fashion", "beauty", "pets", "family", "automotive", "residential", "assets")
MARKETS = tuple(f"market/{sector}" for sector in SECTORS)
LANE_NAMES = (CHARTER, *MARKETS, TRADE, LEDGER)

Tables = Mapping[str, type[msgspec.Struct]]
