"""Rounding: half-even for one quotient, largest remainder for a sum that must close (PROTOCOL.md section 12).

Integers only, exact at any size.

    largest_remainder(100, [1, 1, 1]) == [34, 33, 33]
"""

from collections.abc import Sequence


def divide_half_even(numerator: int, denominator: int) -> int:
    """Return numerator / denominator rounded to the nearest integer, a tie to the even one.

    The numerator is not negative and the denominator positive; anything else is a bug of ours.
    """
    assert numerator >= 0
    assert denominator > 0
    quotient, remainder = divmod(numerator, denominator)
    is_up = 2 * remainder > denominator or (2 * remainder == denominator and quotient % 2 == 1)
    return quotient + is_up


def largest_remainder(total: int, weights: Sequence[int]) -> list[int]:
    """Return shares of `total` in proportion to `weights`, each within one of its exact share, summing to it.

    Everyone gets the exact share rounded down; what is left goes one by one to the largest remainders,
    among equal ones to the earlier position. Total and weights are not negative and the weights not all
    zero; anything else is a bug of ours.
    """
    weight_sum = sum(weights)
    assert total >= 0
    assert weight_sum > 0
    assert min(weights) >= 0
    shares = []
    remainders = []
    for weight in weights:
        share, remainder = divmod(total * weight, weight_sum)
        shares.append(share)
        remainders.append(remainder)
    by_remainder = sorted(range(len(weights)), key=lambda position: -remainders[position])
    for position in by_remainder[: total - sum(shares)]:
        shares[position] += 1
    return shares
