"""A split closes to the last minor unit, whatever the policy, and a naive second implementation agrees."""

from fractions import Fraction

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.amounts.split import (
    Allocation,
    Policy,
    Share,
    TaxTotal,
    check_totals,
    difference,
    policy_id,
    split,
)
from protocol.encoding import decode, encode
from protocol.errors import AmountError, EncodingError, RecordVoid
from protocol.limits import AMOUNT_MINOR_MAX
from tests.worked_examples import worked_example, worked_lines

SIDES = st.sampled_from(["seller", "buyer"])
CURRENCIES = st.sampled_from(["JPY", "EUR", "KWD"])


def share(role, beneficiary="seller_community", **kind):
    return Share(role=role, beneficiary=beneficiary, **kind)


def policy(*shares, base="net", same_community="keep", tax_remitter="seller", **rest):
    return Policy(base=base, shares=shares, same_community=same_community, tax_remitter=tax_remitter, **rest)


def total(gross_minor, rate_bp=0, tax_class="standard"):
    return TaxTotal(tax_class=tax_class, rate_bp=rate_bp, gross_minor=gross_minor)


@st.composite
def policies(draw):
    """Any legal policy of up to eight roles, with weights that may come to the whole and fixed amounts."""
    count = draw(st.integers(0, 8))
    left_bp, shares = 10_000, []
    for number in range(count):
        beneficiary = draw(st.sampled_from(["seller_community", "buyer_community"]))
        if left_bp and draw(st.booleans()):
            share_bp = draw(st.integers(1, left_bp))
            left_bp -= share_bp
            shares.append(share(f"role_{number}", beneficiary, share_bp=share_bp))
        else:
            fixed = draw(st.dictionaries(CURRENCIES, st.integers(1, 5_000), min_size=1))
            shares.append(share(f"role_{number}", beneficiary, fixed_minor=fixed))
    return policy(
        *shares,
        base=draw(st.sampled_from(["net", "gross"])),
        same_community=draw(st.sampled_from(["keep", "to_seller_community", "to_seller"])),
        tax_remitter=draw(st.sampled_from(["seller", "collector"])),
    )


@st.composite
def totals_lists(draw):
    gross = st.integers(0, 10**6)
    classes = draw(st.lists(st.sampled_from(["food", "books", "standard", "zero"]), min_size=1, unique=True))
    return [total(draw(gross), draw(st.integers(0, 10_000)), name) for name in classes]


def naive_split(rule, totals, currency, same_community, collector):
    """Section 12 once more, with exact fractions and none of the code under test: role -> (side, amount)."""
    gross = sum(entry.gross_minor for entry in totals)
    net = sum(round(Fraction(entry.gross_minor) / (1 + Fraction(entry.rate_bp, 10_000))) for entry in totals)
    base = left = net if rule.base == "net" else gross
    amounts = {}
    for entry in rule.shares:
        if entry.fixed_minor is not msgspec.UNSET:
            amounts[entry.role] = min(entry.fixed_minor.get(currency, 0), left)
            left -= amounts[entry.role]
    weights = {e.role: e.share_bp for e in rule.shares if e.share_bp is not msgspec.UNSET}
    weights["seller"] = 10_000 - sum(weights.values())
    exact = {role: Fraction(left * weight, 10_000) for role, weight in weights.items()}
    floors = {role: int(part) for role, part in exact.items()}
    ranked = sorted(weights, key=lambda role: (floors[role] - exact[role], list(weights).index(role)))
    for role in ranked[: left - sum(floors.values())]:
        floors[role] += 1
    amounts |= floors
    sides = {e.role: e.beneficiary.removesuffix("_community") for e in rule.shares} | {"seller": "seller"}
    if same_community and rule.same_community != "keep":
        heirs = [e.role for e in rule.shares if sides[e.role] == "seller"] or ["seller"]
        heir = heirs[0] if rule.same_community == "to_seller_community" else "seller"
        for role in [e.role for e in rule.shares if sides[e.role] == "buyer"]:
            amounts[heir] += amounts[role]
            amounts[role] = 0
    if rule.base == "net":
        amounts["tax"] = gross - base
        sides["tax"] = collector if rule.tax_remitter == "collector" else "seller"
    return {role: (sides[role], amount) for role, amount in amounts.items()}


@given(policies(), totals_lists(), CURRENCIES, st.booleans(), SIDES)
@settings(max_examples=300)
def test_a_split_closes_and_is_that_of_the_naive_implementation(
    rule, totals, currency, same_community, collector
):
    """Amounts are not negative, sum to the gross, and equal a second implementation's role by role."""
    allocations = split(rule, totals, currency, same_community=same_community, collector=collector)
    assert sum(part.amount_minor for part in allocations) == sum(entry.gross_minor for entry in totals)
    assert all(part.amount_minor >= 0 for part in allocations)
    expected = naive_split(rule, totals, currency, same_community, collector)
    assert {part.role: (part.beneficiary, part.amount_minor) for part in allocations} == expected
    roles = [entry.role for entry in rule.shares] + (["tax"] if rule.base == "net" else []) + ["seller"]
    assert [part.role for part in allocations] == roles


@given(policies(), totals_lists(), st.data())
@settings(max_examples=200)
def test_refunds_in_any_number_of_steps_come_to_the_same(rule, totals, data):
    """The postings of an order with its refunds add up to the split of its last totals."""
    posted = split(rule, totals, "EUR", same_community=False, collector="buyer")
    sums = {part.role: part.amount_minor for part in posted}
    for _ in range(3):
        totals = [
            msgspec.structs.replace(entry, gross_minor=data.draw(st.integers(0, entry.gross_minor)))
            for entry in totals
        ]
        now = split(rule, totals, "EUR", same_community=False, collector="buyer")
        for part in difference(now, posted):
            sums[part.role] += part.amount_minor
        posted = now
    assert sums == {part.role: part.amount_minor for part in posted}


@given(policies(), totals_lists(), SIDES)
@settings(max_examples=100)
def test_a_full_refund_returns_every_share(rule, totals, collector):
    """Totals of zero give zero to every role, so nothing of a refunded order is kept."""
    before = split(rule, totals, "JPY", same_community=True, collector=collector)
    nothing = [msgspec.structs.replace(entry, gross_minor=0) for entry in totals]
    after = split(rule, nothing, "JPY", same_community=True, collector=collector)
    assert {part.amount_minor for part in after} == {0}
    assert [part.amount_minor for part in difference(after, before)] == [-p.amount_minor for p in before]


@given(policies(), totals_lists(), st.integers(1, 500))
@settings(max_examples=100)
def test_a_larger_order_lowers_no_share_by_more_than_one_unit(rule, totals, more):
    """Selling more never costs a role more than the one unit that largest remainders may move."""
    larger = [msgspec.structs.replace(totals[0], gross_minor=totals[0].gross_minor + more), *totals[1:]]
    before = split(rule, totals, "EUR", same_community=False, collector="seller")
    after = split(rule, larger, "EUR", same_community=False, collector="seller")
    assert all(part.amount_minor >= -1 for part in difference(after, before))


def test_the_order_of_tax_classes_does_not_matter():
    """A split is a function of the set of totals."""
    rule = policy(share("hub", share_bp=333))
    totals = [total(999, 700, "food"), total(12_345, 1900, "standard")]
    forth = split(rule, totals, "EUR", same_community=False, collector="seller")
    assert forth == split(rule, totals[::-1], "EUR", same_community=False, collector="seller")


def test_the_largest_order_is_split_exactly():
    """At the limit of amounts nothing overflows and everything closes."""
    rule = policy(share("hub", share_bp=1), share("finder", "buyer_community", share_bp=9_998), base="gross")
    allocations = split(rule, [total(AMOUNT_MINOR_MAX)], "KWD", same_community=False, collector="seller")
    assert [part.amount_minor for part in allocations] == [10**11, 9_998 * 10**11, 10**11]


def test_the_worked_splits_of_the_specification_hold():
    """Each example of PROTOCOL.md, read from its text, comes out as printed."""
    names = ("split-net", "split-gross", "split-same-community", "split-yen")
    for name in names:
        example = worked_example(name)
        rule = msgspec.json.decode(example["policy"], type=Policy)
        assert encode(rule).hex() == example["canonical policy"]
        assert policy_id(rule).hex() == example["policy id"]
        totals = msgspec.json.decode(example["totals"], type=list[TaxTotal])
        allocations = split(
            rule,
            totals,
            example["currency"],
            same_community=example["same community"] == "yes",
            collector=example["collector"],
        )
        printed = [part.split() for part in example["split"].split(", ")]
        assert [[p.role, p.beneficiary, str(p.amount_minor)] for p in allocations] == printed


def test_the_worked_refund_of_the_specification_holds():
    """The postings of the printed order, its part refund and its full refund are those of the code."""
    rule = msgspec.json.decode(worked_example("split-net")["policy"], type=Policy)
    posted = None
    for gross_minor, *amounts in worked_lines("refund"):
        now = split(
            rule, [total(int(gross_minor), 700, "food")], "EUR", same_community=False, collector="buyer"
        )
        entries = difference(now, posted) if posted else now
        assert [str(part.amount_minor) for part in entries] == amounts
        posted = now


def test_fixed_shares_come_off_first_and_stop_at_what_is_left():
    """Fixed shares are served in declared order; the last one gets what remains, the weights nothing."""
    rule = policy(
        share("hub", share_bp=5_000),
        share("bag", fixed_minor={"EUR": 30}),
        share("ride", "buyer_community", fixed_minor={"EUR": 30}),
        base="gross",
    )
    allocations = split(rule, [total(50)], "EUR", same_community=False, collector="seller")
    assert [part.amount_minor for part in allocations] == [0, 30, 20, 0]
    in_yen = split(rule, [total(50)], "JPY", same_community=False, collector="seller")
    assert [part.amount_minor for part in in_yen] == [25, 0, 0, 25]


@pytest.mark.parametrize(
    ("shares", "code"),
    [
        ([{"role": "Hub", "share_bp": 1}], "role_refused"),
        ([{"role": "", "share_bp": 1}], "role_refused"),
        ([{"role": "a" * 33, "share_bp": 1}], "role_refused"),
        ([{"role": "seller", "share_bp": 1}], "role_refused"),
        ([{"role": "tax", "share_bp": 1}], "role_refused"),
        ([{"role": "hub\n", "share_bp": 1}], "role_refused"),
        ([{"role": "hub"}], "share_malformed"),
        ([{"role": "hub", "share_bp": 1, "fixed_minor": {"EUR": 1}}], "share_malformed"),
        ([{"role": "hub", "share_bp": 0}], "share_malformed"),
        ([{"role": "hub", "share_bp": 10_001}], "share_malformed"),
        ([{"role": "hub", "fixed_minor": {}}], "share_malformed"),
        ([{"role": "hub", "fixed_minor": {"EURO": 1}}], "currency_unknown"),
        ([{"role": "hub", "fixed_minor": {"EUR": 0}}], "amount_out_of_range"),
        ([{"role": "hub", "share_bp": 1}, {"role": "hub", "share_bp": 1}], "role_repeated"),
        ([{"role": "hub", "share_bp": 9_000}, {"role": "ride", "share_bp": 1_001}], "shares_exceed_whole"),
        ([{"role": f"r{number}", "share_bp": 1} for number in range(17)], "shares_too_many"),
    ],
)
def test_a_policy_that_cannot_be_meant_is_refused(shares, code):
    """Whoever reads a policy refuses it with the code that says what is wrong."""
    plain = {
        "base": "net",
        "same_community": "keep",
        "tax_remitter": "seller",
        "shares": [{"beneficiary": "seller_community", **entry} for entry in shares],
    }
    with pytest.raises(AmountError) as refusal:
        msgspec.convert(plain, Policy)
    assert refusal.value.code == code


@pytest.mark.parametrize(
    "change",
    [
        {"base": "profit"},
        {"same_community": "burn"},
        {"tax_remitter": "buyer"},
        {"terms": {}},
        {"terms": {"EN": "x"}},
        {"terms": {"en": ""}},
        {"unknown": 1},
        {"shares": {}},
        {"shares": [{"role": "hub", "beneficiary": "somebody", "share_bp": 1}]},
        {"shares": [{"role": "hub", "beneficiary": "seller_community", "share_bp": 1.0}]},
        {"shares": [{"role": "hub", "beneficiary": "seller_community", "share_bp": True}]},
    ],
)
def test_a_policy_with_other_fields_or_words_is_refused(change):
    """Unknown fields, other words and other types do not make a policy."""
    plain = {"base": "net", "same_community": "keep", "tax_remitter": "seller", "shares": [], **change}
    with pytest.raises(msgspec.ValidationError):
        msgspec.convert(plain, Policy)


@pytest.mark.parametrize(
    ("attributes", "error"), [({}, RecordVoid), ({"a": 0.5}, EncodingError), ({"": 1}, RecordVoid)]
)
def test_attributes_of_a_policy_are_bounded(attributes, error):
    """A policy's attributes obey the rule of every record's attributes, though they lie deeper."""
    with pytest.raises(error):
        policy(attributes=attributes)


def test_a_policy_is_read_back_and_named_by_its_bytes():
    """The canonical bytes of a policy give the policy; a word more in its terms is another policy."""
    rule = policy(share("hub", share_bp=300), terms={"en": "A day's notice.", "zh-Hans": "提前一天"})
    assert msgspec.convert(decode(encode(rule), bytes_max=1_000), Policy) == rule
    assert policy_id(rule) != policy_id(msgspec.structs.replace(rule, terms={"en": "None."}))


@pytest.mark.parametrize(
    ("fields", "code"),
    [
        ({"tax_class": ""}, "tax_class_malformed"),
        ({"tax_class": "Food"}, "tax_class_malformed"),
        ({"tax_class": "f" * 33}, "tax_class_malformed"),
        ({"rate_bp": -1}, "tax_rate_out_of_range"),
        ({"rate_bp": 10_001}, "tax_rate_out_of_range"),
        ({"gross_minor": -1}, "amount_out_of_range"),
        ({"gross_minor": AMOUNT_MINOR_MAX + 1}, "amount_out_of_range"),
    ],
)
def test_a_total_out_of_bounds_is_refused(fields, code):
    """Class, rate and gross of a total are bounded, each with its code."""
    with pytest.raises(AmountError) as refusal:
        TaxTotal(**{"tax_class": "food", "rate_bp": 700, "gross_minor": 1, **fields})
    assert refusal.value.code == code


@pytest.mark.parametrize(
    ("totals", "code"),
    [
        ([], "tax_classes_out_of_range"),
        ([total(1, rate) for rate in range(17)], "tax_classes_out_of_range"),
        ([total(1), total(2)], "tax_class_repeated"),
        ([total(AMOUNT_MINOR_MAX), total(1, 700)], "amount_out_of_range"),
    ],
)
def test_totals_that_do_not_fit_together_are_refused(totals, code):
    """An order has 1 to 16 totals, no class and rate twice, and a sum within the limit."""
    with pytest.raises(AmountError) as refusal:
        check_totals(totals)
    assert refusal.value.code == code


def test_an_order_in_an_unknown_currency_is_not_split():
    """The currency is part of what is checked."""
    with pytest.raises(AmountError):
        split(policy(), [total(1)], "XXX", same_community=False, collector="seller")


def test_an_allocation_prints_what_it_is():
    """An allocation is a plain value that compares by its fields."""
    assert split(policy(), [total(107, 700)], "EUR", same_community=False, collector="buyer") == (
        Allocation(role="tax", beneficiary="seller", amount_minor=7),
        Allocation(role="seller", beneficiary="seller", amount_minor=100),
    )
