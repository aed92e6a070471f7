"""Recipes: which damages, in which order and how often. They are drawn, replayed, kept as JSON."""

import dataclasses
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from oldphoto.checks import InputError
from oldphoto.degradations.common import Parameters, Range, require_photo, require_range
from oldphoto.degradations.registry import DAMAGES, Damage

Sampler = Callable[[np.random.Generator], Parameters]
JSON_FORMAT = 1
# Limits of parameters in a recipe file: far beyond what is ever drawn, but still computable.
LIMITS: dict[str, Range] = {
    "seed": (0, 2**63 - 1),
    **dict.fromkeys(("num", "strands", "cells"), (1, 2000)),
    **dict.fromkeys(("length", "radius"), (1e-4, 101)),
    **dict.fromkeys(("width", "bend", "broken"), (0, 1)),
    **dict.fromkeys(("spread", "jag", "curl"), (0, 360)),
}


@dataclass(frozen=True)
class Step:
    """With probability ``prob``, one of the damages ``one_of``, each equally likely."""

    prob: float
    one_of: tuple[Sampler, ...]


@dataclass(frozen=True)
class Recipe:
    """Groups of steps, applied one group after the other.

    Attributes:
        groups: tuples of steps.
        shuffled: for each group, whether its steps come in random order.
        intact_prob: probability that a photo stays as it is, so that a network learns to leave
            sound photos alone.
    """

    name: str
    groups: tuple[tuple[Step, ...], ...]
    shuffled: tuple[bool, ...]
    intact_prob: float = 0.0


@dataclass(frozen=True)
class SampledRecipe:
    """The damages of one photo in order, as pairs (name, parameters)."""

    steps: tuple[tuple[str, Parameters], ...]

    def needed_span(self, start: int, stop: int, side: int) -> tuple[int, int]:
        """Return the rows (or columns) of a photo that decide rows start to stop of the result.

        Args:
            start, stop: first row of the result, and the row after the last.
            side: number of rows of the photo.
        """
        for _, parameters in reversed(self.steps):
            grid = parameters.grid
            start = max(0, (start - parameters.margin) // grid * grid)
            stop = min(side, -((-stop - parameters.margin) // grid) * grid)
        # JPEG blocks must lie in the part as they lie in the whole photo.
        coarsest = max((parameters.grid for _, parameters in self.steps), default=1)
        return start // coarsest * coarsest, stop


def sample_recipe(recipe: Recipe, rng: np.random.Generator) -> SampledRecipe:
    """Draw which damages happen, in which order, with which parameters.

    The result can be applied to a photo of any size.

    >>> mild = Recipe("mild", groups=((Step(1.0, (DAMAGES["jpeg"].sample,)),),), shuffled=(False,))
    >>> sample_recipe(mild, np.random.default_rng(0)).steps
    (('jpeg', Jpeg(quality=71)),)
    """
    drawn = []
    if recipe.intact_prob and rng.random() < recipe.intact_prob:
        return SampledRecipe(())
    for group, shuffled in zip(recipe.groups, recipe.shuffled, strict=True):
        order = rng.permutation(len(group)) if shuffled else range(len(group))
        for index in order:
            step = group[index]
            if rng.random() < step.prob:
                sampler = step.one_of[rng.integers(len(step.one_of))]
                parameters = sampler(rng)
                drawn.append((_name_of(parameters), parameters))
    return SampledRecipe(tuple(drawn))


def _name_of(parameters: Parameters) -> str:
    for name, damage in DAMAGES.items():
        if type(parameters) is damage.parameters:
            return name
    raise InputError(f"{type(parameters).__name__} is not in the table of damages")


def apply_recipe(photo: np.ndarray, sampled: SampledRecipe) -> tuple[np.ndarray, np.ndarray]:
    """Apply the drawn damages in their order.

    Args:
        photo: uint8 (H, W, 3).

    Returns:
        The degraded photo, uint8 (H, W, 3), and the mask of all damages that hide the picture,
        bool (H, W), True = damaged. Blur, noise and tone have no mask.

    Raises:
        InputError: if the photo is of another kind, or a damage or a parameter is not valid.
    """
    require_photo(photo)
    photo = photo.copy()
    scratch_mask = np.zeros(photo.shape[:2], bool)
    for name, parameters in sampled.steps:
        damage = _find(name)
        if not damage.structured:
            photo = damage.apply(photo, parameters)
            scratch_mask = damage.apply(scratch_mask, parameters) if damage.moves else scratch_mask
            continue
        photo, mask = damage.apply(photo, parameters)
        if parameters.hides:
            scratch_mask = scratch_mask | mask
    return photo, scratch_mask


def _find(name: str) -> Damage:
    if name not in DAMAGES:
        raise InputError(f"no damage is called {name!r}; there are {', '.join(DAMAGES)}")
    return DAMAGES[name]


def to_json(sampled: SampledRecipe) -> str:
    """Return a drawn recipe as JSON text, which ``from_json`` reads back without loss.

    >>> text = to_json(from_json('{"format": 1, "steps": [{"damage": "jpeg", "quality": 40}]}'))
    >>> json.loads(text)["steps"]
    [{'damage': 'jpeg', 'quality': 40}]
    """
    steps = [{"damage": name, **dataclasses.asdict(p)} for name, p in sampled.steps]
    return json.dumps({"format": JSON_FORMAT, "steps": steps}, indent=1)


def from_json(text: str) -> SampledRecipe:
    """Read a drawn recipe.

    Raises:
        InputError: if the text is not JSON, or a damage or one of its parameters is unknown,
            missing, of another type or out of its limits.
    """
    try:
        content = json.loads(text)
    except json.JSONDecodeError as error:
        raise InputError(f"a recipe is a JSON text, but this is not: {error}") from error
    if not isinstance(content, dict) or content.get("format") != JSON_FORMAT:
        raise InputError(f'a recipe is a JSON object with "format": {JSON_FORMAT} and "steps"')
    steps = content.get("steps")
    if not isinstance(steps, list):
        raise InputError(f'"steps" of a recipe is a list, got {steps!r}')
    return SampledRecipe(tuple(_step_from(fields) for fields in steps))


def _step_from(fields: Any) -> tuple[str, Parameters]:
    """Return (name, parameters) from one JSON object."""
    if not isinstance(fields, dict):
        raise InputError(f"each step of a recipe is a JSON object, got {fields!r}")
    name = str(fields.get("damage"))
    parameters = _find(name).parameters
    known = {field.name: field.type for field in dataclasses.fields(parameters)}
    given = {key: value for key, value in fields.items() if key != "damage"}
    if given.keys() != known.keys():
        raise InputError(f"{name} has the parameters {sorted(known)}, got {sorted(given)}")
    return name, parameters(**{key: _checked(name, key, known[key], given[key]) for key in known})


def _checked(damage: str, key: str, kind: Any, value: Any) -> Any:
    """Return a value of the type that a field declares: float, int, bool, str or a tuple."""
    is_number = isinstance(value, int | float) and not isinstance(value, bool)
    if is_number and (kind is float or type(value) is kind):
        require_range(value, LIMITS.get(key, (-1e9, 1e9)), f"{damage}: {key}")
        return kind(value)
    if kind in (bool, str) and type(value) is kind:
        return value
    if isinstance(value, list) and len(value) == len(get_args(kind)):
        kinds = get_args(kind)
        return tuple(_checked(damage, key, k, v) for k, v in zip(kinds, value, strict=True))
    raise InputError(f"{damage}: {key} is of kind {kind}, got {value!r}")
