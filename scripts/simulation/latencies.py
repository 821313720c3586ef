"""How long the way is between two places: measured cities where that data is there, else a made-up country.

way = latencies(20, Random(1), topology_folder())      # the optional test data; None: the default
way(3, 7)                                              # milliseconds, one way
"""

import csv
import gzip
import math
import os
from collections.abc import Callable
from functools import cache
from pathlib import Path
from random import Random

Latency = Callable[[int, int], int]

CITIES = "wondernetwork_2018-11-10_rtt_ms.csv.gz"
_ACROSS_MS = 75
_NEXT_DOOR_MS = 5
_ROOT = Path(__file__).resolve().parents[2]


def topology_folder() -> Path | None:
    """Where the optional data lies: below WILDGRASS_SHARED, else beside the project; None without it."""
    shared = Path(os.environ.get("WILDGRASS_SHARED") or _ROOT.parent / "shared")
    folder = shared / "data" / "topology"
    return folder if (folder / CITIES).is_file() else None


def latencies(places: int, random: Random, folder: Path | None) -> Latency:
    """Return the one-way latency between `places` places; with a folder, between so many of its cities."""
    if folder is None:
        return _made_up(places, random)
    ways, cities = _cities(folder / CITIES)
    chosen = [random.choice(cities) for _ in range(places)]

    def way_ms(one: int, other: int) -> int:
        return ways.get((chosen[one], chosen[other]), _NEXT_DOOR_MS)

    return way_ms


def between(low_ms: int, high_ms: int, places: int, random: Random) -> Latency:
    """Return one-way latencies drawn evenly from a range, one for each pair of places."""
    salt = random.getrandbits(32)

    def way_ms(one: int, other: int) -> int:
        mixed = (min(one, other) * 1_000_003 + max(one, other)) * 2_654_435_761 + salt
        return low_ms + (mixed >> 7) % (high_ms - low_ms + 1)

    return way_ms


def _made_up(places: int, random: Random) -> Latency:
    """Places on a square, the farther the longer."""
    spots = [(random.random(), random.random()) for _ in range(places)]

    def way_ms(one: int, other: int) -> int:
        return _NEXT_DOOR_MS + int(_ACROSS_MS * math.dist(spots[one], spots[other]) / math.sqrt(2))

    return way_ms


@cache
def _cities(path: Path) -> tuple[dict[tuple[str, str], int], list[str]]:
    """Half of every measured round trip, by the names of two cities."""
    with gzip.open(path, "rt", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    cities = sorted({row["src"] for row in rows})
    city_of = {
        place: max((city for city in cities if place.startswith(f"{city} ")), key=len, default="")
        for place in {row["dst"] for row in rows}
    }
    ways = {
        (row["src"], city_of[row["dst"]]): max(1, round(float(row["avg_ms"]) / 2))
        for row in rows
        if city_of[row["dst"]]
    }
    return ways, cities
