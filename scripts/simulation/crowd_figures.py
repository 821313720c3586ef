"""How fast and how often news reaches a thousand nodes, and what a broken network costs (section 28).

figures = measure_crowd(nodes=1_000, seed=1)
for what in missed_goals(figures): ...
"""

from collections.abc import Callable, Sequence
from typing import Any

from simulation.crowd import OUTBOUND_ONLY_PART, Crowd
from simulation.sharing import shared_answers

NODES = 1_000

_SETTLE_MS = 5_000
_PAUSE_MS = 500
_WARM_UP = 2  # the first head of a lane is fetched, the second makes the tree
_LONGEST_MS = 600_000
_SENDERS = 20

# What is measured, of which figure, at most how much.
_GOALS: Sequence[tuple[str, str, float]] = (
    ("one_sender", "missed", 0),
    ("one_sender", "milliseconds_99th", 300),
    ("one_sender", "extra_copies", 0.2),
    ("many_senders", "missed", 0),
    ("disaster", "missing", 0),
    ("disaster", "seconds", 90),
    ("partition", "missing", 0),
    ("partition", "seconds", 30),
)


def measure_crowd(
    nodes: int = NODES,
    seed: int = 1,
    *,
    heads: int = 50,
    minutes: int = 10,
    on_progress: Callable[[float, str], None] = lambda _part, _words: None,
) -> dict[str, Any]:
    """Return the figures for so many nodes: `heads` of each sender's run, `minutes` of a partition."""
    measures: dict[str, Callable[[], dict[str, Any]]] = {
        "one_sender": lambda: measure_delivery(nodes, seed, senders=1, heads=heads),
        "many_senders": lambda: measure_delivery(nodes, seed, senders=min(nodes, _SENDERS), heads=heads),
        "disaster": lambda: measure_disaster(nodes, seed),
        "partition": lambda: measure_partition(nodes, seed, minutes),
    }
    figures: dict[str, Any] = {"nodes": nodes, "seed": seed, "outbound_only": OUTBOUND_ONLY_PART}
    with shared_answers():
        for number, (name, measure) in enumerate(measures.items()):
            on_progress(number / len(measures), name)
            figures[name] = measure()
    return figures


def missed_goals(figures: dict[str, Any]) -> list[str]:
    """Return a sentence for each figure that is not as good as the protocol promises."""
    return [
        f"{measure}: {name} is {figures[measure][name]}, at most {most:g} is wanted"
        for measure, name, most in _GOALS
        if measure in figures and figures[measure][name] > most
    ]


def measure_delivery(nodes: int, seed: int, *, senders: int, heads: int) -> dict[str, Any]:
    """News by news: how long it takes to the followers, and how many copies too many they get."""
    crowd = _settled(nodes, seed, senders)
    origins = list(crowd.keys)
    crowd.copies.clear()
    published = []
    for number in range(heads):
        published.append(crowd.publish(origins[number % senders]))
        crowd.live(_PAUSE_MS)
    crowd.live(_SETTLE_MS)
    waits = sorted(
        time_ms - start_ms
        for head in published
        for start_ms, *later in [sorted(crowd.delivered[head].values())]
        for time_ms in later
    )
    return {
        "heads": heads,
        "senders": senders,
        "missed": heads * (nodes - 1) - len(waits),
        "milliseconds_50th": waits[len(waits) // 2],
        "milliseconds_99th": waits[len(waits) * 99 // 100],
        "milliseconds_longest": waits[-1],
        "extra_copies": round(sum(crowd.copies[head] for head in published) / len(waits) - 1, 4),
        "links_a_node": round(sum(len(each.links) for each in crowd.members) / nodes, 1),
    }


def measure_disaster(nodes: int, seed: int) -> dict[str, Any]:
    """At one moment a third crashes, a third falls silent, and somebody signs a head."""
    crowd = _settled(nodes, seed, 1)
    others = crowd.members[1:]
    crowd.random.shuffle(others)
    part = nodes * 3 // 10
    for member in others[:part]:
        member.is_up = False
    for member in others[part : 2 * part]:
        member.is_silent = True
    head = crowd.publish(next(iter(crowd.keys)))
    start_ms, honest = crowd.agenda.now_ms, crowd.honest
    crowd.live(_LONGEST_MS, lambda: not crowd.missing(head, honest))
    return {
        "crashed": part,
        "silent": part,
        "honest": len(honest),
        "missing": crowd.missing(head, honest),
        "seconds": (crowd.agenda.now_ms - start_ms) / 1000,
    }


def measure_partition(nodes: int, seed: int, minutes: int) -> dict[str, Any]:
    """Two halves, news in both; then one network, and how long until all heads are equal."""
    crowd = _settled(nodes, seed, 2)
    first, second = crowd.keys
    places = list(range(2, nodes))
    crowd.random.shuffle(places)
    crowd.sides = frozenset([0, *places[: nodes // 2 - 1]])
    for _ in range(minutes):
        crowd.live(60_000)
        heads = [crowd.publish(first), crowd.publish(second)]
    crowd.live(_SETTLE_MS)
    apart = sum(crowd.missing(head, crowd.members) for head in heads)
    crowd.sides = None
    start_ms = crowd.agenda.now_ms
    crowd.live(_LONGEST_MS, lambda: not any(crowd.missing(head, crowd.members) for head in heads))
    return {
        "minutes": minutes,
        "missing_before": apart,
        "missing": sum(crowd.missing(head, crowd.members) for head in heads),
        "seconds": (crowd.agenda.now_ms - start_ms) / 1000,
    }


def _settled(nodes: int, seed: int, senders: int) -> Crowd:
    """A crowd whose links stand and in which every sender's tree is made."""
    crowd = Crowd(nodes, seed, senders=senders)
    crowd.live(_SETTLE_MS)
    for _ in range(_WARM_UP):
        for origin in crowd.keys:
            crowd.publish(origin)
        crowd.live(_SETTLE_MS)
    return crowd
