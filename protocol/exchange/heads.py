"""Which heads changed since we last asked: cursor and page (PROTOCOL.md section 18.1).

A store numbers the changes of its heads under a random instance id, new after a restore. Whoever keeps one
(instance, number) a peer learns of every change, each lane at most once, however long it was away.

    cursor = HeadsCursor()
    page = make_heads_page(cursor.question(), changes, readable=readable, instance=instance, newest=newest)
    has_more = cursor.take(page)
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass
from functools import lru_cache

from protocol.errors import SessionError
from protocol.exchange.frames import NO_INSTANCE, Heads, HeadsSince
from protocol.limits import HEADS_PAGE_BYTES_MAX, HEADS_PAGE_MAX
from protocol.log.checkpoint import Checkpoint, parse_checkpoint
from protocol.log.note import parse_note
from protocol.log.origin import Origin, parse_origin

_OFFERS_REMEMBERED = 64  # every neighbour states the same head, one soon after the other


@dataclass(frozen=True, slots=True)
class HeadChange:
    """Change `number` of a store: this lane has this head now. Each lane stands at its newest change only.

    A lane that somebody may newly read counts as changed, or those who asked before would never hear of it.
    """

    number: int
    origin: Origin
    note: bytes


@dataclass(frozen=True, slots=True)
class OfferedHead:
    """A head as a peer states it: well formed, its signature not verified yet."""

    origin: Origin
    note: bytes
    checkpoint: Checkpoint


class HeadsCursor:
    """How far one peer's changes are known."""

    def __init__(self) -> None:
        """Start at the beginning of a store never met."""
        self._instance = NO_INSTANCE
        self._after = 0
        self._is_midway = False
        self._starts_over = False

    def question(self) -> HeadsSince:
        """Return the question for what came after."""
        if self._starts_over and not self._is_midway:
            self._after, self._starts_over = 0, False
        return HeadsSince(0, self._instance, self._after)

    def take(self, page: Heads) -> bool:
        """Move on by an answer and return whether to ask on at once; raise `SessionError` if it is stuck."""
        is_same = page.instance == self._instance
        if page.has_more and is_same and page.through <= self._after:
            raise SessionError("heads_page_stuck", f"after {self._after}")
        self._instance, self._after, self._is_midway = page.instance, page.through, page.has_more
        return page.has_more

    def forget(self) -> None:
        """Start over once the present list is through: something that the peer offered was not fetched."""
        self._starts_over = True


def start_of_page(question: HeadsSince, *, instance: bytes, newest: int) -> int:
    """Return the number after which the answer begins: 0 for another instance or a number never given out."""
    return question.after if question.instance == instance and question.after <= newest else 0


def make_heads_page(
    question: HeadsSince,
    changes: Iterable[HeadChange],
    *,
    readable: Container[Origin],
    instance: bytes,
    newest: int,
) -> Heads:
    """Return the answer to `question` from the changes after its start, in order of their numbers.

    The asker sees the lanes in `readable` only. `newest` is the store's newest number; a page that is cut
    short at its limits goes through the last change that it looked at.
    """
    notes: list[bytes] = []
    room = HEADS_PAGE_BYTES_MAX
    through = start_of_page(question, instance=instance, newest=newest)
    for change in changes:
        if len(notes) == HEADS_PAGE_MAX or len(change.note) > room:
            return Heads(question.number, instance, through, True, tuple(notes))
        if change.origin in readable:
            notes.append(change.note)
            room -= len(change.note)
        through = change.number
    return Heads(question.number, instance, newest, False, tuple(notes))


@lru_cache(maxsize=_OFFERS_REMEMBERED)
def read_offer(note: bytes) -> OfferedHead:
    """Return what a note offers; raise `LogError` or `IdentityError` where it is no checkpoint of a lane."""
    checkpoint = parse_checkpoint(parse_note(note).text)
    return OfferedHead(parse_origin(checkpoint.origin), note, checkpoint)
