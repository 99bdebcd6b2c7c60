"""How well scores part bad from good, in plain Python: a hub has no library for it."""

from collections.abc import Sequence
from itertools import groupby


def area_under_curve(bad: Sequence[bool], scores: Sequence[float]) -> float:
    """Give the chance that a bad one scores higher than a good one; a tie is half of one."""
    pairs = sorted(zip(scores, bad, strict=True))
    bad_count, goods_below, won = sum(bad), 0, 0.0
    for _, tied in groupby(pairs, key=lambda pair: pair[0]):
        group = [is_bad for _, is_bad in tied]
        bads, goods = sum(group), len(group) - sum(group)
        won += bads * (goods_below + goods / 2)
        goods_below += goods
    return won / (bad_count * (len(bad) - bad_count))


def average_precision(bad: Sequence[bool], scores: Sequence[float]) -> float:
    """Give the mean of the precision at each step of recall, ties taken together."""
    pairs = sorted(zip(scores, bad, strict=True), key=lambda pair: -pair[0])
    looked = right = 0
    total = 0.0
    for _, tied in groupby(pairs, key=lambda pair: pair[0]):
        group = [is_bad for _, is_bad in tied]
        looked += len(group)
        right += sum(group)
        total += sum(group) * right / looked
    return total / sum(bad)
