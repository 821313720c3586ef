"""The simulator finds what is wrong: believable mistakes are planted in the real code, and runs fail by them."""

import pytest

from simulation.hunting import hunt
from simulation.planted import MISTAKES
from simulation.planting import Mistake, planted
from simulation.scenarios import SCENARIOS

HUNTED = (
    "pushed entries are not compared with the signed root",
    "records are acknowledged before they are synced",
    "a citation of what has not come yet voids the record",
)


@pytest.mark.parametrize("mistake", MISTAKES, ids=lambda mistake: mistake.says.replace(" ", "-"))
def test_every_planted_mistake_still_stands_in_the_code(mistake: Mistake) -> None:
    """The words that it changes are there once; whoever rewrites them plants it anew. Afterwards it is gone."""
    with planted(mistake):
        assert set(mistake.scenarios) <= set(SCENARIOS)
    with planted(mistake):
        assert mistake.right != mistake.wrong


@pytest.mark.parametrize("says", HUNTED, ids=lambda says: says.replace(" ", "-"))
def test_a_planted_mistake_is_found(says: str) -> None:
    """A handful of all: scripts/simulate --planted hunts the rest."""
    (mistake,) = [mistake for mistake in MISTAKES if mistake.says == says]
    assert hunt(mistake, seeds=2).run is not None
