"""Exercises of notebook 14: the solutions do what the package does."""

import numpy as np

from oldphoto.course.exercises import notebook_14 as exercises
from oldphoto.course.lessons.limits.limits import kept_fraction


def test_shares_are_those_of_the_package():
    clean = np.full((4, 5, 3), 100, np.uint8)
    damaged = clean + np.arange(60, dtype=np.uint8).reshape(4, 5, 3)
    restored = clean + np.arange(60, dtype=np.uint8).reshape(4, 5, 3) // 2
    left, damage = restored.astype(float) - clean, damaged.astype(float) - clean
    assert exercises.kept_fraction.solution(left, damage) == kept_fraction(clean, damaged, restored)
