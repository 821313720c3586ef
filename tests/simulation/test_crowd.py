"""A crowd of cheap nodes: news reaches all of them nearly once, whoever dies and however the network falls apart."""

from typing import Any

import pytest

from protocol.exchange.dissemination import Dissemination
from simulation.crowd_figures import measure_delivery, measure_disaster, measure_partition, missed_goals
from simulation.sharing import shared_answers

NODES, SEED = 180, 3  # more than anybody keeps links with


def test_a_crowd_keeps_what_the_protocol_promises() -> None:
    """Fast, nearly once, around the dead and the silent, and whole again by itself after a partition."""
    with shared_answers():
        figures: dict[str, Any] = {
            "one_sender": measure_delivery(NODES, SEED, senders=1, heads=4),
            "disaster": measure_disaster(NODES, SEED),
            "partition": measure_partition(NODES, SEED, minutes=1),
        }
    assert missed_goals(figures) == []
    assert figures["one_sender"]["links_a_node"] < 20
    assert figures["partition"]["missing_before"] > NODES // 2, "it was apart"


def test_without_prunes_everybody_gets_many_copies(monkeypatch: pytest.MonkeyPatch) -> None:
    """The measure would notice: where nothing is pruned, news comes over every link."""
    monkeypatch.setattr(Dissemination, "refuse_news", lambda *_, **__: [])
    figures = {"one_sender": measure_delivery(NODES, SEED, senders=1, heads=2)}
    assert figures["one_sender"]["extra_copies"] > 1
    assert len(missed_goals(figures)) == 1
