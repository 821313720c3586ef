"""Completions and postings, which nobody has to decide (PROTOCOL.md sections 13.5 and 14.3).

A receipt completes the order that it confirms; a completed or refunded order is posted, on the seller's side
with the record itself, on the buyer's once the fold holds it. Both are found again after any restart, because
what is owed stands in the folded state.
"""

import logging
from collections.abc import Sequence
from dataclasses import dataclass

from node.actions.selling import post_own
from node.errors import NodeError
from node.writer.transaction import Transaction
from protocol.errors import ProtocolError
from protocol.lanes.kind import TRADE, Key, Reference
from protocol.lanes.trade.orders import OrderCompleted, OrderKey
from storage.views.reading import StateReader

BATCH = 256
log = logging.getLogger("wildgrass.automation")


@dataclass(frozen=True, slots=True)
class Chore:
    """A receipt that waits to be taken (`received`), or a move that waits to be posted (`move`)."""

    order: OrderKey
    received: Reference | None = None
    move: Reference | None = None


def find_chores(read: StateReader, community: bytes) -> list[Chore]:
    """Return what is to be done now, about `BATCH` of each sort."""
    chores: list[Chore] = []
    after: Key | None = None
    while len(chores) < BATCH:
        rows = list(read.scan("untaken", (community, "order.received"), length=6, limit=BATCH, after=after))
        for key, untaken in rows:
            order = OrderKey(key[2], key[3])  # type: ignore[arg-type]  # buyer and id of the order
            if _is_fulfilled(read, community, order):
                chores.append(Chore(order, received=untaken.reference))
        if len(rows) < BATCH:
            break
        after = rows[-1][0]
    for key, awaited in read.scan("awaited", (community,), length=5, limit=BATCH):
        move = read.get("move", key[1:])
        seller, lane, epoch, index = key[1:]
        reference = Reference(seller, lane, epoch, index, move.record_id)  # type: ignore[arg-type]  # as put
        chores.append(Chore(awaited.order, move=reference))
    return chores


def do_chores(transaction: Transaction, chores: Sequence[Chore]) -> int:
    """Do them in the writer's transaction; return how many were still to be done.

    One that cannot be done any more, because something else came first, does not hold up the others.
    """
    done = 0
    for chore in chores:
        try:
            _do(transaction, chore)
        except (ProtocolError, NodeError) as error:
            log.info("a chore was overtaken: %s", error.code)
        else:
            done += 1
    return done


def _do(transaction: Transaction, chore: Chore) -> None:
    if chore.move is not None:
        post_own(transaction, chore.order, chore.move)
    elif chore.received is not None:
        completed = OrderCompleted(order=chore.order, takes=[chore.received])
        post_own(transaction, chore.order, transaction.say(TRADE, completed))


def _is_fulfilled(read: StateReader, community: bytes, order: OrderKey) -> bool:
    deal = read.get("deal", (community, order.buyer, order.order_id))
    return deal is not None and deal.status == "fulfilled"
