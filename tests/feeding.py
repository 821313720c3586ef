"""Lanes of some villages, fed to a fold in a random order and in random portions, up to any cut.

cut = random_cut(villages, Random(1))
state, sizes = fold_villages(villages, Random(2), cut)
"""

from collections.abc import Mapping, Sequence
from random import Random

from protocol.dict_state import DictState
from protocol.fold import Fold, RebuildNeededError
from protocol.lanes.kind import CHARTER, LANE_NAMES, Lane
from tests.village import Village, VillageEntries

Cut = Mapping[tuple[bytes, str, int], int]
Sizes = dict[Lane, tuple[int, int]]


def random_cut(villages: Sequence[Village], random: Random) -> Cut:
    """Some size for every lane of every epoch."""
    return {
        (village.community, lane, epoch): random.randint(0, len(entries))
        for village in villages
        for epoch in range(village.epoch + 1)
        for lane, entries in village.entries_in(epoch).items()
    }


def fold_villages(
    villages: Sequence[Village], random: Random, cut: Cut | None = None
) -> tuple[DictState, Sizes]:
    """Fold all that `cut` reaches in a random order and in random portions; return state and sizes.

    Seals arrive at random moments too; where one comes too late, everything begins anew with it.
    """
    early: set[tuple[int, int]] = set()
    while True:
        run = _Run(villages, random, cut or {})
        try:
            return run.to_the_end(early)
        except RebuildNeededError:
            early.add(run.sealing)


class _Run:
    def __init__(self, villages: Sequence[Village], random: Random, cut: Cut) -> None:
        self.random, self.cut, self.villages = random, cut, list(villages)
        self.state = DictState()
        self.fold = Fold(self.state, VillageEntries(villages))
        self.sealed = [0] * len(villages)
        self.sealing = (0, 0)

    def to_the_end(self, early: set[tuple[int, int]]) -> tuple[DictState, Sizes]:
        for number, village in enumerate(self.villages):
            while (number, self.sealed[number]) in early or (
                village.seals[self.sealed[number] :] and self.random.random() < 0.3
            ):
                self.seal(number)
        lanes = [(number, lane) for number in range(len(self.villages)) for lane in LANE_NAMES]
        is_moving = True
        while is_moving:
            eagerness = self.random.choice([0.3, 1])
            is_moving = eagerness < 1
            self.random.shuffle(lanes)
            for number, lane in lanes:
                if self.random.random() < eagerness:
                    is_moving = self.move(number, lane) or is_moving
        places = [Lane(village.community, lane) for village in self.villages for lane in LANE_NAMES]
        return self.state, {place: self.fold.folded_size(place) for place in places}

    def seal(self, number: int) -> None:
        village = self.villages[number]
        self.sealing = (number, self.sealed[number])
        self.fold.seal(village.community, self.sealed[number], village.seals[self.sealed[number]])
        self.sealed[number] += 1

    def move(self, number: int, lane: str) -> bool:
        """Feed a portion of one lane, or tell of a seal; return whether there was anything to do."""
        village = self.villages[number]
        if lane == CHARTER and village.seals[self.sealed[number] :]:
            if self.random.random() < 0.3:
                self.seal(number)
            return True
        place = Lane(village.community, lane)
        before = self.fold.folded_size(place)
        for epoch in range(village.epoch + 1):
            limit = self.cut.get((*place, epoch))
            portion = self.random.choice([1, 2, 5, 50])
            feed_up_to(self.fold, village, lane, epoch, limit, portion)
        return self.fold.folded_size(place) != before


def feed_up_to(
    fold: Fold, village: Village, lane: str, epoch: int, size: int | None = None, portion: int | None = None
) -> bool:
    """Feed the rest of a lane's epoch, at most up to `size` and at most `portion`; return whether it stalls."""
    place = Lane(village.community, lane)
    start = fold.next_index(place, epoch)
    entries = village.entries_in(epoch).get(lane, [])[:size]
    if start is None or start >= len(entries):
        return False
    rest = entries[start:][:portion]
    return fold.feed(place, epoch=epoch, start=start, entries=rest).stalled_on is not None
