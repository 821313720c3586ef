"""Vectors of section 12 and 14.2: rounding, amounts as text, splits, refunds, postings; and of 13.6: lines."""

from collections.abc import Iterator
from typing import Any

import msgspec

from protocol.amounts.split import Policy, Share, TaxTotal
from protocol.encoding import encode
from protocol.lanes.kind import TRADE, Reference
from protocol.lanes.market.listings import ListingPublished
from protocol.lanes.trade.lines import BuyerDetails, OrderLine, line_of
from tests.golden.plain import Vector, Vectors, refused, to_json
from tests.golden.questions import ask
from tests.golden.void_by_step import OFFER
from tests.village import MARKET, POLICY, Village, object_id, seed

HUB = Share(role="hub", beneficiary="seller_community", share_bp=300)
FINDER = Share(role="finder", beneficiary="buyer_community", share_bp=250)
PACKING = Share(
    role="packing", beneficiary="seller_community", fixed_minor={"EUR": 30, "JPY": 40, "KWD": 500}
)
POLICIES = {
    "net": POLICY,
    "gross with a fixed share": Policy(
        base="gross", shares=(HUB, PACKING, FINDER), same_community="to_seller", tax_remitter="seller"
    ),
    "thirds, kept, tax with the collector": Policy(
        base="net",
        shares=(
            Share(role="finder", beneficiary="buyer_community", share_bp=3_333),
            Share(role="hub", beneficiary="seller_community", share_bp=3_333),
        ),
        same_community="keep",
        tax_remitter="collector",
    ),
    "nothing to share": Policy(
        base="net", shares=(), same_community="to_seller_community", tax_remitter="seller"
    ),
    "all to the buyer's community": Policy(
        base="gross",
        shares=(Share(role="all", beneficiary="buyer_community", share_bp=10_000),),
        same_community="to_seller_community",
        tax_remitter="collector",
    ),
}
TOTALS = (
    ("EUR", ((700, 10_700),)),
    ("EUR", ((700, 10_701), (1_900, 2_499))),
    ("EUR", ((0, 1),)),
    ("EUR", ((10_000, 10**15),)),
    ("JPY", ((800, 1_000),)),
    ("JPY", ((1_000, 39),)),
    ("KWD", ((500, 10_703),)),
    ("KWD", ((0, 499),)),
)


def amount_vectors() -> Vectors:
    """amounts/ and lines/."""
    return dict([*_roundings(), *_texts(), *_splits(), *_postings(), *_lines()])


def cases_of(question: str, asked: Iterator[dict[str, Any]] | list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**case, "answer": ask(question, case)} for case in asked]


def _roundings() -> Iterator[tuple[str, Vector]]:
    pairs = [(0, 1), (1, 2), (3, 2), (5, 2), (7, 3), (8, 3), (-0, 7), (10**20 + 5, 10), (10**20 + 15, 10)]
    asked: list[dict[str, Any]] = [
        {"numerator": str(above), "denominator": str(below)} for above, below in pairs
    ]
    yield "amounts/half-even.json", _holds("The nearest integer, of two the even one.", "half_even", asked)
    totals = [
        (100, [1, 1, 1]),
        (101, [1, 1, 1]),
        (0, [5, 5]),
        (1, [9_999, 1]),
        (5, [1, 0, 1]),
        (1_000, [3_333, 3_333, 3_334]),
        (7, [2, 2, 2, 2]),
    ]
    asked = [{"total": total, "weights": weights} for total, weights in totals]
    yield (
        "amounts/largest-remainder.json",
        _holds("The shares, which sum to the total.", "largest_remainder", asked),
    )
    lines = [
        *((499, 1_250, 3), (250, 1, 2), (350, 1, 2), (150, 1, 2), (1_999, 3, 0)),
        *((7, 10**9, 6), (0, 1, 0), (10**15, 1, 6)),
    ]
    asked = [{"price_minor": price, "steps": steps, "scale": scale} for price, steps, scale in lines]
    yield "amounts/line-total.json", _holds("Price times quantity, half-even.", "line_total", asked)
    wrong = refused("line_total", "too much", "amount_out_of_range", price_minor=10**15, steps=2, scale=0)
    yield "amounts/refused/line-total.json", wrong


def _texts() -> Iterator[tuple[str, Vector]]:
    texts = [
        ("12.30", "EUR"),
        ("12.3", "EUR"),
        ("12", "EUR"),
        ("0.01", "EUR"),
        ("1230", "JPY"),
        ("1.234", "KWD"),
    ]
    asked: list[dict[str, Any]] = [{"text": text, "currency": currency} for text, currency in texts]
    yield (
        "amounts/read.json",
        _holds("An amount in minor units, and how it is written.", "read_amount", asked),
    )
    ways = {
        "sign": ("-1", "EUR", "amount_malformed"),
        "digits": ("1.234", "EUR", "amount_malformed"),
        "point": ("1.0", "JPY", "amount_malformed"),
        "zero-first": ("01", "EUR", "amount_malformed"),
        "thousands": ("1,000", "EUR", "amount_malformed"),
        "other-digits": ("１２", "EUR", "amount_malformed"),
        "large": ("10000000000000.01", "EUR", "amount_out_of_range"),
        "currency": ("1", "XXX", "currency_unknown"),
    }
    for name, (text, currency, code) in ways.items():
        yield f"amounts/refused/{name}.json", refused("read_amount", name, code, text=text, currency=currency)


def _splits() -> Iterator[tuple[str, Vector]]:
    asked = [
        {
            "policy": to_json(_plain(policy)),
            **_order(currency, rows),
            "same_community": same,
            "collector": side,
        }
        for policy in POLICIES.values()
        for currency, rows in TOTALS
        for same in (False, True)
        for side in ("seller", "buyer")
    ]
    yield "amounts/split.json", _holds("Who gets what; it sums to the gross.", "split", asked)
    asked = [{"policy": to_json(_plain(policy))} for policy in POLICIES.values()]
    yield "amounts/policy-id.json", _holds("The id of a policy.", "policy_id", asked)
    asked = [
        {
            "policy": to_json(_plain(policy)),
            **_order(currency, rows),
            "new_totals": _totals(tuple((rate, gross * part // 100) for rate, gross in rows)),
            "same_community": False,
            "collector": "seller",
        }
        for policy in list(POLICIES.values())[:3]
        for currency, rows in TOTALS
        for part in (50, 1, 0)
    ]
    sentence = "What a refund posts: the split of the new totals less that of the old ones."
    yield "amounts/refund.json", _holds(sentence, "refund", asked)


def _postings() -> Iterator[tuple[str, Vector]]:
    asked = [
        {
            "policy": to_json(_plain(POLICY)),
            **_order(currency, rows),
            "same_community": len(sides) > 1,
            "collector": collector,
            "sides": sides,
        }
        for currency, rows in (("EUR", ((700, 10_700),)), ("JPY", ((1_000, 39),)), ("KWD", ((500, 10_703),)))
        for collector in ("seller", "buyer")
        for sides in (["seller"], ["buyer"], ["buyer", "seller"])
    ]
    yield "amounts/posting.json", _holds("The entries that a side posts; they sum to 0.", "posting", asked)


def _lines() -> Iterator[tuple[str, Vector]]:
    listing = ListingPublished(**OFFER)
    place = Reference(seed("community"), MARKET, 0, 7, seed("record"))
    goods = line_of(listing, place, 1_250)
    delivery = OrderLine(total_minor=590, tax_class="delivery", rate_bp=1_900, label={"en": "Delivery"})
    details = BuyerDetails(
        fulfilment="delivery",
        member_id=object_id("member"),
        name="李小草",
        contact="+49 30 1",
        address="Weg 1",
        note="",
    )
    asked = [{"payload": encode(line).hex()} for line in (goods, delivery)]
    yield "lines/line.json", _holds("The line in an opened payload.", "open_line", asked)
    asked = [{"payload": encode(details).hex()}]
    yield "lines/details.json", _holds("The details in an opened payload.", "open_details", asked)
    plain = _plain(goods)
    ways: dict[str, tuple[str, dict[str, Any]]] = {
        "both": ("goods with a label", plain | {"label": {"en": "Apples"}}),
        "neither": (
            "neither goods nor a label",
            {k: plain[k] for k in ("rate_bp", "tax_class", "total_minor")},
        ),
        "without-steps": ("goods without steps", {k: v for k, v in plain.items() if k != "steps"}),
        "unknown-field": ("a field too many", plain | {"colour": "green"}),
        "text-for-bytes": (
            "bytes written as base64 text",
            plain | {"listing_id": "AAAAAAAAAAAAAAAAAAAAAA=="},
        ),
        "steps-0": ("no steps", plain | {"steps": 0}),
    }
    for name, (why, line) in ways.items():
        yield (
            f"lines/refused/{name}.json",
            refused("open_line", why, "payload_refused", payload=encode(line).hex()),
        )
    order = {"lines": [encode(line).hex() for line in (goods, delivery)]}
    cases = [{**order, "placed": _placed(375), "answer": "holds"}]
    sentence = "The lines come to the order's totals."
    yield "lines/totals.json", {"must_hold": sentence, "question": "verify_lines", "cases": cases}
    more = {**order, "placed": _placed(376)}
    yield "lines/refused/totals.json", refused("verify_lines", "a unit more", "lines_mismatch", **more)
    cited = {"listing": encode(listing).hex(), "line": encode(goods).hex()}
    cases = [{**cited, "answer": "holds"}]
    sentence = "The line is at the price of the listing that it cites."
    yield "lines/price.json", {"must_hold": sentence, "question": "verify_price", "cases": cases}
    cheaper = encode(msgspec.structs.replace(goods, total_minor=374)).hex()
    wrong = refused(
        "verify_price", "a unit less than price times steps", "lines_mismatch", **cited | {"line": cheaper}
    )
    yield "lines/refused/price.json", wrong


def _placed(food_minor: int) -> str:
    home = Village("home", lanes=(TRADE,))
    rows = (("delivery", 1_900, 590), ("food", 700, food_minor))
    totals = [TaxTotal(tax_class=name, rate_bp=rate_bp, gross_minor=gross) for name, rate_bp, gross in rows]
    home.place(Village("shop", lanes=()), totals=totals)
    return home.entries[TRADE][-1].hex()


def _order(currency: str, rows: tuple[tuple[int, int], ...]) -> dict[str, Any]:
    return {"currency": currency, "totals": _totals(rows)}


def _totals(rows: tuple[tuple[int, int], ...]) -> list[dict[str, Any]]:
    names = ("food", "standard")
    return [
        _plain(TaxTotal(tax_class=name, rate_bp=rate_bp, gross_minor=gross))
        for name, (rate_bp, gross) in zip(names, rows, strict=False)
    ]


def _plain(struct: Any) -> Any:
    return msgspec.msgpack.decode(encode(struct))


def _holds(sentence: str, question: str, asked: list[dict[str, Any]]) -> Vector:
    return {"must_hold": sentence, "question": question, "cases": cases_of(question, asked)}
