"""What is proven against a community, to be shown wherever it is shown (PROTOCOL.md section 23.5).

marks_of(read, community) == ["FORKED"]
"""

from typing import Literal

from node.epochs import Reading, epoch_chain
from node.forks import FORK
from storage.asking import ask

Mark = Literal["CONTESTED", "FORKED", "RETIRED-KEY-MISUSED"]


def marks_of(read: Reading, community: bytes) -> list[Mark]:
    """Return the marks of a community, sorted: forks of the open epoch and of closed ones, and contested notes."""
    kept = list(ask(read.connection, _KEPT, (community,)))
    if not kept:
        return []  # nearly always, and this is asked for every card of a page
    chain = epoch_chain(read, community)
    marks: list[Mark] = []
    if chain is not None and chain.contested:
        marks.append("CONTESTED")
    if chain is not None and any(kind == FORK and epoch >= chain.epoch for kind, epoch in kept):
        marks.append("FORKED")
    if chain is not None and any(kind == FORK and epoch < chain.epoch for kind, epoch in kept):
        marks.append("RETIRED-KEY-MISUSED")
    return marks


_KEPT = "SELECT kind, epoch FROM evidence WHERE community = ?"
