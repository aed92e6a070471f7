"""Guess the recipe: the distance of two recipes, and the rounds of the game."""

import dataclasses
import functools
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations
from typing import Any

import numpy as np

from oldphoto.checks import InputError, require_in
from oldphoto.course.lessons.degradations.dials import DIALS, mix
from oldphoto.degradations.common import Parameters, generator
from oldphoto.degradations.recipes import SampledRecipe, apply_recipe
from oldphoto.degradations.registry import DAMAGES

NUM_DRAWS = 500
ORDER_WEIGHT = 0.2
# Angles after which a pattern looks the same again, in degrees.
PERIODS = {
    ("motion_blur", "angle"): 180.0,
    ("scratches", "angle"): 180.0,
    ("folds", "angle"): 180.0,
    ("halftone", "angle"): 90.0,
}
Key = tuple[str, int]  # a kind, and 0 for its first occurrence, 1 for its second


@dataclass(frozen=True)
class RecipeDistance:
    """The distance of two recipes; every number is between 0 (equal) and 1.

    Attributes:
        per_kind: for each kind in either recipe; 1 where only one of them has it.
        order: fraction of the pairs of common kinds in the opposite order; None where
            fewer than two kinds are common.
        total: the mean over the kinds; where there is an order to compare, it counts a fifth.
    """

    per_kind: dict[str, float]
    order: float | None
    total: float

    @property
    def points(self) -> int:
        """The score of the game: 100 for a perfect guess."""
        return round(100 * (1 - self.total))


def recipe_distance(first: SampledRecipe, second: SampledRecipe) -> RecipeDistance:
    """Compare two recipes.

    Seeds do not count: the place of a grain is not part of the recipe. Numbers are divided by
    the range that the kind's ``sample_*`` function draws from.
    """
    mine, yours = _numbered(first), _numbered(second)
    common = [key for key in mine if key in yours]
    per_kind = {
        _title(key): parameter_distance(key[0], mine[key], yours[key])
        if key in mine and key in yours
        else 1.0
        for key in {**mine, **yours}
    }
    kinds = float(np.mean(list(per_kind.values()))) if per_kind else 0.0
    order = _order_distance(list(mine), list(yours), common)
    total = kinds if order is None else (1 - ORDER_WEIGHT) * kinds + ORDER_WEIGHT * order
    return RecipeDistance(per_kind, order, total)


def _numbered(recipe: SampledRecipe) -> dict[Key, Parameters]:
    """Return the steps by kind and number: a recipe may blur twice."""
    seen: Counter[str] = Counter()
    steps = {}
    for kind, parameters in recipe.steps:
        steps[kind, seen[kind]] = parameters
        seen[kind] += 1
    return steps


def _title(key: Key) -> str:
    kind, number = key
    return kind if number == 0 else f"{kind} ({number + 1})"


def _order_distance(first: list[Key], second: list[Key], common: list[Key]) -> float | None:
    """Return the fraction of pairs in opposite order (Kendall's tau distance)."""
    pairs = list(combinations(common, 2))
    if not pairs:
        return None
    opposite = [
        (first.index(a) < first.index(b)) != (second.index(a) < second.index(b)) for a, b in pairs
    ]
    return float(np.mean(opposite))


def parameter_distance(kind: str, first: Parameters, second: Parameters) -> float:
    """Return the distance of the parameters of one kind: the mean over them, 0 to 1.

    Raises:
        InputError: if the parameters are not of this kind.
    """
    require_in(kind, tuple(DAMAGES), "kind of damage")
    if not type(first) is type(second) is DAMAGES[kind].parameters:
        raise InputError(
            f"expected two sets of parameters of {kind}, got {type(first).__name__} "
            f"and {type(second).__name__}"
        )
    return float(
        np.mean(
            [
                _value_distance(getattr(first, name), getattr(second, name), span, kind, name)
                for name, span in parameter_spans(kind).items()
            ]
        )
    )


def _value_distance(first: Any, second: Any, span: Any, kind: str, name: str) -> float:
    if isinstance(first, bool | str):
        return float(first != second)
    difference = np.abs(np.subtract(first, second))
    period = PERIODS.get((kind, name))
    if period:
        difference = np.mod(difference, period)
        difference, span = np.minimum(difference, period - difference), period / 2
    span = np.maximum(span, 1e-9)  # a parameter that is always the same: any change counts fully
    return float(np.mean(np.minimum(difference / span, 1)))


@functools.cache
def parameter_spans(kind: str) -> dict[str, object]:
    """Return for each parameter of a kind, but its seed, the width of the range it is drawn from.

    The ranges are found by drawing, so that they cannot differ from the sampler's. Tuples have a
    width for each element; texts and yes-or-no have none (0).
    """
    rng = generator(0)
    drawn = [DAMAGES[kind].sample(rng) for _ in range(NUM_DRAWS)]
    names = [f.name for f in dataclasses.fields(DAMAGES[kind].parameters) if f.name != "seed"]
    spans: dict[str, object] = {}
    for name in names:
        values = [getattr(parameters, name) for parameters in drawn]
        is_number = not isinstance(values[0], bool | str)
        spans[name] = np.ptp(np.array(values, float), axis=0) if is_number else 0.0
    return spans


@dataclass(frozen=True)
class Round:
    """One round of the game.

    Attributes:
        number: also the seed; the same number is the same round everywhere.
        strengths: the hidden dials, 0 for kinds that were not used.
        recipe: the hidden recipe.
    """

    number: int
    strengths: dict[str, float]
    recipe: SampledRecipe


def new_round(number: int, kinds: Sequence[str], num_used: tuple[int, int] = (2, 3)) -> Round:
    """Draw a round: two or three of the kinds, each strong enough to be seen.

    Args:
        kinds: those that have a slider in the game.
        num_used: least and largest number of kinds that are used.

    Raises:
        InputError: if a kind has no dial, or there are fewer kinds than may be used.
    """
    for kind in kinds:
        require_in(kind, tuple(DIALS), "kind of damage with a dial")
    if num_used[1] > len(kinds):
        raise InputError(f"a round uses up to {num_used[1]} kinds, but only got {len(kinds)}")
    rng = generator((number, 1))
    used = rng.choice(kinds, int(rng.integers(num_used[0], num_used[1] + 1)), replace=False)
    strengths = {kind: 0.0 for kind in kinds}
    strengths |= {str(kind): float(rng.choice((0.4, 0.6, 0.8, 1.0))) for kind in used}
    return Round(number, strengths, mix(strengths, number))


def score(game: Round, guess: Mapping[str, float]) -> RecipeDistance:
    """Return the distance of the guess from the hidden recipe.

    What no dial sets is drawn from the number of the round in both, so a perfect guess is
    possible: its distance is 0.
    """
    return recipe_distance(game.recipe, mix(guess, game.number))


def guessed_photo(game: Round, clean: np.ndarray, guess: Mapping[str, float]) -> np.ndarray:
    """Return the clean photo degraded by the guess, uint8 (H, W, 3)."""
    return apply_recipe(clean, mix(guess, game.number))[0]


def hidden_photo(game: Round, clean: np.ndarray) -> np.ndarray:
    """Return the clean photo degraded by the hidden recipe, uint8 (H, W, 3)."""
    return apply_recipe(clean, game.recipe)[0]


def reveal_rows(game: Round, guess: Mapping[str, float]) -> list[tuple[str, str, str, str]]:
    """Return one row for each kind in either recipe: name, hidden, guessed, distance."""
    distance = score(game, guess)
    return [
        (
            DIALS[kind].label,
            f"{100 * game.strengths.get(kind, 0):.0f} %",
            f"{100 * guess.get(kind, 0):.0f} %",
            f"{away:.2f}",
        )
        for kind, away in distance.per_kind.items()
    ]
