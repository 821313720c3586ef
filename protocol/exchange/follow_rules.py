"""Rules by which a community follows others, and keeps some of their lanes, without a click (PROTOCOL.md section 26.6).

rule = rule_for(rules, known, record)                    # None: a steward decides
keeps_lane(rules, community, "market/food")
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from protocol.exchange.addresses import AddressRecord
from protocol.exchange.discovery_events import Known

MARKET = "market/"


@dataclass(frozen=True, slots=True)
class RulesChanged:
    """The rules that hold from now on."""

    rules: "tuple[FollowRule, ...]"


@dataclass(frozen=True, slots=True)
class FollowRule:
    """One rule; what is absent (None, or empty) it does not ask for.

    `follow`: whoever is this community, sells in this sector and is in this region is followed. `keep`: of this
    community (None: of all) only the market lanes of the sectors that its `keep` rules name are kept.
    """

    number: int
    effect: Literal["follow", "keep"]
    community: bytes | None = None
    sector: str = ""
    region: str = ""


def rule_for(rules: Iterable[FollowRule], known: Known, record: AddressRecord | None) -> FollowRule | None:
    """Return the first rule by which a community that was found is followed, None where there is none.

    Where a community sells and where it is, it says itself in its address record.
    """
    return next((rule for rule in rules if rule.effect == "follow" and _matches(rule, known, record)), None)


def keeps_lane(rules: Iterable[FollowRule], community: bytes, lane: str) -> bool:
    """Tell whether a lane of a followed community is kept; charter, trade and ledger always are."""
    if not lane.startswith(MARKET):
        return True
    keeping = [rule for rule in rules if rule.effect == "keep"]
    own = [rule for rule in keeping if rule.community == community]
    asked = own or [rule for rule in keeping if rule.community is None]  # its own rules have the last word
    return not asked or any(rule.sector == lane.removeprefix(MARKET) for rule in asked)


def _matches(rule: FollowRule, known: Known, record: AddressRecord | None) -> bool:
    if rule.community is not None and rule.community != known.community:
        return False
    if (rule.sector or rule.region) and record is None:
        return False
    if record is None:
        return rule.community is not None
    in_sector = not rule.sector or rule.sector in record.sectors
    in_region = rule.region in ("", record.region) or record.region.startswith(f"{rule.region}-")
    return in_sector and in_region
