"""What a replay has to come to, worked out from the files alone: `csv`, `decimal` and the issue's sentences.

It shares nothing with the product: no rounding, no parsing, no mapping of ours. Malformed files are no concern of
its; the hostile ones are small enough to be counted by hand.

    expected = replay_oracle(folder, communities=8)
"""

import csv
import gzip
from decimal import Decimal


def rows(folder, name):
    """Every row of a file, plain or packed, as a dictionary."""
    plain = folder / f"{name}.csv"
    opened = plain.open(encoding="utf-8-sig", newline="") if plain.exists() else _unpacked(folder, name)
    with opened as file:
        return list(csv.DictReader(file))


def _unpacked(folder, name):
    return gzip.open(folder / f"{name}.csv.gz", "rt", encoding="utf-8-sig", newline="")


def ranked_states(folder):
    """States by number of sellers, descending; ties by code."""
    sellers = {}
    for row in rows(folder, "sellers"):
        sellers[row["seller_state"]] = sellers.get(row["seller_state"], 0) + 1
    return sorted(sellers, key=lambda state: (-sellers[state], state))


def replay_oracle(folder, *, communities):
    """The `totals` and `not_replayed` of the last line of `--json`."""
    ranked = ranked_states(folder)
    states = [ranked[number : number + 1] for number in range(communities - 1)] + [ranked[communities - 1 :]]
    home = {state: number for number, own in enumerate(states) for state in own}
    seller_home = {row["seller_id"]: home[row["seller_state"]] for row in rows(folder, "sellers")}
    customers = {row["customer_id"] for row in rows(folder, "customers")}
    orders = {row["order_id"]: row for row in rows(folder, "orders")}

    parts = {}
    for item in rows(folder, "items"):
        order = orders[item["order_id"]]
        if order["order_status"] == "delivered" and order["customer_id"] in customers:
            part = (item["order_id"], seller_home[item["seller_id"]])
            parts[part] = (
                parts.get(part, Decimal(0)) + Decimal(item["price"]) + Decimal(item["freight_value"])
            )

    totals = []
    for number, own in enumerate(states):
        gross = [amount for (_, seller), amount in parts.items() if seller == number]
        minor = sum(gross, Decimal(0)) * 100
        assert minor == int(minor)
        totals.append(
            {
                "community": number + 1,
                "states": own,
                "completed_orders": len(gross),
                "completed_minor": int(minor),
            }
        )
    strangers = sum(order["customer_id"] not in customers for order in orders.values())
    return totals, {"customer_missing": strangers} if strangers else {}
