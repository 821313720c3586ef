"""Half-even and largest remainder, against naive implementations with exact fractions."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.amounts.rounding import divide_half_even, largest_remainder

WEIGHTS = st.lists(st.integers(0, 10_000), min_size=1, max_size=17).filter(any)


def naive_largest_remainder(total, weights):
    """Hand out the units one at a time, each to whoever is furthest below the exact share."""
    exact = [Fraction(total * weight, sum(weights)) for weight in weights]
    shares = [int(share) for share in exact]
    while sum(shares) < total:
        lacks = [part - share for part, share in zip(exact, shares, strict=True)]
        shares[lacks.index(max(lacks))] += 1
    return shares


@given(st.integers(0, 10**30), st.integers(1, 10**12))
@settings(max_examples=300)
def test_half_even_is_what_python_rounds_a_fraction_to(numerator, denominator):
    """`round` of an exact fraction is half-even too."""
    assert divide_half_even(numerator, denominator) == round(Fraction(numerator, denominator))


def test_half_even_takes_ties_to_the_even_neighbour():
    """0.5, 1.5, 2.5 and 3.5 are 0, 2, 2 and 4."""
    assert [divide_half_even(numerator, 2) for numerator in (1, 3, 5, 7)] == [0, 2, 2, 4]


@given(st.integers(0, 10**16), WEIGHTS)
@settings(max_examples=300)
def test_shares_sum_to_the_total_and_are_within_one_of_exact(total, weights):
    """Nothing is lost, nothing is made, nobody is off by a whole unit."""
    shares = largest_remainder(total, weights)
    assert sum(shares) == total
    for share, weight in zip(shares, weights, strict=True):
        assert abs(share - Fraction(total * weight, sum(weights))) < 1
        assert share == 0 or weight > 0


@given(st.integers(0, 10**6), WEIGHTS)
@settings(max_examples=300)
def test_shares_are_those_of_the_naive_implementation(total, weights):
    """Handing out unit by unit comes to the same shares."""
    assert largest_remainder(total, weights) == naive_largest_remainder(total, weights)


@given(st.integers(0, 10**6), WEIGHTS)
@settings(max_examples=100)
def test_a_larger_total_takes_at_most_one_unit_from_anybody(total, weights):
    """Largest remainders may move one unit back when the total grows by one, never more."""
    for before, after in pairwise([largest_remainder(total + more, weights) for more in range(4)]):
        assert all(now >= then - 1 for then, now in zip(before, after, strict=True))


@pytest.mark.parametrize(
    ("total", "weights", "shares"),
    [
        (100, [1, 1, 1], [34, 33, 33]),
        (2, [1, 1, 1], [1, 1, 0]),
        (1, [5000, 5000], [1, 0]),
        (0, [3, 7], [0, 0]),
        (7, [0, 1], [0, 7]),
    ],
)
def test_equal_remainders_go_to_the_earlier_position(total, weights, shares):
    """Ties are settled by the declared order."""
    assert largest_remainder(total, weights) == shares
