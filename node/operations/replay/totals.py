"""What was completed, a line a community: as the plan has it, and as the auditor found it.

audited_totals(plan, ids, report) == planned_totals(plan)
"""

from collections.abc import Sequence

import msgspec

from node.operations.replay.plan import Plan
from protocol.audit.findings import Report


class Totals(msgspec.Struct, frozen=True, kw_only=True):
    """The sales of one community, from 1: the states of its sellers, and what was completed and kept."""

    community: int
    states: tuple[str, ...]
    completed_orders: int
    completed_minor: int


def planned_totals(plan: Plan) -> list[Totals]:
    """Return what the orders of the plan come to."""
    completed = [order for order in plan.orders if order.ending == "completed"]
    return [
        Totals(
            community=number + 1,
            states=states,
            completed_orders=sum(order.seller == number for order in completed),
            completed_minor=sum(order.total_minor for order in completed if order.seller == number),
        )
        for number, states in enumerate(plan.states)
    ]


def audited_totals(plan: Plan, community_ids: Sequence[str], report: Report) -> list[Totals]:
    """Return what the auditor found; orders that were refunded in full are completed there, at nothing."""
    found = {totals.community: totals for totals in report.communities}
    told = []
    for number, (community_id, states) in enumerate(zip(community_ids, plan.states, strict=True)):
        totals = found.get(community_id)
        refunded = sum(order.seller == number and order.ending == "refunded" for order in plan.orders)
        told.append(
            Totals(
                community=number + 1,
                states=states,
                completed_orders=totals.orders_sold.get("completed", 0) - refunded if totals else 0,
                completed_minor=sum(sales.amount_minor for sales in totals.completed) if totals else 0,
            )
        )
    return told
