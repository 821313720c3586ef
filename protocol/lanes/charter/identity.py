"""Genesis, lanes, and the daily statement of all lanes (PROTOCOL.md sections 9.1 and 10.1)."""

from typing import Annotated, Literal

import msgspec
from msgspec import Meta

from protocol.errors import RecordVoid
from protocol.fields import Hash, Size
from protocol.identity.genesis import Genesis, verify_genesis
from protocol.lanes.kind import (
    CHARTER,
    LANE_NAMES,
    Change,
    CharterSize,
    Entry,
    Position,
    Put,
    Reader,
    RecordKind,
    Span,
    Tables,
    charter_size_of,
    effective_after,
)
from protocol.limits import EPOCH_MAX, LANES_MAX, TREE_SIZE_MAX
from protocol.log.record import Body

Visibility = Literal["public", "peers"]


class LaneDeclared(Body, frozen=True, kw_only=True):
    """`lane.declared`: the community opens a lane, and says who may read it."""

    lane: str
    visibility: Visibility


class LaneOpened(Body, frozen=True, kw_only=True):
    """`lane.opened`: leaf 0 of every lane but the charter, in the epoch in which it is first used."""

    lane: str


class LaneContinued(Body, frozen=True, kw_only=True):
    """`lane.continued`: leaf 0 of a lane that an earlier epoch sealed; names what it continues."""

    lane: str
    epoch: Annotated[int, Meta(ge=0, le=EPOCH_MAX)]
    size: Size
    root: Hash


class LaneStatement(msgspec.Struct, frozen=True, forbid_unknown_fields=True, gc=False):
    """Size and root of one lane, as the charter states them."""

    lane: str
    size: Annotated[int, Meta(ge=1, le=TREE_SIZE_MAX)]
    root: Hash


class LanesStated(Body, frozen=True, kw_only=True):
    """`lanes.stated`: once a day the charter states all lanes, so that who splits a lane splits the charter."""

    lanes: Annotated[list[LaneStatement], Meta(min_length=1, max_length=LANES_MAX)]

    def __post_init__(self) -> None:
        """Lanes are sorted by name, each once, the charter itself left out."""
        names = [statement.lane for statement in self.lanes]
        if names != sorted(set(names)) or CHARTER in names or not set(names) <= set(LANE_NAMES):
            raise ValueError("lanes must be known, sorted, each once, without the charter")


class Community(msgspec.Struct, frozen=True, gc=False):
    """What the charter says of the community: its genesis as it stands."""

    genesis: Genesis


class DeclaredLane(msgspec.Struct, frozen=True, gc=False):
    """Since which charter size a lane is declared, and who may read it now."""

    span: Span
    visibility: Visibility


class OpenedLane(msgspec.Struct, frozen=True, gc=False):
    """The epoch in which the lane's newest leaf 0 stands."""

    epoch: int


class StatedLane(msgspec.Struct, frozen=True, gc=False):
    """The newest statement of a lane, and when the charter made it."""

    size: int
    root: bytes
    time_ms: int


class Seal(msgspec.Struct, frozen=True, gc=False):
    """Where a successor note closed one lane of one epoch."""

    epoch: int
    size: int
    root: bytes


TABLES: Tables = {
    "community": Community,
    "declared_lane": DeclaredLane,
    "opened_lane": OpenedLane,
    "seal": Seal,
    "lanes_stated": StatedLane,
}


def step_founded(read: Reader, entry: Entry) -> list[Change]:
    """The genesis: leaf 0 of the charter's epoch 0, whose leaf hash is the community id."""
    position, body = entry.position, entry.record.body
    if position.epoch != 0 or position.index != 0:
        raise RecordVoid("genesis_misplaced")
    if entry.record.record_id != position.community:
        raise RecordVoid("genesis_mismatch")
    verify_genesis(body)
    return [
        Put("community", (position.community,), Community(body)),
        Put("declared_lane", (position.community, CHARTER), DeclaredLane(Span(0, 0), "public")),
        Put("opened_lane", (position.community, CHARTER), OpenedLane(0)),
    ]


def step_declared(read: Reader, entry: Entry) -> list[Change]:
    """A lane is declared before its first record; a later declaration changes who may read it."""
    lane, community = entry.record.body.lane, entry.position.community
    if lane not in LANE_NAMES or lane == CHARTER:
        raise RecordVoid("lane_unknown", lane)
    declared = read.get("declared_lane", (community, lane))
    span = declared.span if declared else Span(*effective_after(entry.position))
    return [Put("declared_lane", (community, lane), DeclaredLane(span, entry.record.body.visibility))]


def step_opened(read: Reader, entry: Entry) -> list[Change]:
    """Leaf 0 of a lane that no earlier epoch sealed, once the charter has declared it."""
    position = entry.position
    if position.index != 0 or position.lane == CHARTER or entry.record.body.lane != position.lane:
        raise RecordVoid("lane_opening_misplaced")
    if last_seal(read, position):
        raise RecordVoid("lane_opening_misplaced", "an earlier epoch sealed this lane: lane.continued")
    require_declared(read, position.community, position.lane, charter_size_of(entry))
    return [Put("opened_lane", (position.community, position.lane), OpenedLane(position.epoch))]


def step_continued(read: Reader, entry: Entry) -> list[Change]:
    """Leaf 0 of a lane in a later epoch: it names the size and root that the successor note sealed."""
    position, body = entry.position, entry.record.body
    if position.index != 0 or position.epoch == 0 or body.lane != position.lane:
        raise RecordVoid("lane_opening_misplaced")
    seal = last_seal(read, position)
    if seal is None or (body.epoch, body.size, body.root) != (seal.epoch, seal.size, seal.root):
        raise RecordVoid("lane_continuation_mismatch")
    return [Put("opened_lane", (position.community, position.lane), OpenedLane(position.epoch))]


def last_seal(read: Reader, position: Position) -> Seal | None:
    """Return the newest seal of the lane *before* this epoch: later ones may be known already."""
    epochs = range(position.epoch - 1, -1, -1)
    seals = (read.get("seal", (position.community, epoch, position.lane)) for epoch in epochs)
    return next((seal for seal in seals if seal and seal.size), None)


def step_stated(read: Reader, entry: Entry) -> list[Change]:
    """The newest statement of each lane is kept for the audit, which compares it with the lane."""
    position = entry.position
    return [
        Put(
            "lanes_stated",
            (position.community, position.epoch, statement.lane),
            StatedLane(statement.size, statement.root, entry.record.time_ms),
        )
        for statement in entry.record.body.lanes
    ]


def require_declared(read: Reader, community: bytes, lane: str, at: CharterSize) -> DeclaredLane:
    """Return the declaration of `lane` as of charter size `at`, or void the record."""
    declared = read.get("declared_lane", (community, lane))
    if declared is None or not declared.span.covers(at):
        raise RecordVoid("lane_not_declared", lane)
    return declared  # type: ignore[no-any-return]  # the table says which struct stands there


GENESIS_KIND = "community.founded"
OPENING_KINDS = frozenset({GENESIS_KIND, "lane.opened", "lane.continued"})

KINDS = (
    RecordKind(GENESIS_KIND, CHARTER, Genesis, step_founded),
    RecordKind("lane.declared", CHARTER, LaneDeclared, step_declared),
    RecordKind("lane.opened", "any", LaneOpened, step_opened),
    RecordKind("lane.continued", "any", LaneContinued, step_continued),
    RecordKind("lanes.stated", CHARTER, LanesStated, step_stated),
)
