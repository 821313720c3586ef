"""Whether all nodes hold the same and nothing is left to do, as their own `/status` says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from node.operations.demo.api_client import together
from node.operations.demo.village import WAIT_SECONDS_MAX, Community, until

_UNDONE = ("unsigned", "pending", "awaited")

Lane = tuple[str, str, int]
"""Community, lane and epoch."""


@dataclass(frozen=True, slots=True)
class Holdings:
    """How many records the lanes of all communities have, and how many of them every node holds."""

    records: int
    replicated: int
    is_settled: bool


async def all_hold_all(
    communities: Sequence[Community], *, seconds_max: float = WAIT_SECONDS_MAX
) -> Holdings:
    """Wait until every node holds all lanes folded, and nothing waits or is awaited; return what they hold."""

    async def settled() -> Holdings | None:
        holdings = await holdings_of(communities)
        return holdings if holdings.is_settled else None

    found: Holdings = await until(settled, "equal lanes on all nodes", seconds_max=seconds_max)
    return found


async def holdings_of(communities: Sequence[Community]) -> Holdings:
    """Ask every node how it is, and compare."""
    told = await together(community.api.call("GET", "/status") for community in communities)
    sizes = [_sizes(status) for status in told]
    lanes = {lane for held in sizes for lane in held}
    records = sum(max(held.get(lane, 0) for held in sizes) for lane in lanes)
    replicated = sum(min(held.get(lane, 0) for held in sizes) for lane in lanes)
    is_idle = all(_is_folded(status) and not any(status[name] for name in _UNDONE) for status in told)
    return Holdings(records, replicated, is_settled=is_idle and records == replicated)


def _sizes(status: Mapping[str, Any]) -> dict[Lane, int]:
    return {(lane["community"], lane["lane"], lane["epoch"]): lane["size"] for lane in status["lanes"]}


def _is_folded(status: Mapping[str, Any]) -> bool:
    return all(lane["folded_size"] == lane["size"] for lane in status["lanes"])
