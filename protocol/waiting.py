"""Who waits for whom: queues of positions, kept in the state and never bounded by memory (section 16.4).

A record that cites what the cut does not reach is *pending*. Its position, not a copy, stands in the queue of
the position that it waits for. Where the record is about a subject, an order say, it also heads the queue of
that subject in its lane, and later records about the same subject stand behind it.

Queues are linked lists of single rows, so that one more waiter costs the same however many there are.
"""

from typing import Protocol

import msgspec

from protocol.lanes.kind import Key, Lane, Position, Reader, Tables


class Pending(msgspec.Struct, frozen=True, gc=False):
    """A record that has to wait: its id, and for which position (None: behind another of its subject)."""

    record_id: bytes
    waits_for: Position | None


class Queue(msgspec.Struct, frozen=True, gc=False):
    """First and last position of a queue that is not empty."""

    first: Position
    last: Position


class Link(msgspec.Struct, frozen=True, gc=False):
    """Who stands behind a position."""

    behind: Position


# `pending` is part of the state; the other tables are how this module finds its way, in arrival order.
TABLES: Tables = {"pending": Pending, "queue": Queue, "queue_link": Link}
ARRIVAL_ORDER_TABLES = frozenset({"queue", "queue_link"})


class State(Reader, Protocol):
    """The state as the fold keeps it: a step reads it, the fold writes it."""

    def may_have(self, table: str) -> bool:
        """Whether `table` has any row; where it has none the answer may still be yes."""

    def put(self, table: str, key: Key, value: msgspec.Struct) -> None:
        """Set one key."""

    def remove(self, table: str, key: Key) -> None:
        """Take one key out; it may be absent."""


def awaiting_queue(position: Position) -> Key:
    """Return the name of the queue of those that wait for `position`."""
    return ("position", *position)


def subject_queue(lane: Lane, subject: Key) -> Key:
    """Return the name of the queue of one subject's records in one lane."""
    return ("subject", *lane, *subject)


def enqueue(state: State, queue: Key, position: Position) -> None:
    """Put `position` at the end of `queue`."""
    before: Queue | None = state.get("queue", queue)
    if before is None:
        state.put("queue", queue, Queue(position, position))
        return
    state.put("queue_link", (*queue, *before.last), Link(position))
    state.put("queue", queue, Queue(before.first, position))


def first_of(state: State, queue: Key) -> Position | None:
    """Return the position at the head of `queue`, or None where it is empty."""
    found: Queue | None = state.get("queue", queue)
    return found.first if found else None


def dequeue(state: State, queue: Key) -> Position | None:
    """Take the head off `queue` and return it, or None where it is empty."""
    found: Queue | None = state.get("queue", queue)
    if found is None:
        return None
    if found.first == found.last:
        state.remove("queue", queue)
        return found.first
    link: Link = state.get("queue_link", (*queue, *found.first))
    state.remove("queue_link", (*queue, *found.first))
    state.put("queue", queue, Queue(link.behind, found.last))
    return found.first
