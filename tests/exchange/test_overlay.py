"""A node among many keeps a few links that it chose itself, replaces the dead, and looks in on others."""

from collections.abc import Collection
from random import Random

from protocol.exchange.overlay import Overlay
from protocol.limits import (
    LINKS_ALL_MAX,
    LINKS_CHOSEN_MIN,
    LINKS_WANTED,
    POLL_MS,
    POLL_RESTLESS_MS,
    RESTLESS_MS,
    VISIT_MS,
)


def names(count: int) -> set[bytes]:
    return {number.to_bytes(32, "big") for number in range(count)}


def never(_: bytes) -> bool:
    return False


MANY = names(LINKS_ALL_MAX + 150)
NOBODY: Collection[bytes] = ()


def settled(overlay: Overlay, targets: set[bytes] = MANY) -> Collection[bytes]:
    """Whom it keeps once the first visit is over."""
    overlay.choose(targets, NOBODY, never, 0)
    overlay.end_visits(VISIT_MS)
    return set(overlay.choose(targets, NOBODY, never, VISIT_MS))


def test_few_are_all_dialled() -> None:
    """Up to the limit nothing is chosen and nobody is visited."""
    overlay = Overlay(Random(1))
    assert set(overlay.choose(names(LINKS_ALL_MAX), NOBODY, never, 0)) == names(LINKS_ALL_MAX)
    assert overlay.deadline_ms is None


def test_of_many_a_few_are_chosen_and_kept() -> None:
    """The same ones are kept while they answer, and another seed chooses others."""
    overlay = Overlay(Random(1))
    chosen = settled(overlay)
    assert len(chosen) == LINKS_WANTED
    assert set(overlay.choose(MANY, chosen, never, VISIT_MS + 1)) == chosen
    assert settled(Overlay(Random(2))) != chosen


def test_links_that_others_opened_count_but_some_are_always_its_own_choice() -> None:
    """A node that many dial still chooses for itself, so that nobody can surround it."""
    overlay = Overlay(Random(1))
    outsiders = {bytes([255, number]) * 16 for number in range(40)}
    overlay.choose(MANY, outsiders, never, 0)
    overlay.end_visits(VISIT_MS)
    assert len(set(overlay.choose(MANY, outsiders, never, VISIT_MS))) == LINKS_CHOSEN_MIN


def test_who_does_not_answer_is_replaced() -> None:
    """A dead link gives its place to somebody else, and one that is a target no more as well."""
    overlay = Overlay(Random(1))
    chosen = set(settled(overlay))
    dead, gone, *_ = sorted(chosen)
    left = set(overlay.choose(MANY - {gone}, NOBODY, lambda name: name == dead, VISIT_MS))
    assert len(left) == LINKS_WANTED
    assert not left & {dead, gone}
    assert len(left & chosen) >= LINKS_WANTED - 2


def test_where_nobody_answers_it_goes_on_trying() -> None:
    """A node whose network is down has somebody to dial when it is back."""
    overlay = Overlay(Random(1))
    overlay.choose(MANY, NOBODY, lambda _: True, 0)
    overlay.end_visits(VISIT_MS)
    assert len(set(overlay.choose(MANY, NOBODY, lambda _: True, VISIT_MS))) == LINKS_WANTED


def visits(overlay: Overlay, from_ms: int, to_ms: int) -> int:
    """How many are visited within so long; every visit is ended when it is due."""
    count = 0
    chosen = set(overlay.choose(MANY, NOBODY, never, from_ms))
    for now_ms in range(from_ms, to_ms, 1_000):
        count += len(overlay.end_visits(now_ms))
        chosen = set(overlay.choose(MANY, chosen, never, now_ms))
    return count


def test_others_are_visited_now_and_then_and_more_often_while_links_die() -> None:
    """One in half a minute as a rule, two in ten seconds for a minute after a session ended."""
    overlay = Overlay(Random(1))
    settled(overlay)
    assert visits(overlay, VISIT_MS + 1_000, 10 * POLL_MS) in (9, 10)
    overlay.note_parted(10 * POLL_MS)
    restless = visits(overlay, 10 * POLL_MS, 10 * POLL_MS + RESTLESS_MS)
    assert 2 * (RESTLESS_MS // POLL_RESTLESS_MS) - 3 <= restless <= 2 * RESTLESS_MS // POLL_RESTLESS_MS
    assert visits(overlay, 10 * POLL_MS + 2 * RESTLESS_MS, 20 * POLL_MS + 2 * RESTLESS_MS) in (9, 10, 11)


def test_a_visit_ends_and_whom_it_chose_meanwhile_stays() -> None:
    """Who was only looked in on is left; nobody is left who was chosen."""
    overlay = Overlay(Random(1))
    visited = set(overlay.choose(MANY, NOBODY, never, 0))
    assert overlay.deadline_ms == VISIT_MS
    assert overlay.end_visits(VISIT_MS - 1) == []
    left = overlay.end_visits(VISIT_MS)
    assert len(left) == len(visited) - LINKS_WANTED
    assert overlay.end_visits(VISIT_MS) == []
