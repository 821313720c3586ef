"""With whom a node keeps a link where there are too many for all, and whom it looks in on (section 28.3).

Up to `LINKS_ALL_MAX` communities all are dialled. Of more, a few are chosen by chance and kept while they answer;
beside them one is visited now and then, so that the parts of a network that fell asunder find each other again.

    overlay = Overlay(chance)
    wanted = overlay.choose(targets, is_open, is_failing, now_ms)
    for peer in overlay.end_visits(now_ms): ...
"""

from collections.abc import Callable, Collection

from protocol.exchange.chance import Chance
from protocol.limits import (
    LINKS_ALL_MAX,
    LINKS_CHOSEN_MIN,
    LINKS_WANTED,
    POLL_MS,
    POLL_RESTLESS_MS,
    RESTLESS_MS,
    VISIT_MS,
)

_CANDIDATES = 8  # looked at for each place: of many that are known some do not answer


class Overlay:
    """The links that one node has chosen for itself."""

    def __init__(self, chance: Chance) -> None:
        """Take where randomness comes from; nobody is chosen yet."""
        self._chance = chance
        self._chosen: set[bytes] = set()
        self._visits: dict[bytes, int] = {}
        self._visit_ms: int | None = None
        self._restless_ms = 0

    @property
    def deadline_ms(self) -> int | None:
        """When the next visit begins or ends; None where all are dialled."""
        times = [*self._visits.values(), *([] if self._visit_ms is None else [self._visit_ms])]
        return min(times, default=None)

    def is_visit(self, peer: bytes) -> bool:
        """Whether a link is wanted for a moment only."""
        return peer in self._visits

    def note_parted(self, now_ms: int) -> None:
        """Hear that a session ended: for a while visits are more frequent."""
        self._restless_ms = now_ms + RESTLESS_MS
        if self._visit_ms is not None:
            self._visit_ms = min(self._visit_ms, now_ms + POLL_RESTLESS_MS)

    def choose(
        self,
        targets: Collection[bytes],
        is_open: Collection[bytes],
        is_failing: Callable[[bytes], bool],
        now_ms: int,
    ) -> Collection[bytes]:
        """Return which of `targets` are to be dialled and kept.

        `is_open` are the communities with a session, whoever dialled; `is_failing` tells that a target did not
        answer when it was tried last.
        """
        if len(targets) <= LINKS_ALL_MAX:
            self._chosen.clear()
            self._visits.clear()
            self._visit_ms = None
            return targets
        self._chosen = {each for each in self._chosen if each in targets and not is_failing(each)}
        self._fill(targets, is_open, is_failing)
        self._visit(targets, is_open, now_ms)
        return self._chosen | self._visits.keys()

    def end_visits(self, now_ms: int) -> list[bytes]:
        """Return whom it is time to leave again."""
        over = [peer for peer, until_ms in self._visits.items() if until_ms <= now_ms]
        for peer in over:
            del self._visits[peer]
        return [peer for peer in over if peer not in self._chosen]

    def _fill(
        self, targets: Collection[bytes], is_open: Collection[bytes], is_failing: Callable[[bytes], bool]
    ) -> None:
        """Choose until enough links are wanted; those that others opened count, but some are our own choice.

        Whoever lets all its links be chosen by others can be surrounded by one of them.
        """
        missing = max(LINKS_WANTED - len(self._chosen.union(is_open)), LINKS_CHOSEN_MIN - len(self._chosen))
        if missing <= 0:
            return
        free = [each for each in targets if each not in self._chosen and each not in self._visits]
        others = self._sample(free, missing * _CANDIDATES)
        self._chosen.update(
            sorted(others, key=is_failing)[:missing]
        )  # where nobody answers, all go on trying

    def _visit(self, targets: Collection[bytes], is_open: Collection[bytes], now_ms: int) -> None:
        if self._visit_ms is not None and now_ms < self._visit_ms:
            return
        is_restless = now_ms < self._restless_ms
        self._visit_ms = now_ms + (POLL_RESTLESS_MS if is_restless else POLL_MS)
        others = [each for each in targets if each not in is_open and each not in self._chosen]
        for each in self._sample(others, 1 + is_restless):
            self._visits[each] = now_ms + VISIT_MS

    def _sample(self, names: Collection[bytes], count: int) -> list[bytes]:
        return self._chance.sample(sorted(names), min(count, len(names)))
