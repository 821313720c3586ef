"""What is asked of the orders and the money once everybody agrees: each order came to what its totals say.

check_orders(node, oracle, honest_communities)
"""

from collections import defaultdict
from typing import TYPE_CHECKING, Any

from protocol.amounts.split import split

if TYPE_CHECKING:
    from simulation.node import Node
    from simulation.oracle import Oracle

Shares = dict[tuple[str, Any], int]


def check_orders(node: "Node", oracle: "Oracle", communities: set[bytes]) -> None:
    """What was posted by all moves of an order is the split of its last totals; nothing taken lies on a desk."""
    state = node.views.state
    posted: dict[tuple[Any, ...], Shares] = defaultdict(lambda: defaultdict(int))
    for (table, _key), move in state.rows.items():
        if table == "move":
            for share in move.allocations:
                posted[move.seller, *_names(move.order)][share.role, share.beneficiary] += share.amount_minor
    for key in state.keys["deal"]:
        if communities.issuperset(key[:2]) and posted[key] != _owed(state, key):
            oracle.fail(f"{node.name} counts an order whose postings are not the split of its totals")
            return
    for key in state.keys["untaken"]:
        move = state.get("move", state.get("untaken", key).reference.position)
        if move is not None and move.is_taken:
            oracle.fail(f"{node.name} has a record on a desk that was taken")
            return


def _names(order: Any) -> tuple[bytes, bytes]:
    return order.buyer, order.order_id


def _owed(state: Any, key: Any) -> Shares:
    """The shares of a completed order by its totals as they are now; of another one, none."""
    seller, buyer, order_id = key
    deal, placed = state.get("deal", key), state.get("placement", (buyer, order_id)).placed
    if deal.status != "completed":
        return {}
    shares = split(
        state.get("policy", (placed.policy,)),
        deal.totals,
        placed.currency,
        same_community=buyer == seller,
        collector=placed.collector,
    )
    owed: Shares = defaultdict(int)
    for share in shares:
        if share.amount_minor:
            owed[share.role, share.beneficiary] += share.amount_minor
    return owed
