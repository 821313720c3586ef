"""The split a second time, with fractions, written from PROTOCOL.md section 12.6."""

from fractions import Fraction
from hashlib import sha256
from math import floor
from typing import Any

from tests.record.bodies import canonical


def policy_id_of(policy: Any) -> bytes:
    """Section 12.5, for a policy as a plain map."""
    return sha256(b"wildgrass/v1/policy\n" + canonical(policy)).digest()


def naive_split(
    policy: Any, totals: list[dict[str, Any]], currency: str, *, same_community: bool, collector: str
) -> list[tuple[str, str, int]]:
    """Return (role, side, amount) as declared, then tax with a net base, then the seller."""
    gross = sum(total["gross_minor"] for total in totals)
    net = sum(round(Fraction(t["gross_minor"] * 10_000, 10_000 + t["rate_bp"])) for t in totals)
    left = net if policy["base"] == "net" else gross
    amounts: dict[str, int] = {}
    for share in policy["shares"]:
        if "fixed_minor" in share:
            amounts[share["role"]] = min(share["fixed_minor"].get(currency, 0), left)
            left -= amounts[share["role"]]
    weights = {share["role"]: share["share_bp"] for share in policy["shares"] if "share_bp" in share}
    weights["seller"] = 10_000 - sum(weights.values())
    parts = {role: Fraction(left * weight, 10_000) for role, weight in weights.items()}
    amounts |= {role: floor(part) for role, part in parts.items()}
    missing = left - sum(amounts[role] for role in weights)
    by_remainder = sorted(
        parts, key=lambda role: floor(parts[role]) - parts[role]
    )  # stable: ties as declared
    for role in by_remainder[:missing]:
        amounts[role] += 1
    sides = {s["role"]: s["beneficiary"].removesuffix("_community") for s in policy["shares"]}
    if same_community and policy["same_community"] != "keep":
        heir = next((role for role, side in sides.items() if side == "seller"), "seller")
        heir = heir if policy["same_community"] == "to_seller_community" else "seller"
        for role in (role for role, side in sides.items() if side == "buyer"):
            amounts[heir] += amounts[role]
            amounts[role] = 0
    result = [(role, sides[role], amounts[role]) for role in sides]
    if policy["base"] == "net":
        remitter = collector if policy["tax_remitter"] == "collector" else "seller"
        result.append(("tax", remitter, gross - net))
    return [*result, ("seller", "seller", amounts["seller"])]
