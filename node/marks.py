"""What is proven against a community, to be shown wherever it is shown (PROTOCOL.md section 23.5).

marks_of(read, community) == ["FORKED"]
"""

from node.epochs import Reading, epoch_chain
from node.forks import FORK
from protocol.marks import Mark, marks_by
from storage.asking import ask


def marks_of(read: Reading, community: bytes) -> list[Mark]:
    """Return the marks of a community, sorted: forks of the open epoch and of closed ones, and contested notes."""
    kept = list(ask(read.connection, _KEPT, (community,)))
    if not kept:
        return []  # nearly always, and this is asked for every card of a page
    chain = epoch_chain(read, community)
    if chain is None:
        return []
    fork_epochs = [epoch for kind, epoch in kept if kind == FORK]
    return marks_by(open_epoch=chain.epoch, fork_epochs=fork_epochs, is_contested=bool(chain.contested))


_KEPT = "SELECT kind, epoch FROM evidence WHERE community = ?"
